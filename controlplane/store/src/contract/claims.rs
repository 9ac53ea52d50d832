//! Small values for the cases about limits.

use super::sample::NOW;
use crate::{BudgetTerms, Leased, Leasing, RateTerms, ReleaseEscrow, Store, StoreError, Terms, WindowLeases};
use cliproxy_domain::{
    BudgetClaim, BudgetGrant, BudgetId, Incarnation, LimitSubject, NodeClaims, QuotaUnit, RateClaim,
    RateGrant, RateId, RateKind, WallTime,
};
use std::{ops::Range, sync::Arc, time::Duration};

/// The day that [`NOW`] is in, and the next one.
pub(crate) const DAY: Range<WallTime> = WallTime(1_771_459_200_000)..WallTime(1_771_545_600_000);
pub(crate) const NEXT_DAY: Range<WallTime> = WallTime(1_771_545_600_000)..WallTime(1_771_632_000_000);

/// How long a share of a rate holds.
pub(crate) const TTL: Duration = Duration::from_secs(10);

pub(crate) fn budget() -> BudgetId {
    BudgetId { subject: LimitSubject::Credential("claude".into(), "main".into()), unit: QuotaUnit::Tokens }
}

pub(crate) fn rate() -> RateId {
    RateId { subject: LimitSubject::Client("ci".into()), kind: RateKind::RequestsPerMinute }
}

/// A budget and a rate of that limit, among two nodes.
pub(crate) fn terms(limit: u64) -> Terms {
    Terms {
        budgets: [(budget(), BudgetTerms { limit, period: DAY, settled_before: Some(0) })].into(),
        rates: [(rate(), RateTerms { limit, safe_share: limit / 10 })].into(),
        nodes: 2,
        ttl: TTL,
        ..Terms::default()
    }
}

/// A claim of the day's budget that says and asks nothing.
pub(crate) fn claim() -> BudgetClaim {
    BudgetClaim {
        id: budget(),
        holder: Incarnation(1),
        period: Some(DAY.start),
        granted: 0,
        spent: 0,
        returned: 0,
        want: 0,
        least: 0,
        closing: false,
    }
}

/// What the first process of a node claims.
pub(crate) fn asks(node: &str, claim: BudgetClaim) -> NodeClaims {
    let (budgets, rates) = (vec![claim], Vec::new());
    NodeClaims { node: node.into(), incarnation: Incarnation(1), req: 1, budgets, rates }
}

/// What a node asks for that has nothing.
pub(crate) fn ask(node: &str, want: u64, least: u64) -> NodeClaims {
    asks(node, BudgetClaim { want, least, ..claim() })
}

/// The same of another process.
pub(crate) fn of_process(incarnation: u64, claims: NodeClaims) -> NodeClaims {
    NodeClaims { incarnation: Incarnation(incarnation), ..claims }
}

/// What a node says of the rate, and asks for, by its claim of that number.
pub(crate) fn rates(node: &str, req: u64, held: u64, demand: u64) -> NodeClaims {
    let claim = RateClaim { id: rate(), held, demand, waiting: 0, upstream: None, closing: false };
    let (budgets, rates) = (Vec::new(), vec![claim]);
    NodeClaims { node: node.into(), incarnation: Incarnation(1), req, budgets, rates }
}

pub(crate) fn under(terms: &Terms, claims: Vec<NodeClaims>) -> Leasing {
    Leasing { claims, terms: Arc::new(terms.clone()), now: NOW }
}

/// Gives what each node is granted of its first budget.
pub(crate) async fn lease<S: Store>(
    store: &Arc<S>,
    terms: &Terms,
    claims: Vec<NodeClaims>,
) -> Result<Vec<BudgetGrant>, StoreError> {
    let leased = store.lease(under(terms, claims)).await?;
    Ok(leased.grants.into_iter().flat_map(|grants| grants.budgets).collect())
}

/// Gives what each node is granted of its first rate; who is not answered is left out.
pub(crate) async fn share<S: Store>(
    store: &Arc<S>,
    terms: &Terms,
    claims: Vec<NodeClaims>,
) -> Result<Vec<RateGrant>, StoreError> {
    let leased = store.lease(under(terms, claims)).await?;
    Ok(leased.grants.into_iter().flat_map(|grants| grants.rates).collect())
}

/// Gives what the first node is granted of its first budget.
pub(crate) fn first(leased: &Leased) -> BudgetGrant {
    leased.grants[0].budgets[0].clone()
}

/// Gives the budget's day as the store has it.
pub(crate) async fn window<S: Store>(store: &Arc<S>) -> Result<WindowLeases, StoreError> {
    let mut windows = store.leases(NOW).await?.windows;
    assert_eq!(windows.len(), 1, "{windows:?}");
    Ok(windows.remove(0))
}

/// An operator's word on a node, or one of its processes.
pub(crate) fn released(node: &str, process: Option<u64>) -> ReleaseEscrow {
    let incarnation = process.map(Incarnation);
    ReleaseEscrow { id: budget(), node: node.into(), incarnation, now: NOW }
}

/// So many hours after a time.
pub(crate) fn hours_after(time: WallTime, hours: u64) -> WallTime {
    time.plus(Duration::from_secs(hours * 60 * 60))
}

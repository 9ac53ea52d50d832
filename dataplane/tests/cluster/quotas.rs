//! What the control plane that a test plays grants of limits: budgets by books that add up, rates as the test says.

use crate::{control::Control, node::PausedClock};
use cliproxy_domain::{
    BudgetClaim, BudgetGrant, BudgetId, Incarnation, NodeClaims, NodeGrants, NodeId, RateGrant, RateId,
    WallTime,
};
use cliproxy_host::Clock as _;
use cliproxy_proto::{
    convert::quota::{claims_from_wire, grants_to_wire},
    v1::{LeaseDown, LeaseUp, quota_server::Quota},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};
use tokio::sync::mpsc;
use tokio_stream::{StreamExt as _, wrappers::ReceiverStream};
use tonic::{Request, Response, Status, Streaming};

/// The limits, and who holds what of them.
#[derive(Default)]
pub struct Quotas {
    budgets: BTreeMap<BudgetId, Book>,
    rates: BTreeMap<RateId, RateGrant>,
    streams: Vec<mpsc::Sender<Result<LeaseDown, Status>>>,
    /// Claims are heard and not answered.
    pub hold: bool,
    /// How long an answer takes: a store that is busy.
    pub delay: Duration,
    /// How long an answer is on its way.
    pub underway: Duration,
}

struct Book {
    limit: u64,
    period: WallTime,
    ends: Instant,
    holders: BTreeMap<(NodeId, Incarnation), Sums>,
}

#[derive(Clone, Copy, Default)]
struct Sums {
    granted: u64,
    spent: u64,
    returned: u64,
    closed: bool,
}

impl Sums {
    fn outstanding(self) -> u64 {
        if self.closed { 0 } else { self.granted.saturating_sub(self.spent + self.returned) }
    }
}

impl Book {
    fn used(&self) -> u64 {
        self.holders.values().map(|sums| sums.spent).sum()
    }

    fn leased(&self) -> u64 {
        self.holders.values().map(|sums| sums.outstanding()).sum()
    }

    fn take(&mut self, node: &NodeId, asks: Incarnation, claim: &BudgetClaim) {
        let runs = claim.period.is_none_or(|period| period == self.period);
        let sums = self.holders.entry((node.clone(), claim.holder)).or_default();
        if runs {
            sums.granted = sums.granted.max(claim.granted);
            sums.spent = sums.spent.max(claim.spent);
            sums.returned = sums.returned.max(claim.returned);
            // Whoever goes on after its last word is heard again.
            sums.closed = claim.closing || sums.closed && asks != claim.holder;
        }
        let left = self.limit.saturating_sub(self.used() + self.leased());
        let is_own = claim.holder == asks && !claim.closing;
        let slice = if is_own && claim.least <= left { claim.want.max(claim.least).min(left) } else { 0 };
        if slice > 0 {
            self.holders.entry((node.clone(), asks)).or_default().granted += slice;
        }
    }

    /// Tells the process that asks what it has itself, whoever's sums it told.
    fn grant(&self, id: &BudgetId, node: &NodeId, asks: Incarnation) -> BudgetGrant {
        BudgetGrant {
            id: id.clone(),
            period: self.period,
            ends_in: self.ends.saturating_duration_since(PausedClock.now()),
            granted: self.holders.get(&(node.clone(), asks)).map_or(0, |sums| sums.granted),
            limit: self.limit,
            used: self.used(),
            leased: self.leased(),
            recall: false,
        }
    }
}

impl Quotas {
    fn answer(&mut self, claims: &NodeClaims) -> NodeGrants {
        let mut grants = NodeGrants::default();
        for claim in &claims.budgets {
            if let Some(book) = self.budgets.get_mut(&claim.id) {
                book.take(&claims.node, claims.incarnation, claim);
            }
        }
        let ids: BTreeSet<&BudgetId> = claims.budgets.iter().map(|claim| &claim.id).collect();
        for (id, book) in ids.into_iter().filter_map(|id| Some((id, self.budgets.get(id)?))) {
            grants.budgets.push(book.grant(id, &claims.node, claims.incarnation));
        }
        for claim in &claims.rates {
            grants.rates.extend(self.rates.get(&claim.id).cloned());
        }
        grants
    }

    fn push(&mut self, grants: &NodeGrants) {
        self.streams.retain(|stream| !stream.is_closed());
        for stream in &self.streams {
            stream.try_send(Ok(grants_to_wire(grants, 0))).expect("the node keeps up");
        }
    }

    /// Ends all streams, as a control plane does that is gone.
    pub fn end(&mut self) {
        self.streams.clear();
    }
}

impl Control {
    /// Has so much of a budget in a period that ends in `ends_in`. What was spent of the period before is forgotten.
    pub fn has_budget(&self, id: &BudgetId, limit: u64, ends_in: Duration) {
        let (period, ends) = (PausedClock.wall(), PausedClock.now() + ends_in);
        let book = Book { limit, period, ends, holders: BTreeMap::new() };
        self.quotas(|quotas| drop(quotas.budgets.insert(id.clone(), book)));
    }

    /// Raises or lowers the limit of a budget that it has.
    pub fn limits_budget(&self, id: &BudgetId, limit: u64) {
        self.quotas(|quotas| quotas.budgets.get_mut(id).expect("it has it").limit = limit);
    }

    /// Grants every node the same share of a rate.
    pub fn has_rate(&self, grant: RateGrant) {
        self.quotas(|quotas| drop(quotas.rates.insert(grant.id.clone(), grant)));
    }

    /// Asks all nodes for what they hold of a budget and do not need.
    pub fn recalls(&self, id: &BudgetId) {
        self.quotas(|quotas| {
            let Some(book) = quotas.budgets.get(id) else { return };
            let grant = BudgetGrant {
                id: id.clone(),
                period: book.period,
                ends_in: book.ends.saturating_duration_since(PausedClock.now()),
                granted: 0,
                limit: book.limit,
                used: book.used(),
                leased: book.leased(),
                recall: true,
            };
            quotas.push(&NodeGrants { budgets: vec![grant], rates: Vec::new() });
        });
    }

    /// Tells what all nodes have spent of a budget, and what they hold and have not spent.
    pub fn booked(&self, id: &BudgetId) -> (u64, u64) {
        let mut booked = (0, 0);
        self.quotas(|quotas| {
            booked = quotas.budgets.get(id).map_or((0, 0), |book| (book.used(), book.leased()));
        });
        booked
    }
}

#[tonic::async_trait]
impl Quota for Control {
    type LeaseStream = ReceiverStream<Result<LeaseDown, Status>>;

    async fn lease(
        &self,
        request: Request<Streaming<LeaseUp>>,
    ) -> Result<Response<Self::LeaseStream>, Status> {
        let (down, stream) = mpsc::channel(1_024);
        let (control, mut up) = (self.clone(), request.into_inner());
        tokio::spawn(async move {
            let mut node: Option<(NodeId, Incarnation)> = None;
            control.quotas(|quotas| quotas.streams.push(down.clone()));
            while let Some(Ok(message)) = up.next().await {
                let (node, process) = node
                    .get_or_insert_with(|| {
                        (message.node_id.as_str().into(), Incarnation(message.incarnation))
                    })
                    .clone();
                let claims = claims_from_wire(&message, &node, process, |error| panic!("{error}"));
                let (mut answer, mut delay, mut underway) = (None, Duration::ZERO, Duration::ZERO);
                control.quotas(|quotas| (delay, underway) = (quotas.delay, quotas.underway));
                tokio::time::sleep(delay).await;
                control.quotas(|quotas| {
                    answer = (!quotas.hold).then(|| grants_to_wire(&quotas.answer(&claims), message.req));
                });
                control.claimed(message);
                tokio::time::sleep(underway).await;
                // Gone with the node.
                let _ = match answer {
                    Some(answer) => down.send(Ok(answer)).await,
                    None => Ok(()),
                };
            }
        });
        Ok(Response::new(ReceiverStream::new(stream)))
    }
}

mod its_own_books {
    use super::*;
    use crate::network::MemoryNet;
    use cliproxy_domain::{LimitSubject, QuotaUnit, RateClaim, RateKind, Snapshot};

    const FIRST: Incarnation = Incarnation(1);

    fn tokens() -> BudgetId {
        BudgetId { subject: LimitSubject::Provider("a".into()), unit: QuotaUnit::Tokens }
    }

    fn claim(granted: u64, spent: u64, want: u64) -> BudgetClaim {
        BudgetClaim {
            id: tokens(),
            holder: FIRST,
            period: (granted > 0).then(|| PausedClock.wall()),
            granted,
            spent,
            returned: 0,
            want,
            least: want,
            closing: false,
        }
    }

    fn claims(node: &str, claim: BudgetClaim) -> NodeClaims {
        let (budgets, rates) = (vec![claim], Vec::new());
        NodeClaims { node: node.into(), incarnation: FIRST, req: 1, budgets, rates }
    }

    fn granted(control: &Control, node: &str, claim: BudgetClaim) -> BudgetGrant {
        let claims = claims(node, claim);
        let mut answer = NodeGrants::default();
        control.quotas(|quotas| answer = quotas.answer(&claims));
        answer.budgets.remove(0)
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_is_granted_than_there_is_and_what_is_returned_is_granted_again() {
        let control = Control::new(&MemoryNet::default(), Snapshot::default());
        control.has_budget(&tokens(), 100, Duration::from_secs(60));
        assert_eq!(granted(&control, "n", claim(0, 0, 70)).granted, 70);
        let other = granted(&control, "m", claim(0, 0, 40));
        assert_eq!((other.granted, other.leased), (0, 70), "less than the least is of no use");
        control.recalls(&tokens());
        granted(&control, "n", BudgetClaim { returned: 50, closing: true, ..claim(70, 20, 0) });
        assert_eq!(control.booked(&tokens()), (20, 0));
        control.limits_budget(&tokens(), 50);
        assert_eq!(granted(&control, "m", claim(0, 0, 30)).granted, 30);
        assert_eq!(control.booked(&tokens()), (20, 30));
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_process_says_of_the_one_before_it_is_answered_by_what_it_has_itself() {
        let control = Control::new(&MemoryNet::default(), Snapshot::default());
        control.has_budget(&tokens(), 100, Duration::from_secs(60));
        assert_eq!(granted(&control, "n", claim(0, 0, 70)).granted, 70);
        let left = BudgetClaim { closing: true, ..claim(70, 20, 0) };
        let next = NodeClaims { incarnation: Incarnation(2), ..claims("n", left) };
        let mut answer = NodeGrants::default();
        control.quotas(|quotas| answer = quotas.answer(&next));
        assert_eq!(answer.budgets.iter().map(|grant| grant.granted).collect::<Vec<_>>(), [0]);
        assert_eq!(control.booked(&tokens()), (20, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_rate_is_granted_as_the_test_says() {
        let control = Control::new(&MemoryNet::default(), Snapshot::default());
        let id = RateId { subject: LimitSubject::Client("ci".into()), kind: RateKind::RequestsPerMinute };
        let (ttl, recall) = (Duration::from_secs(10), false);
        let grant = RateGrant { id: id.clone(), share: 5, ttl, safe_share: 2, limit: 10, recall };
        control.has_rate(grant.clone());
        let rates = vec![RateClaim { id, held: 0, demand: 9, waiting: 0, upstream: None, closing: false }];
        let claims = NodeClaims { node: "n".into(), incarnation: FIRST, req: 1, budgets: Vec::new(), rates };
        control.quotas(|quotas| assert_eq!(quotas.answer(&claims).rates, [grant]));
    }
}

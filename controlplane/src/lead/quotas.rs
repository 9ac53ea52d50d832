//! What is left of each budget, for all nodes.

use super::{
    Lead,
    repeats::{Repeats, revision},
};
use crate::{
    backoff::Backoff,
    state::{ActiveConfig, Used},
};
use cliproxy_domain::{BudgetId, Hint, HintKey, LimitSubject, QuotaSignal, WallTime};
use cliproxy_store::StoreError;
use std::{collections::BTreeMap, time::Duration};
use tokio_util::sync::CancellationToken;

/// How often what changed is sent.
const EVERY: Duration = Duration::from_secs(2);
/// How often what is used is read anew where other replicas commit too: what these tell may be lost, and what is read
/// may be told afterwards.
const ANEW: Duration = Duration::from_secs(5 * 60);
/// Of how many clients' budgets nodes are told what is left, the first by name: each node knows what it is granted of
/// itself, and these are for people.
const CLIENTS: usize = 2_000;

/// What the books say of the periods that run.
type Books = BTreeMap<BudgetId, Used>;

/// Runs until `end`.
pub(super) async fn run(lead: &Lead, end: &CancellationToken) {
    let mut tick = tokio::time::interval(EVERY);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let (mut signals, mut backoff) = (Repeats::default(), Backoff::default());
    let (mut read, mut books) = (lead.state.clock.now(), Books::new());
    loop {
        tokio::select! {
            biased;
            () = end.cancelled() => return,
            _ = tick.tick() => {}
        }
        let Some(active) = lead.state.active() else { continue };
        let now = lead.state.clock.now();
        if lead.term.fence.is_some() && now.saturating_duration_since(read) >= ANEW {
            lead.state.quotas.forget();
            read = now;
        }
        match follow(lead, &active, &mut books).await {
            Ok(()) => backoff = Backoff::default(),
            Err(error) => {
                lead.metrics.store_errors.inc();
                backoff.report("what is used of budgets waits for the store", &error);
            }
        }
        send(lead, &mut signals, &active, &books);
    }
}

/// Reads what the books say, and of budgets that nothing is granted of yet what the ledger counted.
async fn follow(lead: &Lead, active: &ActiveConfig, books: &mut Books) -> Result<(), StoreError> {
    let (state, snapshot) = (&lead.state, &active.snapshot);
    let now = state.clock.wall();
    let runs =
        state.store.leases(now).await?.windows.into_iter().filter(|window| window.period.contains(&now));
    let used = runs.map(|window| {
        let (budget, resets_at) = (window.id, window.period.end);
        (budget.clone(), Used { budget, used: window.settled, leased: window.outstanding, resets_at })
    });
    *books = used.filter(|(id, _)| snapshot.budget(id).is_some()).collect();
    let unknown = |id: &BudgetId| !books.contains_key(id);
    state.quotas.keep(|id| unknown(id) && snapshot.budget(id).is_some());
    for (minutes, ids) in state.quotas.stale(snapshot, now, unknown) {
        let _turn = state.ledger.lock().await;
        let rows = state.store.usage(minutes).await?;
        state.quotas.follow(ids, &rows, snapshot, now);
    }
    Ok(())
}

/// Sends what changed and repeats the rest.
fn send(lead: &Lead, signals: &mut Repeats, active: &ActiveConfig, books: &Books) {
    let now = lead.state.clock.wall();
    let by_ledger = lead.state.quotas.used().into_iter().filter(|used| !books.contains_key(&used.budget));
    let mut clients = 0;
    for used in books.values().cloned().chain(by_ledger).filter(|used| used.resets_at > now) {
        if matches!(used.budget.subject, LimitSubject::Client(_)) {
            clients += 1;
            if clients > CLIENTS {
                continue;
            }
        }
        let Some(quota) = active.snapshot.budget(&used.budget) else { continue };
        let key = HintKey::Quota(used.budget.clone());
        let told = lead.state.hints.quota(&used.budget);
        let spent_at = (used.used >= quota.limit).then(|| spent_at(told.as_ref(), &used, now));
        let Used { budget, used, leased, resets_at } = used;
        let last = match signals.last(&key) {
            Some(Hint::Quota(last)) => Some((last.used, last.leased, last.spent_at, last.resets_at)),
            _ => None,
        };
        if last == Some((used, leased, spent_at, resets_at)) {
            continue;
        }
        let revision = revision(lead, &key, now);
        signals.send(lead, Hint::Quota(QuotaSignal { revision, budget, used, leased, spent_at, resets_at }));
    }
    signals.keep(lead, |key| matches!(key, HintKey::Quota(id) if active.snapshot.budget(id).is_some()));
    signals.repeat(lead);
}

/// Gives since when a budget is used up: since it was first told, by whoever led then, or as of now.
fn spent_at(told: Option<&QuotaSignal>, used: &Used, now: WallTime) -> WallTime {
    let of_this_period = told.filter(|told| told.resets_at == used.resets_at);
    of_this_period.and_then(|told| told.spent_at).unwrap_or(now)
}

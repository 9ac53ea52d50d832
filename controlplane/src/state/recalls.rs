//! What nodes hold that others wait for, until the nodes are asked for it.

use cliproxy_domain::{BudgetGrant, BudgetId, Incarnation, NodeGrants, NodeId, RateGrant, RateId};
use parking_lot::Mutex;
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::sync::Notify;

/// How many budgets, and how many rates, may wait for one node to read them. The claims of those who wait come again, and
/// what found no place with them.
const WAITING: usize = 4_096;
/// What times are shortened by on their way, so that a node never reckons with more than there is.
const ON_ITS_WAY: Duration = Duration::from_secs(1);

/// The streams by which nodes claim.
#[derive(Default)]
pub(crate) struct Recalls {
    streams: Mutex<BTreeMap<u64, Stream>>,
    last: AtomicU64,
}

struct Stream {
    node: NodeId,
    incarnation: Incarnation,
    waiting: Waiting,
    wake: Arc<Notify>,
}

#[derive(Default)]
struct Waiting {
    budgets: BTreeMap<BudgetId, BudgetGrant>,
    rates: BTreeMap<RateId, RateGrant>,
}

/// A stream's place among them; dropping it gives it up.
pub(crate) struct Asked {
    id: u64,
    recalls: Arc<Recalls>,
    wake: Arc<Notify>,
}

impl Recalls {
    /// Notes a stream by which a node claims.
    pub(crate) fn open(self: &Arc<Self>, node: NodeId, incarnation: Incarnation) -> Asked {
        let id = self.last.fetch_add(1, Ordering::Relaxed);
        let wake = Arc::<Notify>::default();
        let stream = Stream { node, incarnation, waiting: Waiting::default(), wake: Arc::clone(&wake) };
        self.streams.lock().insert(id, stream);
        Asked { id, recalls: Arc::clone(self), wake }
    }

    /// Asks a node for what it holds, as that was `age` ago. Tells whether it claims here.
    pub(crate) fn ask(
        &self,
        node: &NodeId,
        incarnation: Incarnation,
        grants: &NodeGrants,
        age: Duration,
    ) -> bool {
        let mut found = false;
        for stream in self.streams.lock().values_mut() {
            if (&stream.node, stream.incarnation) == (node, incarnation) {
                stream.waiting.add(grants, age + ON_ITS_WAY);
                stream.wake.notify_one();
                found = true;
            }
        }
        found
    }
}

impl Waiting {
    fn add(&mut self, grants: &NodeGrants, by: Duration) {
        for grant in &grants.budgets {
            if self.budgets.len() < WAITING || self.budgets.contains_key(&grant.id) {
                let ends_in = grant.ends_in.saturating_sub(by);
                self.budgets.insert(grant.id.clone(), BudgetGrant { ends_in, ..grant.clone() });
            }
        }
        for grant in &grants.rates {
            if self.rates.len() < WAITING || self.rates.contains_key(&grant.id) {
                let ttl = grant.ttl.saturating_sub(by);
                self.rates.insert(grant.id.clone(), RateGrant { ttl, ..grant.clone() });
            }
        }
    }
}

impl Asked {
    /// Waits until the node is to be asked for something. Safe to cancel.
    pub(crate) async fn next(&self) -> NodeGrants {
        loop {
            let waiting = self
                .recalls
                .streams
                .lock()
                .get_mut(&self.id)
                .map(|stream| std::mem::take(&mut stream.waiting));
            if let Some(Waiting { budgets, rates }) = waiting
                && !(budgets.is_empty() && rates.is_empty())
            {
                let (budgets, rates) = (budgets.into_values().collect(), rates.into_values().collect());
                return NodeGrants { budgets, rates };
            }
            self.wake.notified().await;
        }
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.recalls.streams.lock().remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cliproxy_domain::{LimitSubject, QuotaUnit, WallTime};

    const PROCESS: Incarnation = Incarnation(3);

    fn held(client: &str, granted: u64) -> NodeGrants {
        let id = BudgetId { subject: LimitSubject::Client(client.into()), unit: QuotaUnit::Tokens };
        let ends_in = Duration::from_secs(60);
        let (period, recall) = (WallTime(0), true);
        let grant =
            BudgetGrant { id, period, ends_in, granted, limit: 100, used: 0, leased: granted, recall };
        NodeGrants { budgets: vec![grant], rates: Vec::new() }
    }

    #[tokio::test]
    async fn what_a_node_has_not_read_yet_is_asked_for_once_as_it_is_by_then() {
        let recalls = Arc::<Recalls>::default();
        let stream = recalls.open("n".into(), PROCESS);
        for (client, granted) in [("ci", 10), ("web", 20), ("ci", 30)] {
            assert!(recalls.ask(&"n".into(), PROCESS, &held(client, granted), Duration::ZERO));
        }
        let asked = stream.next().await;
        let granted: Vec<u64> = asked.budgets.iter().map(|grant| grant.granted).collect();
        assert_eq!(granted, [30, 20]);
        assert!(tokio::time::timeout(Duration::ZERO, stream.next()).await.is_err());
    }

    #[tokio::test]
    async fn a_period_never_ends_later_for_a_word_that_was_long_on_its_way() {
        let recalls = Arc::<Recalls>::default();
        let stream = recalls.open("n".into(), PROCESS);
        recalls.ask(&"n".into(), PROCESS, &held("ci", 10), Duration::from_secs(5));
        assert!(stream.next().await.budgets[0].ends_in < Duration::from_secs(55));
    }

    #[test]
    fn another_process_and_whoever_has_gone_are_not_here() {
        let recalls = Arc::<Recalls>::default();
        let stream = recalls.open("n".into(), PROCESS);
        let ask = |incarnation| recalls.ask(&"n".into(), incarnation, &held("ci", 1), Duration::ZERO);
        assert!(!ask(Incarnation(2)));
        assert!(ask(PROCESS));
        drop(stream);
        assert!(!ask(PROCESS));
    }
}

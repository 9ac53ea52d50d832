//! Whether what nodes hold of limits is known again after the store lost commits.

use cliproxy_domain::{NodeId, escrow, share};
use cliproxy_store::Learning as Of;
use parking_lot::Mutex;
use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

/// How long it is listened at least, also when all nodes have claimed: one that moves between replicas, or a process of an
/// earlier time that its node still claims for, may come a moment later.
const AT_LEAST: Duration = Duration::from_secs(10);

/// After the store lost commits its books have forgotten slices that are being spent. For a while what nodes say that they
/// hold is written down, and nothing new is granted.
pub(crate) struct Learning {
    started: Instant,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    since: Option<Instant>,
    heard: BTreeSet<NodeId>,
}

impl Learning {
    pub(super) fn new(now: Instant) -> Self {
        Self { started: now, inner: Mutex::default() }
    }

    /// Begins to listen: the store has another history.
    pub(super) fn begin(&self, now: Instant) {
        *self.inner.lock() = Inner { since: Some(now), heard: BTreeSet::new() };
    }

    /// Notes that a node comes from another history of the store. A replica that has just begun did not see it end, and
    /// listens from then on; one that has been here for longer did.
    pub(crate) fn met_a_stranger(&self, now: Instant) {
        let is_new = now.saturating_duration_since(self.started) < escrow::LEARNING;
        if is_new && self.inner.lock().since.is_none() {
            tracing::warn!(
                "nodes come from another history of the store; they say what they hold before more is granted"
            );
            self.begin(now);
        }
    }

    /// Notes that a node has said what it holds.
    pub(crate) fn heard(&self, node: &NodeId) {
        let mut inner = self.inner.lock();
        if inner.since.is_some() && !inner.heard.contains(node) {
            inner.heard.insert(node.clone());
        }
    }

    /// Tells what nothing new is granted of at `now`. `nodes` gives all that may hold something.
    pub(crate) fn of(&self, now: Instant, nodes: impl FnOnce() -> Vec<NodeId>) -> Of {
        let mut inner = self.inner.lock();
        let Some(since) = inner.since else { return Of::default() };
        let passed = now.saturating_duration_since(since);
        if passed >= share::LEARNING {
            *inner = Inner::default();
            return Of::default();
        }
        let all_heard = || nodes().iter().all(|node| inner.heard.contains(node));
        let budgets = passed < AT_LEAST || (passed < escrow::LEARNING && !all_heard());
        Of { budgets, rates: true }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cliproxy_host::{Clock, SystemClock};

    fn names(names: &[&str]) -> Vec<NodeId> {
        names.iter().map(|name| NodeId::from(*name)).collect()
    }

    #[test]
    fn nothing_is_granted_for_ten_seconds_and_until_all_have_claimed_or_for_fifteen() {
        let now = SystemClock.now();
        let learning = Learning::new(now);
        let at = |seconds| now + Duration::from_secs(seconds);
        let budgets = |seconds| learning.of(at(seconds), || names(&["a", "b"])).budgets;
        assert!(!budgets(0), "nothing was lost");
        learning.begin(now);
        learning.heard(&"a".into());
        assert!(budgets(9) && budgets(14));
        assert!(!budgets(15), "b is not waited for any longer");
        learning.heard(&"b".into());
        assert!(budgets(9));
        assert!(!budgets(10));
    }

    #[test]
    fn shares_of_rates_are_raised_only_once_what_was_used_of_forgotten_ones_is_over() {
        let now = SystemClock.now();
        let learning = Learning::new(now);
        learning.begin(now);
        let rates = |after| learning.of(now + after, Vec::new).rates;
        assert!(rates(share::LEARNING - Duration::from_millis(1)));
        assert!(!rates(share::LEARNING));
    }

    #[test]
    fn a_node_of_another_history_tells_a_replica_that_has_just_begun_and_no_other() {
        let now = SystemClock.now();
        let learning = Learning::new(now);
        learning.met_a_stranger(now + escrow::LEARNING);
        assert_eq!(learning.of(now + escrow::LEARNING, Vec::new), Of::default());
        learning.met_a_stranger(now);
        assert!(learning.of(now, Vec::new).budgets);
    }
}

//! The other replicas: where they are, how many nodes each has, and who leads.

use parking_lot::Mutex;
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// What is known of the other replicas. Whoever follows what they post tells it; the nodes' streams read it.
#[derive(Default)]
pub(crate) struct Fleet {
    others: Mutex<Arc<Vec<Other>>>,
    leader_epoch: AtomicU64,
}

/// Another replica that lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Other {
    /// Where nodes reach it, as a URL; unset where it does not say.
    pub(crate) advertise_url: Option<String>,
    /// How many nodes are connected to it.
    pub(crate) nodes: u32,
}

impl Fleet {
    /// Notes which other replicas live.
    pub(crate) fn tell(&self, others: Vec<Other>) {
        *self.others.lock() = Arc::new(others);
    }

    /// Gives the other replicas that live.
    pub(crate) fn others(&self) -> Arc<Vec<Other>> {
        Arc::clone(&self.others.lock())
    }

    /// Gives where the other replicas are, sorted, as far as they say it.
    pub(crate) fn places(&self) -> Vec<String> {
        let mut places: Vec<String> =
            self.others().iter().filter_map(|other| other.advertise_url.clone()).collect();
        places.sort_unstable();
        places
    }

    /// Notes a leader's epoch; one that is older than what is known is passed over.
    pub(crate) fn led(&self, epoch: u64) {
        self.leader_epoch.fetch_max(epoch, Ordering::Relaxed);
    }

    /// Forgets who leads, as epochs are counted anew: in another history of the store they may be lower.
    pub(super) fn begin_era(&self) {
        self.leader_epoch.store(0, Ordering::Relaxed);
    }

    /// Gives the newest leader's epoch that is known; 0 before one is.
    pub(crate) fn leader_epoch(&self) -> u64 {
        self.leader_epoch.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replicas_that_do_not_say_where_they_are_are_nowhere_to_go_to() {
        let fleet = Fleet::default();
        let at = |url: &str| Other { advertise_url: Some(url.to_owned()), nodes: 1 };
        fleet.tell(vec![at("http://b:8319"), Other { advertise_url: None, nodes: 7 }, at("http://a:8319")]);
        assert_eq!(fleet.places(), ["http://a:8319", "http://b:8319"]);
    }

    #[test]
    fn an_older_leader_is_passed_over() {
        let fleet = Fleet::default();
        fleet.led(4);
        fleet.led(3);
        assert_eq!(fleet.leader_epoch(), 4);
    }

    #[test]
    fn in_another_history_epochs_begin_anew() {
        let fleet = Fleet::default();
        fleet.led(4);
        fleet.begin_era();
        fleet.led(3);
        assert_eq!(fleet.leader_epoch(), 3);
    }
}

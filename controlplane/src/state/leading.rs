//! Whether this replica does what one does for all.

use cliproxy_domain::Fence;
use parking_lot::Mutex;
use std::time::Instant;
use tokio::sync::{Notify, watch};

/// The time through which one replica leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Term {
    /// What its writes are made under; `None` where there is no other replica that could lead.
    pub(crate) fence: Option<Fence>,
}

/// Whether this replica leads.
pub(crate) struct Leading {
    term: watch::Sender<Option<Term>>,
    /// By this replica's own clock the lease is held until then at least; `None`: for ever.
    until: Mutex<Option<Instant>>,
    /// Told when another replica gave the lease up.
    resigned: Notify,
}

impl Default for Leading {
    fn default() -> Self {
        Self { term: watch::Sender::new(None), until: Mutex::default(), resigned: Notify::new() }
    }
}

impl Leading {
    /// Begins a term that lasts until `until` unless it is extended.
    pub(crate) fn begin(&self, term: Term, until: Option<Instant>) {
        *self.until.lock() = until;
        self.term.send_replace(Some(term));
    }

    /// Notes that the lease was renewed.
    pub(crate) fn extend(&self, until: Instant) {
        *self.until.lock() = Some(until);
    }

    /// Ends the term.
    pub(crate) fn end(&self) {
        self.term.send_replace(None);
    }

    /// Ends the term of that epoch, as a write under it was refused.
    pub(crate) fn refused(&self, epoch: u64) {
        self.term.send_if_modified(|term| {
            let fence = term.as_ref().and_then(|term| term.fence.as_ref());
            let ends = fence.is_some_and(|fence| fence.epoch == epoch);
            if ends {
                *term = None;
            }
            ends
        });
    }

    /// Gives the term that lasts at `now`; `None` while this replica does not lead, or cannot know whether it does.
    pub(crate) fn term(&self, now: Instant) -> Option<Term> {
        if self.until.lock().is_some_and(|until| now >= until) {
            return None;
        }
        self.term.borrow().clone()
    }

    /// Waits until the term is over. Safe to cancel.
    pub(crate) async fn ended(&self) {
        // The sender is in `self`, so that the channel is open.
        let _ = self.term.subscribe().wait_for(Option::is_none).await;
    }

    /// Notes that another replica gave the lease up.
    pub(crate) fn vacant(&self) {
        self.resigned.notify_one();
    }

    /// Waits until another replica gives the lease up. Safe to cancel.
    pub(crate) async fn is_vacant(&self) {
        self.resigned.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cliproxy_domain::LeaseName;
    use cliproxy_host::{Clock, SystemClock};
    use std::time::Duration;

    fn term(epoch: u64) -> Term {
        let fence = Fence { lease: LeaseName::control_loop(), holder: "cp-1".to_owned(), epoch };
        Term { fence: Some(fence) }
    }

    #[test]
    fn a_term_that_was_not_renewed_in_time_is_over_by_the_clock_alone() {
        let (leading, now) = (Leading::default(), SystemClock.now());
        let second = Duration::from_secs(1);
        leading.begin(term(3), Some(now + second));
        assert_eq!(leading.term(now), Some(term(3)));
        assert_eq!(leading.term(now + second), None);
        leading.extend(now + 2 * second);
        assert_eq!(leading.term(now + second), Some(term(3)));
    }

    #[test]
    fn only_the_term_whose_write_was_refused_ends() {
        let (leading, now) = (Leading::default(), SystemClock.now());
        leading.begin(term(3), None);
        leading.refused(2);
        assert!(leading.term(now).is_some());
        leading.refused(3);
        assert!(leading.term(now).is_none());
    }
}

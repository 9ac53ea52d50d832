//! Whether anybody grants parts of limits.

use arc_swap::ArcSwapOption;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

/// A control plane that leaves claims unanswered for so long is away as far as limits go: it may be there, and its store
/// not.
const SILENCE: Duration = Duration::from_millis(2_250);

/// Whether anybody grants parts of limits.
#[derive(Debug)]
pub struct LeaseWatch {
    /// There is no control plane: the node grants by itself.
    alone: AtomicBool,
    /// When the node began.
    began: Instant,
    /// A claim of this process was answered once.
    heard: AtomicBool,
    /// When the oldest claim was sent that is not answered; none when all are.
    unanswered: ArcSwapOption<Instant>,
}

impl LeaseWatch {
    /// Watches for a node that has a control plane, or one that is `alone`; it begins `now`.
    pub fn new(alone: bool, now: Instant) -> Self {
        Self {
            alone: AtomicBool::new(alone),
            began: now,
            heard: AtomicBool::new(false),
            unanswered: ArcSwapOption::empty(),
        }
    }

    /// Tells whether there is no control plane at all.
    pub fn is_alone(&self) -> bool {
        self.alone.load(Relaxed)
    }

    /// Notes that a claim was sent.
    pub fn asked(&self, now: Instant) {
        if self.unanswered.load().is_none() {
            self.unanswered.store(Some(Arc::new(now)));
        }
    }

    /// Notes that it was answered.
    pub fn answered(&self) {
        self.heard.store(true, Relaxed);
        self.unanswered.store(None);
    }

    /// Tells whether nobody answers, by the clock that claims were noted by. `cut_off` says that no control plane is heard:
    /// of a node that has just begun, that it is not connected yet.
    pub fn is_away(&self, cut_off: bool, now: Instant) -> bool {
        let is_silent = |since: Instant| now.saturating_duration_since(since) >= SILENCE;
        let cut_off = cut_off && (self.heard.load(Relaxed) || is_silent(self.began));
        !self.is_alone()
            && (cut_off || self.unanswered.load().as_ref().is_some_and(|asked| is_silent(**asked)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cliproxy_host::{Clock as _, SystemClock};

    fn watching(alone: bool) -> (LeaseWatch, Instant) {
        let start = SystemClock.now();
        (LeaseWatch::new(alone, start), start)
    }

    #[test]
    fn a_node_that_has_just_begun_is_not_cut_off_for_not_being_connected_yet() {
        let (watch, start) = watching(false);
        assert!(!watch.is_away(true, start));
        assert!(watch.is_away(true, start + SILENCE));
        watch.answered();
        assert!(watch.is_away(true, start), "what was heard once and is no more is away");
    }

    #[test]
    fn who_leaves_a_claim_unanswered_is_away_however_often_it_is_asked_again() {
        let (watch, start) = watching(false);
        assert!(!watch.is_away(false, start), "nothing was asked");
        watch.asked(start);
        watch.asked(start + Duration::from_secs(2));
        assert!(!watch.is_away(false, start + Duration::from_secs(2)));
        assert!(watch.is_away(false, start + SILENCE));
        watch.answered();
        assert!(!watch.is_away(false, start + SILENCE));
        assert!(watch.is_away(true, start + SILENCE), "it is not heard at all");
    }

    #[test]
    fn a_node_without_a_control_plane_grants_by_itself() {
        let (watch, start) = watching(true);
        watch.asked(start);
        assert!(!watch.is_away(true, start + SILENCE));
    }
}

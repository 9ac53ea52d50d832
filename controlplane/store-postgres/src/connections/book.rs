//! How many connections there are, are idle, and are waited for.

use std::collections::VecDeque;

/// How many attempts to connect are under way at most that may soon end: a server that just came up, or has too much to
/// do, is not asked for all connections at once.
const ATTEMPTS_AT_ONCE: usize = 4;

/// What is known of a store's connections.
#[derive(Debug)]
pub(super) struct Book<L> {
    most: usize,
    closed: bool,
    /// The one that was used last is at the back.
    idle: VecDeque<L>,
    /// All, also those in use and those that are being made.
    pub(super) open: usize,
    /// Attempts that may soon end.
    pub(super) hopeful: usize,
    /// Callers that have none.
    pub(super) waiting: usize,
}

impl<L> Book<L> {
    pub(super) fn new(most: usize) -> Self {
        Self { most, closed: false, idle: VecDeque::new(), open: 0, hopeful: 0, waiting: 0 }
    }

    /// Tells whether an attempt is to be made, and counts it. One alone finds out when a server ends to refuse.
    pub(super) fn begin_attempt(&mut self, is_refusing: bool) -> bool {
        let at_once = if is_refusing { 1 } else { ATTEMPTS_AT_ONCE };
        let begins = !self.closed
            && self.open < self.most
            && self.hopeful < at_once
            && self.waiting > self.idle.len() + self.hopeful;
        if begins {
            self.open += 1;
            self.hopeful += 1;
        }
        begins
    }

    pub(super) fn take(&mut self) -> Option<L> {
        self.idle.pop_back()
    }

    pub(super) fn take_oldest_if(&mut self, is_stale: impl FnOnce(&L) -> bool) -> Option<L> {
        if self.idle.front().is_some_and(is_stale) { self.idle.pop_front() } else { None }
    }

    /// Keeps one, or gives it back when none is kept any more.
    pub(super) fn keep(&mut self, link: L) -> Option<L> {
        if self.closed {
            return Some(link);
        }
        self.idle.push_back(link);
        None
    }

    /// Keeps none from now on, and gives those that were.
    pub(super) fn close(&mut self) -> VecDeque<L> {
        self.closed = true;
        std::mem::take(&mut self.idle)
    }
}

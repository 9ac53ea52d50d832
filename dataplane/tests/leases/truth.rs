//! What providers have seen: the sum of all that was spent and used, whoever counted it and however. It goes by true time.

use std::collections::{BTreeMap, VecDeque};

const MINUTE: u64 = 60_000;

/// What went upstream.
#[derive(Debug, Default)]
pub(crate) struct Truth {
    /// By period: what was reserved in it, less what was then not used.
    pub(crate) spent: BTreeMap<u64, u64>,
    /// By period: what answers took beyond their reservations.
    pub(crate) overdrawn: BTreeMap<u64, u64>,
    /// When requests were sent, within the last minute.
    sent: VecDeque<u64>,
    pub(crate) violations: Vec<String>,
}

impl Truth {
    pub(crate) fn reserves(&mut self, at: u64, period: u64, amount: u64, limit: u64) {
        let spent = self.spent.entry(period).or_default();
        *spent += amount;
        let most = limit + self.overdrawn.get(&period).copied().unwrap_or(0);
        if *spent > most {
            self.violations.push(format!("{at} ms: {spent} of {limit} spent in the period from {period} ms"));
        }
    }

    pub(crate) fn gives_back(&mut self, period: u64, amount: u64) {
        *self.spent.entry(period).or_default() -= amount;
    }

    pub(crate) fn overdraws(&mut self, period: u64, amount: u64) {
        *self.overdrawn.entry(period).or_default() += amount;
        *self.spent.entry(period).or_default() += amount;
    }

    /// Gives how many requests were sent in the minute before `at`.
    pub(crate) fn sent_lately(&self, at: u64) -> u64 {
        self.sent.iter().filter(|sent| **sent + MINUTE > at).count() as u64
    }

    pub(crate) fn sends(&mut self, at: u64, limit: u64) {
        self.sent.push_back(at);
        while self.sent.front().is_some_and(|first| first + MINUTE <= at) {
            self.sent.pop_front();
        }
        let sent = self.sent.len() as u64;
        if sent > limit {
            self.violations
                .push(format!("{at} ms: {sent} requests within a minute where {limit} are allowed"));
        }
    }
}

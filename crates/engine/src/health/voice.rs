//! What one node says of a provider.

use super::{Evidence, Source};
use cliproxy_domain::WallTime;

/// One node's results in a row, from its probes and its traffic together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Voice {
    /// When its probes were last heard of.
    probed: Option<WallTime>,
    /// When its traffic was last heard of.
    called: Option<WallTime>,
    /// Failures since the last success, of probes and of calls.
    probes_failed: u32,
    calls_failed: u32,
    /// When the first of them was.
    pub(super) failing_since: Option<WallTime>,
    /// Successes since the last failure.
    pub(super) successes: u32,
    /// When the last success was.
    pub(super) answered: Option<WallTime>,
    /// What the latest failure was.
    pub(super) said: String,
}

impl Voice {
    pub(super) fn note(&mut self, evidence: &Evidence) {
        let heard = match evidence.source {
            Source::Probe => &mut self.probed,
            Source::Traffic => &mut self.called,
        };
        *heard = (*heard).max(Some(evidence.at));
        let count = evidence.count.max(1);
        if evidence.ok {
            self.forget_failures();
            self.successes = self.successes.saturating_add(count);
            self.answered = self.answered.max(Some(evidence.at));
            return;
        }
        self.successes = 0;
        self.failing_since = Some(self.failing_since.map_or(evidence.at, |since| since.min(evidence.at)));
        self.said.clone_from(&evidence.said);
        let failed = match evidence.source {
            Source::Probe => &mut self.probes_failed,
            Source::Traffic => &mut self.calls_failed,
        };
        *failed = failed.saturating_add(count);
    }

    /// Forgets the source that said nothing since `oldest`; false when nothing is left.
    pub(super) fn forget_before(&mut self, oldest: WallTime) -> bool {
        if self.probed.is_some_and(|at| at < oldest) {
            (self.probed, self.probes_failed) = (None, 0);
        }
        if self.called.is_some_and(|at| at < oldest) {
            (self.called, self.calls_failed) = (None, 0);
        }
        if self.failures() == 0 {
            self.failing_since = None;
        }
        self.probed.is_some() || self.called.is_some()
    }

    pub(super) fn forget_failures(&mut self) {
        (self.probes_failed, self.calls_failed, self.failing_since) = (0, 0, None);
        self.said.clear();
    }

    /// Counts the failures in a row.
    pub(super) fn failures(&self) -> u32 {
        self.probes_failed.saturating_add(self.calls_failed)
    }

    /// Counts the sources that each failed often enough: 0, 1, or 2 when its probes and its traffic agree.
    pub(super) fn words(&self, threshold: u32) -> u32 {
        if self.probes_failed >= threshold && self.calls_failed >= threshold {
            return 2;
        }
        u32::from(self.failures() >= threshold)
    }

    /// Tells whether another node should have a look: one probe that failed is enough, as probes are few.
    pub(super) fn is_suspicious(&self, threshold: u32) -> bool {
        self.probes_failed > 0 || self.failures() >= threshold
    }

    /// Tells whether it was answered at or after `time`.
    pub(super) fn answered_since(&self, time: WallTime) -> bool {
        self.answered.is_some_and(|answered| answered >= time)
    }

    /// Names its failures for people, as `3 probes in a row failed (503)`.
    pub(super) fn describe(&self) -> String {
        let what = match (self.probes_failed, self.calls_failed) {
            (probes, 0) => plural(probes, "probe"),
            (0, calls) => plural(calls, "call"),
            (probes, calls) => format!("{} and {}", plural(probes, "probe"), plural(calls, "call")),
        };
        let row = if self.failures() > 1 { " in a row" } else { "" };
        let said = if self.said.is_empty() { String::new() } else { format!(" ({})", self.said) };
        format!("{what}{row} failed{said}")
    }
}

pub(super) fn plural(count: u32, thing: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{count} {thing}{ending}")
}

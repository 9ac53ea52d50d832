//! Errors of one provider within a sliding window.

use super::{Blame, Report, Rules};
use cliproxy_domain::{Cooldown, CredentialName, Evidence, Scope, WallTime};
use std::{collections::VecDeque, time::Duration};

/// The latest errors of one provider, as many as could matter.
#[derive(Debug, Default)]
pub struct Window {
    /// In the order of their times.
    errors: VecDeque<Error>,
}

#[derive(Debug)]
struct Error {
    at: WallTime,
    credential: CredentialName,
    rate_limit: bool,
}

/// How many errors are kept, whatever the threshold; a threshold above it counts as this.
const KEPT: u32 = 10_000;

impl Window {
    /// Notes a failure, and gives the rest that follows when it is one too many. Put it behind what is known of its
    /// key with [`continued`](super::continued).
    ///
    /// Errors of a provider count with each other, and the whole provider rests. A 429 says something of its
    /// credential: it counts with all errors of that credential, and that rests; with the provider's it counts only
    /// where there is one credential. What was counted starts anew then. What does not count: a failure that names a
    /// wait which is believed, a refused credential and a spent limit, since these rest by themselves; and reports so
    /// late that newer ones came two windows ago.
    pub fn note(&mut self, rules: &Rules, report: &Report) -> Option<Cooldown> {
        let counts =
            matches!(report.blame, Blame::RateLimit | Blame::Error) && rules.believed(report).is_none();
        if !rules.enabled() || !counts {
            return None;
        }
        self.insert(rules.policy.detection_window, report);
        let rate_limit = report.blame == Blame::RateLimit;
        let credential = &report.subject.credential;
        let of_provider = |error: &Error| !error.rate_limit || rules.credentials <= 1;
        let of_credential = |error: &Error| error.credential == *credential;
        if !rate_limit && let Some(errors) = self.take(rules, of_provider) {
            return Some(rest(rules, report, Scope::Provider, errors));
        }
        let errors = self.take(rules, of_credential)?;
        Some(rest(rules, report, Scope::Credential(credential.clone()), errors))
    }

    /// Forgets everything: an operator or a probe said that the provider is well.
    pub fn clear(&mut self) {
        self.errors.clear();
    }

    /// Keeps two windows: reports of several nodes come out of order, and a late one counts with those of its time.
    fn insert(&mut self, window: Duration, report: &Report) {
        let place = self.errors.partition_point(|error| error.at <= report.at);
        let credential = report.subject.credential.clone();
        let rate_limit = report.blame == Blame::RateLimit;
        self.errors.insert(place, Error { at: report.at, credential, rate_limit });
        let newest = self.errors.back().map_or(report.at, |error| error.at);
        let oldest = newest.minus(window.saturating_mul(2));
        while self.errors.len() > KEPT as usize || self.errors.front().is_some_and(|error| error.at <= oldest)
        {
            self.errors.pop_front();
        }
    }

    /// Takes out the errors that count when there are too many in one window, and gives their number.
    fn take(&mut self, rules: &Rules, counts: impl Fn(&Error) -> bool) -> Option<u32> {
        let threshold = rules.policy.error_threshold.clamp(1, KEPT);
        if self.errors.len() < threshold as usize {
            return None;
        }
        let times = self.errors.iter().filter(|error| counts(error)).map(|error| error.at);
        let most = most_within(times, rules.policy.detection_window);
        if most < threshold {
            return None;
        }
        self.errors.retain(|error| !counts(error));
        Some(most)
    }
}

/// Counts the most of `times`, which are sorted, that lie less than a window apart.
fn most_within(times: impl Iterator<Item = WallTime>, window: Duration) -> u32 {
    let mut within = VecDeque::new();
    let mut most = 0;
    for time in times {
        within.push_back(time);
        while within.front().is_some_and(|first| *first <= time.minus(window)) {
            within.pop_front();
        }
        most = most.max(within.len());
    }
    u32::try_from(most).unwrap_or(u32::MAX)
}

fn rest(rules: &Rules, report: &Report, scope: Scope, errors: u32) -> Cooldown {
    let duration = match report.blame {
        Blame::RateLimit => rules.durations.rate_limit,
        _ => rules.durations.error,
    };
    let evidence = Evidence {
        http_status: report.http_status,
        error_type: report.error_type.clone(),
        hint: report.hint,
        errors,
        window: rules.policy.detection_window,
        ..Evidence::default()
    };
    report.rest(scope, duration, evidence)
}

//! Errors of one provider within a sliding window.

use super::{Blame, Report, Rules};
use cliproxy_domain::{Cooldown, CredentialName, Evidence, Scope, WallTime};
use std::collections::VecDeque;

/// The latest errors of one provider, as many as could matter.
#[derive(Debug, Default)]
pub struct Window {
    errors: VecDeque<Error>,
}

#[derive(Debug)]
struct Error {
    at: WallTime,
    credential: CredentialName,
    rate_limit: bool,
}

/// How many errors are kept, whatever the threshold.
const KEPT: usize = 10_000;

impl Window {
    /// Notes a failure, and gives the rest that follows when it is one too many.
    ///
    /// A 429 says something of its credential: it counts with all errors of that credential, and that rests. Other
    /// failures say something of the provider: they count with each other, and with the 429 of a provider's only
    /// credential, and the whole provider rests. What was counted starts anew then. A refused credential and a spent
    /// limit do not count: they rest by themselves.
    pub fn note(&mut self, rules: &Rules, report: &Report) -> Option<Cooldown> {
        if !rules.enabled() || !matches!(report.blame, Blame::RateLimit | Blame::Error) {
            return None;
        }
        let rate_limit = report.blame == Blame::RateLimit;
        // Reports of several nodes come a little out of order.
        let place = self.errors.partition_point(|error| error.at <= report.at);
        let credential = report.subject.credential.clone();
        self.errors.insert(place, Error { at: report.at, credential, rate_limit });
        let newest = self.errors.back().map_or(report.at, |error| error.at);
        let oldest = newest.minus(rules.policy.detection_window);
        while self.errors.len() > KEPT || self.errors.front().is_some_and(|error| error.at <= oldest) {
            self.errors.pop_front();
        }
        let counts = |error: &&Error| {
            if rate_limit {
                error.credential == report.subject.credential
            } else {
                !error.rate_limit || rules.credentials <= 1
            }
        };
        let errors = u32::try_from(self.errors.iter().filter(counts).count()).unwrap_or(u32::MAX);
        if errors < rules.policy.error_threshold.max(1) {
            return None;
        }
        self.errors.retain(|error| !counts(&error));
        let evidence = Evidence {
            http_status: report.http_status,
            error_type: report.error_type.clone(),
            hint: report.hint,
            errors,
            window: rules.policy.detection_window,
            ..Evidence::default()
        };
        let (scope, rest) = if rate_limit {
            (Scope::Credential(report.subject.credential.clone()), rules.durations.rate_limit)
        } else {
            (Scope::Provider, rules.durations.error)
        };
        Some(report.rest(scope, report.at.plus(rest), 1, evidence))
    }

    /// Forgets everything: an operator or a probe said that the provider is well.
    pub fn clear(&mut self) {
        self.errors.clear();
    }
}

//! What the store in memory keeps for people: the audit log, checks, and the records of requests.

use crate::{
    CheckCount, MAX_REQUESTS, Outcome, RETAINED_AUDIT, RETAINED_OUTCOMES, RETAINED_REQUESTS, StoredRequest,
};
use cliproxy_domain::{AuditEntry, AuditQuery, ProviderName, WallTime};
use std::{collections::BTreeMap, ops::Range};

/// The tables for people.
#[derive(Clone, Default)]
pub(super) struct Book {
    /// By time and id, so that the newest are last.
    audit: BTreeMap<(WallTime, String), AuditEntry>,
    outcomes: BTreeMap<String, Outcome>,
    checks: BTreeMap<(WallTime, ProviderName), (u64, u64)>,
    requests: BTreeMap<String, StoredRequest>,
}

impl Book {
    pub(super) fn write(&mut self, audit: Vec<AuditEntry>, outcome: Option<Outcome>) {
        for entry in audit {
            self.audit.entry((entry.at, entry.id.clone())).or_insert(entry);
        }
        if let Some(((newest, _), _)) = self.audit.last_key_value() {
            let horizon = newest.minus(RETAINED_AUDIT);
            self.audit.retain(|(at, _), _| *at >= horizon);
        }
        if let Some(outcome) = outcome {
            let horizon = outcome.at.minus(RETAINED_OUTCOMES);
            self.outcomes.retain(|_, known| known.at >= horizon);
            self.outcomes.entry(outcome.request_id.clone()).or_insert(outcome);
        }
    }

    pub(super) fn outcome(&self, request_id: &str) -> Option<String> {
        self.outcomes.get(request_id).map(|outcome| outcome.answer.clone())
    }

    pub(super) fn audit(&self, query: &AuditQuery) -> Vec<AuditEntry> {
        let fits = |entry: &&AuditEntry| {
            query.provider.as_ref().is_none_or(|wanted| entry.provider.as_ref() == Some(wanted))
                && query.action.as_ref().is_none_or(|wanted| entry.action == *wanted)
                && query.before.is_none_or(|before| entry.at < before)
        };
        let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
        self.audit.values().rev().filter(fits).take(limit).cloned().collect()
    }

    pub(super) fn record_checks(&mut self, checks: Vec<CheckCount>) {
        for count in checks {
            let (all, passed) = self.checks.entry((count.minute, count.provider)).or_default();
            *all += count.checks;
            *passed += count.passed;
        }
    }

    pub(super) fn checks(&self, minutes: &Range<WallTime>) -> BTreeMap<ProviderName, (u64, u64)> {
        let mut sums: BTreeMap<ProviderName, (u64, u64)> = BTreeMap::new();
        for ((minute, provider), (all, passed)) in &self.checks {
            if minutes.contains(minute) {
                let sum = sums.entry(provider.clone()).or_default();
                *sum = (sum.0 + all, sum.1 + passed);
            }
        }
        sums
    }

    pub(super) fn record_requests(&mut self, requests: Vec<StoredRequest>, now: WallTime) {
        for request in requests {
            self.requests.entry(request.id.clone()).or_insert(request);
        }
        let horizon = now.minus(RETAINED_REQUESTS);
        self.requests.retain(|_, request| request.at >= horizon);
        let surplus = self.requests.len().saturating_sub(usize::try_from(MAX_REQUESTS).unwrap_or(usize::MAX));
        let mut oldest: Vec<_> =
            self.requests.values().map(|request| (request.at, request.id.clone())).collect();
        oldest.sort();
        for (_, id) in oldest.into_iter().take(surplus) {
            self.requests.remove(&id);
        }
    }

    pub(super) fn request(&self, id: &str) -> Option<String> {
        self.requests.get(id).map(|request| request.body.clone())
    }
}

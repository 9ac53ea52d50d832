//! What the store in memory keeps for people: the audit log, checks, and the records of requests.

use crate::{
    CheckCount, MAX_REQUESTS, Outcome, RETAINED_AUDIT, RETAINED_CHECKS, RETAINED_OUTCOMES, RETAINED_REQUESTS,
    StoredRequest, ledger::CELL_MAX,
};
use cliproxy_domain::{AuditEntry, AuditQuery, ProviderName, WallTime};
use std::{cmp::Reverse, collections::BTreeMap, ops::Range};

/// The tables for people.
#[derive(Clone, Default)]
pub(super) struct Book {
    audit: BTreeMap<String, AuditEntry>,
    outcomes: BTreeMap<String, Outcome>,
    checks: BTreeMap<(WallTime, ProviderName), (u64, u64)>,
    requests: BTreeMap<String, StoredRequest>,
}

impl Book {
    pub(super) fn write(&mut self, audit: Vec<AuditEntry>, outcome: Option<Outcome>) {
        for entry in audit {
            self.audit.entry(entry.id.clone()).or_insert(entry);
        }
        if let Some(newest) = self.audit.values().map(|entry| entry.at).max() {
            let horizon = newest.minus(RETAINED_AUDIT);
            self.audit.retain(|_, entry| entry.at >= horizon);
        }
        if let Some(outcome) = outcome {
            let horizon = outcome.at.minus(RETAINED_OUTCOMES);
            self.outcomes.retain(|_, known| known.at >= horizon);
            self.outcomes.entry(outcome.request_id.clone()).or_insert(outcome);
        }
    }

    /// Tells whether the call was carried out before, and not so long ago that it is forgotten with this one.
    pub(super) fn remembers(&self, outcome: &Outcome) -> bool {
        let horizon = outcome.at.minus(RETAINED_OUTCOMES);
        self.outcomes.get(&outcome.request_id).is_some_and(|known| known.at >= horizon)
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
        let mut entries: Vec<&AuditEntry> = self.audit.values().filter(fits).collect();
        entries.sort_by_key(|entry| Reverse((entry.at, &entry.id)));
        entries.truncate(usize::try_from(query.limit).unwrap_or(usize::MAX));
        entries.into_iter().cloned().collect()
    }

    pub(super) fn record_checks(&mut self, checks: Vec<CheckCount>) {
        for count in checks {
            let (all, passed) = self.checks.entry((count.minute, count.provider)).or_default();
            *all = all.saturating_add(count.checks).min(CELL_MAX);
            *passed = passed.saturating_add(count.passed).min(CELL_MAX);
        }
        if let Some(((newest, _), _)) = self.checks.last_key_value() {
            let horizon = newest.minus(RETAINED_CHECKS);
            self.checks.retain(|(minute, _), _| *minute >= horizon);
        }
    }

    pub(super) fn checks(&self, minutes: &Range<WallTime>) -> BTreeMap<ProviderName, (u64, u64)> {
        let mut sums: BTreeMap<ProviderName, (u64, u64)> = BTreeMap::new();
        for ((minute, provider), (all, passed)) in &self.checks {
            if minutes.contains(minute) {
                let sum = sums.entry(provider.clone()).or_default();
                *sum = (sum.0.saturating_add(*all), sum.1.saturating_add(*passed));
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
        if surplus > 0 {
            let mut ages: Vec<_> =
                self.requests.values().map(|request| (request.at, request.id.clone())).collect();
            ages.sort();
            for (_, id) in ages.into_iter().take(surplus) {
                self.requests.remove(&id);
            }
        }
    }

    pub(super) fn request(&self, id: &str) -> Option<String> {
        self.requests.get(id).map(|request| request.body.clone())
    }
}

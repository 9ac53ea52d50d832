//! `server.retries`: how often a request is tried, and whether a slow beginning is hedged.

use super::timeouts::LONGEST;
use crate::field::Field;
use cliproxy_domain::{Hedge, Retries, Timeouts};
use std::time::Duration;

/// Where the file is silent: long enough that most streams have begun.
const HEDGE: Hedge = Hedge { after: Duration::from_secs(2), budget_percent: 5 };

/// Reads the section; `timeouts` are those of the server.
pub fn read(server: &Field<'_>, timeouts: Timeouts) -> Retries {
    let mut retries = Retries::default();
    let Some(section) = server.section("retries") else { return retries };
    if let Some(attempts) = section.child("max_attempts").and_then(|field| field.count(1..=10)) {
        retries.max_attempts = attempts;
    }
    if let Some(percent) = section.child("budget_percent").and_then(|field| field.count(0..=100)) {
        retries.budget_percent = percent;
    }
    retries.hedge = section.section("hedge").and_then(|hedge| read_hedge(&hedge));
    if let Some(hedge) = retries.hedge {
        warn_of_no_hedge(&section, retries.max_attempts, hedge, timeouts);
    }
    retries
}

/// Reads `hedge`. A second call costs money, so that it is wanted only when the file says so in as many words.
fn read_hedge(section: &Field<'_>) -> Option<Hedge> {
    let enabled = section.child("enabled");
    let is_wanted = enabled.as_ref().is_some_and(|field| field.boolean() == Some(true));
    let (after, percent) = (section.child("after"), section.child("budget_percent"));
    let hedge = Hedge {
        after: after
            .as_ref()
            .and_then(|field| field.duration_within(Duration::from_millis(1)..=LONGEST))
            .unwrap_or(HEDGE.after),
        budget_percent: percent
            .as_ref()
            .and_then(|field| field.count(1..=100))
            .unwrap_or(HEDGE.budget_percent),
    };
    if let Some(field) = after.or(percent).filter(|_| enabled.is_none()) {
        field.warn("has no effect without `server.retries.hedge.enabled: true`");
    }
    is_wanted.then_some(hedge)
}

/// Warns of a hedge for which there is never room.
fn warn_of_no_hedge(section: &Field<'_>, max_attempts: u32, hedge: Hedge, timeouts: Timeouts) {
    let at = |path: &str| section.find(path).or_else(|| section.find("hedge"));
    if max_attempts < 2
        && let Some(field) = at("max_attempts")
    {
        field.warn("one call for each request leaves none for the hedge; raise `max_attempts` to 2 or more");
    }
    if hedge.after >= timeouts.total
        && let Some(field) = at("hedge.after")
    {
        field.warn("the request is over by then; write a time shorter than `server.timeouts.total`");
    }
}

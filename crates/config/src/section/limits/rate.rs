//! `rate_limit` of a credential or of a client: how fast it may go.

use super::budget;
use crate::{field::Field, section::choices, suggest};
use cliproxy_domain::{LossMode, RateKind, RateLimits};

/// Far above what one cluster serves, and a minute's worth of it still fits every sum.
const MOST_REQUESTS: u64 = 1_000_000_000;

/// As many as there may be connections.
const MOST_OPEN: u64 = 1_000_000;

/// Below this hardly a request fits: a short message takes 20 tokens and more.
const FEW_TOKENS: u64 = 100;

/// Reads the section; without one nothing is limited. `None` when it is wrong.
pub fn read(owner: &Field<'_>) -> Option<RateLimits> {
    let Some(section) = owner.section("rate_limit") else { return Some(RateLimits::default()) };
    // An unsound value is told at its place, and no limit is left out for it.
    let limit = |kind: RateKind, most: u64| match section.child(kind.as_str()) {
        Some(field) => field.number(1..=most).map(Some),
        None => Some(None),
    };
    let requests_per_minute = limit(RateKind::RequestsPerMinute, MOST_REQUESTS);
    let tokens_per_minute = limit(RateKind::TokensPerMinute, budget::MOST);
    let concurrent_requests = limit(RateKind::ConcurrentRequests, MOST_OPEN);
    let on_loss = match section.child("on_loss") {
        Some(field) => field.choice("way to go on", &choices(LossMode::ALL, LossMode::as_str)),
        None => Some(LossMode::default()),
    };
    let limits = RateLimits {
        requests_per_minute: requests_per_minute?,
        tokens_per_minute: tokens_per_minute?,
        concurrent_requests: concurrent_requests?,
        on_loss: on_loss?,
    };
    warn_of_few_tokens(&section, &limits);
    if let Some(field) = section.child("on_loss").filter(|_| limits.is_empty()) {
        let known = suggest::list(RateKind::ALL.map(RateKind::as_str));
        field.refuse_key(format!("nothing is limited; give one of {known}, or remove it"));
        return None;
    }
    Some(limits)
}

/// Warns of a limit that a request of usual size never fits.
fn warn_of_few_tokens(section: &Field<'_>, limits: &RateLimits) {
    let kind = RateKind::TokensPerMinute;
    let few = |limit: &u64| *limit < FEW_TOKENS;
    if let (Some(limit), Some(field)) = (limits.of(kind).filter(few), section.child(kind.as_str())) {
        field.warn(format!(
            "a request whose prompt is larger than {limit} tokens is always refused; each message counts 16, and its text a \
             token for every three bytes: give the tokens of all requests of a minute"
        ));
    }
}

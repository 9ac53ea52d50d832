//! `server.operations.self_healing`: what is done for an unhealthy provider.

use super::{cooldown::SHORTEST, health::SHORTEST_INTERVAL};
use crate::{field::Field, section::timeouts::LONGEST};
use cliproxy_domain::HealingPolicy;

/// The most recoveries in one round: their pauses double.
const MOST_ATTEMPTS: u32 = 20;

/// Reads the section. To have it is to want healing, as long as it does not say otherwise.
pub fn read(operations: &Field<'_>) -> HealingPolicy {
    let mut policy = HealingPolicy::default();
    let Some(section) = operations.section("self_healing") else { return policy };
    policy.enabled = section.child("enabled").is_none_or(|field| field.boolean() == Some(true));
    let interval = section.child("check_interval");
    if let Some(interval) = interval.and_then(|field| field.duration_within(SHORTEST_INTERVAL..=LONGEST)) {
        policy.check_interval = interval;
    }
    if let Some(attempts) = section.child("max_attempts").and_then(|field| field.count(1..=MOST_ATTEMPTS)) {
        policy.max_attempts = attempts;
    }
    let backoff = section.child("backoff_duration");
    if let Some(backoff) = backoff.and_then(|field| field.duration_within(SHORTEST..=LONGEST)) {
        policy.backoff = backoff;
    }
    policy
}

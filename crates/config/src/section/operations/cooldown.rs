//! `server.operations.cooldown`: what counts as too many errors, and how long a provider's own word is believed.

use crate::{field::Field, section::timeouts::LONGEST};
use cliproxy_domain::CooldownPolicy;
use std::time::Duration;

/// The shortest window and the shortest rest: the planes tell each other milliseconds.
pub const SHORTEST: Duration = Duration::from_millis(1);

/// The shortest rest after a provider named a wait.
const SHORTEST_HINT: Duration = Duration::from_millis(250);

/// So many errors of a provider are remembered; more could never be counted.
const MOST_ERRORS: u32 = 10_000;

/// Reads the section.
pub fn read(operations: &Field<'_>) -> CooldownPolicy {
    let mut policy = CooldownPolicy::default();
    let Some(section) = operations.section("cooldown") else { return policy };
    if let Some(enabled) = section.child("enabled").and_then(|field| field.boolean()) {
        policy.enabled = enabled;
    }
    let window = section.child("detection_window");
    if let Some(window) = window.and_then(|field| field.duration_within(SHORTEST..=LONGEST)) {
        policy.detection_window = window;
    }
    if let Some(threshold) = section.child("error_threshold").and_then(|field| field.count(1..=MOST_ERRORS)) {
        policy.error_threshold = threshold;
    }
    if let Some(honor) = section.child("honor_retry_after").and_then(|field| field.boolean()) {
        policy.honor_retry_after = honor;
    }
    let hint = section.child("max_hint");
    if let Some(hint) = hint.and_then(|field| field.duration_within(SHORTEST_HINT..=LONGEST)) {
        policy.max_hint = hint;
    }
    policy
}

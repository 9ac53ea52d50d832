//! `server.operations.load_balancing`: how one target is chosen among equals, and who stays where he was.

use crate::{
    field::Field,
    section::{choices, timeouts::LONGEST},
};
use cliproxy_domain::{Policy, SessionAffinity, Strategy};
use std::time::Duration;

/// Nodes report once a second: nothing shorter could be averaged over.
const SHORTEST_WINDOW: Duration = Duration::from_secs(1);

/// Reads the section into `policy`.
pub fn read(operations: &Field<'_>, policy: &mut Policy) {
    let Some(section) = operations.section("load_balancing") else { return };
    if let Some(chosen) = section.child("strategy").and_then(|field| strategy(&field)) {
        policy.strategy = chosen;
    }
    let window = section.child("latency_window");
    if let Some(window) = window.and_then(|field| field.duration_within(SHORTEST_WINDOW..=LONGEST)) {
        policy.latency_window = window;
    }
    let words = choices(SessionAffinity::ALL, SessionAffinity::as_str);
    let affinity = section.child("session_affinity");
    if let Some(affinity) = affinity.and_then(|field| field.choice("session affinity", &words)) {
        policy.session_affinity = affinity;
    }
}

/// Reads the name of a strategy.
pub fn strategy(field: &Field<'_>) -> Option<Strategy> {
    field.choice("strategy", &choices(Strategy::ALL, Strategy::as_str))
}

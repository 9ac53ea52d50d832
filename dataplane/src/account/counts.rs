//! Where in the ledger an attempt is counted.

use crate::attempt::{AttemptOutcome, Took};
use cliproxy_domain::{AttemptCounts, Failure, TimeoutPhase};
use std::time::Duration;

/// Counts one attempt, in exactly one of the places.
pub(super) fn counts(outcome: AttemptOutcome<'_>, took: Took) -> AttemptCounts {
    let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    let mut counts = AttemptCounts::default();
    match outcome {
        AttemptOutcome::Answered => {
            counts.ok = 1;
            counts.latency_us = micros(took.all);
            if let Some(first_event) = took.to_first_event {
                counts.streams = 1;
                counts.stream_us = micros(took.all);
                counts.first_event_us = micros(first_event);
            }
        }
        AttemptOutcome::Cancelled | AttemptOutcome::Outrun => counts.cancelled = 1,
        AttemptOutcome::Failed(error) => match error.failure {
            Failure::RateLimited { .. } | Failure::LimitSpent { .. } | Failure::Billing => {
                counts.rate_limited = 1
            }
            Failure::Timeout(TimeoutPhase::Connect) | Failure::ConnectFailed => counts.connect = 1,
            // We gave it up for want of time that others had used: that says nothing of the provider.
            Failure::Timeout(TimeoutPhase::Deadline) => counts.cancelled = 1,
            Failure::Timeout(_) => counts.timeout = 1,
            Failure::InvalidRequest
            | Failure::ContextLength
            | Failure::CredentialRejected
            | Failure::Permission
            | Failure::ModelNotFound
            | Failure::TooLarge => counts.err_4xx = 1,
            Failure::Overloaded { .. }
            | Failure::Upstream
            | Failure::StreamBroken
            | Failure::MalformedReply => {
                counts.err_5xx = 1;
            }
            Failure::ClientGone => counts.cancelled = 1,
        },
    }
    counts
}

#[cfg(test)]
mod tests;

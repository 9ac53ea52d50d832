//! The real clock: tests of real processes keep real time.

use std::time::Instant;

/// Reads the monotonic clock.
#[expect(clippy::disallowed_methods, reason = "other processes keep real time")]
pub fn now() -> Instant {
    Instant::now()
}

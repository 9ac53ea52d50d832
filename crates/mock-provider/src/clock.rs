//! The mock's own clock. It stands outside the product's decisions, so it reads real time itself.

use jiff::{Timestamp, fmt::rfc2822};
use std::time::{Duration, Instant, SystemTime};

/// Reads the monotonic clock.
#[allow(clippy::disallowed_methods, reason = "a simulated provider has its own clock")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Reads the monotonic clock in microseconds since `epoch`.
pub(crate) fn micros(epoch: Instant) -> u64 {
    u64::try_from(now().saturating_duration_since(epoch).as_micros()).unwrap_or(u64::MAX)
}

/// Reads the clock by which answers are paced; tests may pause it.
#[allow(clippy::disallowed_methods, reason = "a simulated provider has its own clock")]
pub(crate) fn ticks() -> tokio::time::Instant {
    tokio::time::Instant::now()
}

/// Reads the calendar clock, `ahead` from now, as RFC 3339 in UTC with whole seconds.
pub(crate) fn rfc3339_in(ahead: Duration) -> String {
    format!("{:.0}", wall_in(ahead))
}

/// Reads the calendar clock, `ahead` from now, in the form of HTTP's date headers.
pub(crate) fn http_date_in(ahead: Duration) -> String {
    rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&wall_in(ahead)).unwrap_or_default()
}

#[allow(clippy::disallowed_methods, reason = "a simulated provider has its own clock")]
fn wall_in(ahead: Duration) -> Timestamp {
    let wall = SystemTime::now().checked_add(ahead).unwrap_or(SystemTime::UNIX_EPOCH);
    Timestamp::try_from(wall).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_have_the_forms_that_headers_use() {
        let rfc3339 = rfc3339_in(Duration::from_secs(5));
        assert_eq!(rfc3339.len(), "2026-11-01T12:00:30Z".len(), "{rfc3339}");
        let http = http_date_in(Duration::from_secs(5));
        assert!(http.ends_with(" GMT") && http.len() == 29, "{http}");
    }
}

//! Renders wall-clock time as RFC 3339 without allocating.

use jiff::{Timestamp, tz::Offset};

/// Appends `at_ms`, milliseconds since 1970, as `2026-02-19T23:00:00.123Z`.
///
/// A time outside of the years 0 to 9999 is written as the nearest that is inside.
pub(crate) fn append_rfc3339(out: &mut Vec<u8>, at_ms: i64) {
    let time = Timestamp::from_millisecond(at_ms.clamp(FIRST_MS, LAST_MS)).unwrap_or(Timestamp::UNIX_EPOCH);
    let civil = Offset::UTC.to_datetime(time);
    append_digits::<4>(out, u32::from(civil.year().unsigned_abs()));
    for (before, part) in [(b'-', civil.month()), (b'-', civil.day()), (b'T', civil.hour())] {
        out.push(before);
        append_digits::<2>(out, u32::from(part.unsigned_abs()));
    }
    for part in [civil.minute(), civil.second()] {
        out.push(b':');
        append_digits::<2>(out, u32::from(part.unsigned_abs()));
    }
    out.push(b'.');
    append_digits::<3>(out, u32::from(civil.millisecond().unsigned_abs()));
    out.push(b'Z');
}

/// 0000-01-01T00:00:00Z.
const FIRST_MS: i64 = -62_167_219_200_000;
/// 9999-12-30T22:00:00Z, the last second that jiff knows in UTC.
const LAST_MS: i64 = 253_402_207_200_000;

fn append_digits<const N: usize>(out: &mut Vec<u8>, mut number: u32) {
    let mut digits = [b'0'; N];
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
    out.extend_from_slice(&digits);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(at_ms: i64) -> String {
        let mut out = Vec::new();
        append_rfc3339(&mut out, at_ms);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn times_are_rfc_3339_in_utc_with_milliseconds() {
        assert_eq!(rendered(1_771_542_000_007), "2026-02-19T23:00:00.007Z");
        assert_eq!(rendered(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(rendered(951_782_399_999), "2000-02-28T23:59:59.999Z");
        assert_eq!(rendered(-1), "1969-12-31T23:59:59.999Z");
    }

    #[test]
    fn absurd_times_stay_in_four_digit_years() {
        assert_eq!(rendered(i64::MAX), "9999-12-30T22:00:00.000Z");
        assert_eq!(rendered(i64::MIN), "0000-01-01T00:00:00.000Z");
    }
}

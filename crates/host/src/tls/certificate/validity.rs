//! Reads from when to when a certificate holds. The certificate library checks it without telling it.

use super::Validity;
use cliproxy_domain::WallTime;

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
/// The version's explicit tag.
const VERSION: u8 = 0xa0;

/// Reads the fields of a certificate up to its validity (RFC 5280, 4.1).
pub(super) fn read(certificate: &[u8]) -> Option<Validity> {
    let (certificate, _) = expect(certificate, SEQUENCE)?;
    let (signed, _) = expect(certificate, SEQUENCE)?;
    let (_, rest) = expect(signed, VERSION)?;
    let (_serial, rest) = expect(rest, INTEGER)?;
    let (_algorithm, rest) = expect(rest, SEQUENCE)?;
    let (_issuer, rest) = expect(rest, SEQUENCE)?;
    let (validity, _) = expect(rest, SEQUENCE)?;
    let (not_before, rest) = time(validity)?;
    let (not_after, _) = time(rest)?;
    Some(Validity { not_before, not_after })
}

/// Takes one value of DER; gives its tag, its content, and what follows.
fn value(input: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[tag, first], rest) = input.split_first_chunk()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x83 => {
            let (length, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (length.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

fn expect(input: &[u8], wanted: u8) -> Option<(&[u8], &[u8])> {
    let (tag, content, rest) = value(input)?;
    (tag == wanted).then_some((content, rest))
}

/// Takes a time, which is in UTC and to the second (RFC 5280, 4.1.2.5).
fn time(input: &[u8]) -> Option<(WallTime, &[u8])> {
    let (tag, text, rest) = value(input)?;
    let digits = text.strip_suffix(b"Z")?;
    let (year, digits) = match tag {
        UTC_TIME => {
            let (short, digits) = number(digits, 2)?;
            (if short < 50 { 2000 + short } else { 1900 + short }, digits)
        }
        GENERALIZED_TIME => number(digits, 4)?,
        _ => return None,
    };
    let (month, digits) = number(digits, 2)?;
    let (day, digits) = number(digits, 2)?;
    let (hour, digits) = number(digits, 2)?;
    let (minute, digits) = number(digits, 2)?;
    let (second, digits) = number(digits, 2)?;
    let sound = digits.is_empty()
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && second < 61;
    let seconds = ((days(year, month, day) * 24 + hour) * 60 + minute) * 60 + second;
    sound.then_some((WallTime(seconds * 1000), rest))
}

fn number(digits: &[u8], length: usize) -> Option<(i64, &[u8])> {
    let (digits, rest) = digits.split_at_checked(length)?;
    let mut number = 0;
    for digit in digits {
        number = number * 10 + i64::from(digit.checked_sub(b'0').filter(|digit| *digit < 10)?);
    }
    Some((number, rest))
}

/// Counts the days since 1970 (Howard Hinnant, "chrono-compatible low-level date algorithms": `days_from_civil`).
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year - era * 400;
    let day_of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    fn made(from: (i32, u8, u8), to: (i32, u8, u8)) -> Vec<u8> {
        let mut params = CertificateParams::default();
        params.not_before = date_time_ymd(from.0, from.1, from.2);
        params.not_after = date_time_ymd(to.0, to.1, to.2);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    #[test]
    fn both_ways_to_write_a_time_are_read() {
        // From 2050 on a time has four digits for its year.
        let validity = read(&made((2024, 2, 29), (2051, 12, 31))).unwrap();
        assert_eq!(validity.not_before, WallTime(1_709_164_800_000));
        assert_eq!(validity.not_after, WallTime(2_587_593_600_000));
        assert_eq!(read(&made((1970, 1, 1), (2049, 1, 1))).unwrap().not_before, WallTime(0));
    }

    #[test]
    fn what_is_cut_or_changed_is_refused_or_read_and_never_a_panic() {
        let whole = made((2024, 1, 1), (2025, 1, 1));
        // Nothing that follows the validity is needed, and all that comes before is.
        assert!((0..whole.len()).all(|length| read(&whole[..length]).is_none()));
        for place in 0..whole.len() {
            for byte in [0, 0x7f, 0x80, 0xff, b'9'] {
                let mut changed = whole.clone();
                changed[place] = byte;
                let _ = read(&changed);
            }
        }
    }
}

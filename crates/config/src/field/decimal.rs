//! Amounts of money: decimal numbers, kept in billionths without ever passing through a binary fraction.

use super::Field;
use crate::tree::{Form, Value};
use std::ops::RangeInclusive;

/// Billionths of a dollar in one.
pub const DOLLAR: u64 = 1_000_000_000;

/// Why a text is no amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// It is not written as a decimal number.
    Form,
    /// It has a digit below the billionth.
    TooFine,
    /// It does not fit.
    TooLarge,
}

impl Field<'_> {
    /// Reads US dollars such as `0.003` or `50` as billionths, within a range of billionths whose ends are told in
    /// dollars.
    pub fn dollars(&self, range: RangeInclusive<u64>) -> Option<u64> {
        let text = self.text()?;
        let is_text = matches!(&self.node().value, Value::Scalar(scalar) if scalar.form == Form::Text);
        let parsed = if is_text && text.is_plain { Err(Fault::Form) } else { billionths(&text.value) };
        let shown = self.shown();
        match parsed {
            Ok(amount) if range.contains(&amount) => return Some(amount),
            Ok(_) | Err(Fault::TooLarge) => {
                let (least, most) = (written(*range.start()), written(*range.end()));
                self.refuse(format!("{shown} is out of range; write US dollars from {least} to {most}"));
            }
            Err(Fault::TooFine) => {
                self.refuse(format!("{shown} is finer than a billionth of a dollar; round it"));
            }
            Err(Fault::Form) => {
                self.refuse(format!(
                    "{shown} is not an amount; write US dollars such as `0.003`, without quotes"
                ));
            }
        }
        None
    }
}

/// Writes billionths as dollars, without zeros that say nothing.
fn written(billionths: u64) -> String {
    let text = format!("{}.{:09}", billionths / DOLLAR, billionths % DOLLAR);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Parses `12`, `0.003`, `.5` or `7.5e-05`, as YAML writers put small numbers down.
fn billionths(text: &str) -> Result<u64, Fault> {
    const SCALE: i32 = 9;
    /// Beyond this every number that is not zero is too large or too fine.
    const FARTHEST: i32 = 100;
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().map_err(|_| Fault::Form)?),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Fault::Form);
    }
    let significant = digits.trim_start_matches('0');
    let trimmed = significant.trim_end_matches('0');
    if trimmed.is_empty() {
        return Ok(0);
    }
    let dropped = significant.len() - trimmed.len();
    let as_scale = |count: usize| i32::try_from(count).map_err(|_| Fault::TooLarge);
    let shift = exponent.clamp(-FARTHEST, FARTHEST) + SCALE + as_scale(dropped)? - as_scale(fraction.len())?;
    let shift = u32::try_from(shift).map_err(|_| Fault::TooFine)?;
    let value = trimmed.parse::<u64>().map_err(|_| Fault::TooLarge)?;
    10_u64.checked_pow(shift).and_then(|factor| value.checked_mul(factor)).ok_or(Fault::TooLarge)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_read_to_the_last_digit() {
        let cases = [
            ("0", 0),
            ("0.000", 0),
            ("0e5", 0),
            ("0.003", 3_000_000),
            (".5", 500_000_000),
            ("5.", 5_000_000_000),
            ("0.1", 100_000_000),
            ("0.000000001", 1),
            ("0.0000000010", 1),
            ("1.000000000000000000000", DOLLAR),
            ("7.5e-05", 75_000),
            ("1E3", 1_000 * DOLLAR),
            ("1e+3", 1_000 * DOLLAR),
            ("0.123456789", 123_456_789),
            ("18446744073.709551615", u64::MAX),
        ];
        for (text, expected) in cases {
            assert_eq!(billionths(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_amount_says_why() {
        let cases = [
            ("", Fault::Form),
            (".", Fault::Form),
            ("-1", Fault::Form),
            ("+1", Fault::Form),
            ("1,5", Fault::Form),
            ("1_000", Fault::Form),
            ("1.2.3", Fault::Form),
            ("0x10", Fault::Form),
            (".inf", Fault::Form),
            ("1e", Fault::Form),
            ("0.0000000001", Fault::TooFine),
            ("1e-10", Fault::TooFine),
            ("1e-2000000000", Fault::TooFine),
            ("1e2000000000", Fault::TooLarge),
            ("18446744073.709551616", Fault::TooLarge),
            ("99999999999999999999999999999999999999999999", Fault::TooLarge),
        ];
        for (text, expected) in cases {
            assert_eq!(billionths(text), Err(expected), "{text}");
        }
    }

    #[test]
    fn amounts_are_written_without_zeros_that_say_nothing() {
        let shown = [0, 1, 500_000_000, 1_000 * DOLLAR].map(written);
        assert_eq!(shown, ["0", "0.000000001", "0.5", "1000"]);
    }
}

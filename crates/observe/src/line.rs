//! Writes one log line, as JSON or logfmt, into a buffer that its caller reuses.

use crate::{
    logging::{Format, Level},
    timestamp::append_rfc3339,
};
use std::io::Write as _;

/// The longest value that a line shows; what is longer is cut and marked with `…`. With the bounded number of
/// fields of an event this bounds the line.
pub(crate) const MAX_VALUE_BYTES: usize = 8 * 1024;

/// What a buffer for lines keeps allocated between two lines.
pub(crate) const KEPT_BYTES: usize = 64 * 1024;

/// A line being written. Every line begins with its time, level and message, and must be ended with
/// [`Line::end`].
pub(crate) struct Line<'a> {
    out: &'a mut Vec<u8>,
    format: Format,
    /// The name before the dot of the logfmt keys inside an object; JSON nests instead.
    object: Option<&'static str>,
    first_in_object: bool,
}

impl<'a> Line<'a> {
    /// Begins a line behind what `out` already holds.
    pub(crate) fn begin(format: Format, out: &'a mut Vec<u8>, at_ms: i64, level: Level, msg: &str) -> Self {
        match format {
            Format::Json => {
                out.extend_from_slice(b"{\"timestamp\":\"");
                append_rfc3339(out, at_ms);
                out.extend_from_slice(b"\",\"level\":\"");
                out.extend_from_slice(level.as_str().as_bytes());
                out.push(b'"');
            }
            Format::Text => {
                out.extend_from_slice(b"time=");
                append_rfc3339(out, at_ms);
                out.extend_from_slice(b" level=");
                out.extend_from_slice(level.as_str().as_bytes());
            }
        }
        let mut line = Self { out, format, object: None, first_in_object: false };
        line.text("msg", msg);
        line
    }

    /// Adds a text.
    pub(crate) fn text(&mut self, key: &str, value: &str) {
        self.key(key);
        let (value, cut) = shortened(value);
        match self.format {
            Format::Json => json_string(self.out, value, cut),
            Format::Text if !cut && is_bare(value) => self.out.extend_from_slice(value.as_bytes()),
            Format::Text => json_string(self.out, value, cut),
        }
    }

    /// Adds a whole number.
    pub(crate) fn number(&mut self, key: &str, value: impl Into<i128>) {
        self.key(key);
        let value: i128 = value.into();
        match u64::try_from(value) {
            Ok(small) => digits(self.out, small),
            Err(_) => write_infallibly(self.out, format_args!("{value}")),
        }
    }

    /// Adds a number; what JSON has no number for (infinities, NaN) is written as a text.
    pub(crate) fn float(&mut self, key: &str, value: f64) {
        if value.is_finite() {
            self.key(key);
            write_infallibly(self.out, format_args!("{value}"));
        } else {
            self.text(key, &value.to_string());
        }
    }

    /// Adds `true` or `false`.
    pub(crate) fn boolean(&mut self, key: &str, value: bool) {
        self.key(key);
        self.out.extend_from_slice(if value { b"true" } else { b"false" });
    }

    /// Opens an object; objects do not nest further.
    pub(crate) fn open(&mut self, key: &'static str) {
        if self.format == Format::Json {
            self.key(key);
            self.out.push(b'{');
        }
        self.object = Some(key);
        self.first_in_object = true;
    }

    /// Closes the object.
    pub(crate) fn close(&mut self) {
        if self.format == Format::Json {
            self.out.push(b'}');
        }
        self.object = None;
        self.first_in_object = false;
    }

    /// Ends the line.
    pub(crate) fn end(self) {
        if self.format == Format::Json {
            self.out.push(b'}');
        }
        self.out.push(b'\n');
    }

    fn key(&mut self, key: &str) {
        match self.format {
            Format::Json => {
                if !std::mem::take(&mut self.first_in_object) {
                    self.out.push(b',');
                }
                json_string(self.out, key, false);
                self.out.push(b':');
            }
            Format::Text => {
                self.out.push(b' ');
                if let Some(object) = self.object {
                    self.out.extend_from_slice(object.as_bytes());
                    self.out.push(b'.');
                }
                // A key with a space or `=` would make two fields of one.
                self.out.extend(key.bytes().map(|byte| if is_bare_byte(byte) { byte } else { b'_' }));
                self.out.push(b'=');
            }
        }
    }
}

/// Gives the part of `value` that a line shows, and whether it was cut.
fn shortened(value: &str) -> (&str, bool) {
    if value.len() <= MAX_VALUE_BYTES {
        return (value, false);
    }
    (&value[..value.floor_char_boundary(MAX_VALUE_BYTES)], true)
}

fn is_bare(value: &str) -> bool {
    !value.is_empty() && value.bytes().all(is_bare_byte)
}

fn is_bare_byte(byte: u8) -> bool {
    byte > b' ' && byte != b'"' && byte != b'=' && byte != b'\\' && byte < 0x7f
}

/// Appends a JSON string. Logfmt quotes in the same way, so that a line break in a value never breaks a line.
fn json_string(out: &mut Vec<u8>, value: &str, cut: bool) {
    out.push(b'"');
    let bytes = value.as_bytes();
    let mut copied = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        if byte >= b' ' && byte != b'"' && byte != b'\\' && byte != 0x7f {
            continue;
        }
        out.extend_from_slice(&bytes[copied..at]);
        copied = at + 1;
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            _ => {
                const HEX: &[u8; 16] = b"0123456789abcdef";
                out.extend_from_slice(b"\\u00");
                out.push(HEX[usize::from(byte >> 4)]);
                out.push(HEX[usize::from(byte & 15)]);
            }
        }
    }
    out.extend_from_slice(&bytes[copied..]);
    if cut {
        out.extend_from_slice("…".as_bytes());
    }
    out.push(b'"');
}

fn digits(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0u8; 20];
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[start..]);
}

fn write_infallibly(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    // Writing to a `Vec` cannot fail, and numbers do not fail to format themselves.
    let _ = out.write_fmt(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(format: Format, fill: impl Fn(&mut Line<'_>)) -> String {
        let mut out = Vec::new();
        let mut line = Line::begin(format, &mut out, 1_771_542_000_000, Level::Warn, "it happened");
        fill(&mut line);
        line.end();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn json_lines_parse_back_whatever_the_values_hold() {
        let nasty = "quote\" back\\ line\nreturn\r tab\t nul\0 del\u{7f} ünï 🎈 </script>";
        let line = rendered(Format::Json, |line| {
            line.text(nasty, nasty);
            line.number("least", i64::MIN);
            line.number("most", u64::MAX);
            line.float("ratio", 0.25);
            line.float("lost", f64::NAN);
            line.boolean("ok", true);
        });
        let parsed: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(parsed[nasty], nasty);
        assert_eq!(parsed["least"], i64::MIN);
        assert_eq!(parsed["most"], u64::MAX);
        assert_eq!(parsed["ratio"], 0.25);
        assert_eq!(parsed["lost"], "NaN");
        assert_eq!(parsed["ok"], true);
        assert_eq!(line.matches('\n').count(), 1);
    }

    #[test]
    fn objects_nest_in_json_and_are_dotted_in_text() {
        let tokens = |line: &mut Line<'_>| {
            line.open("tokens");
            line.number("input", 1u64);
            line.number("output", 20u64);
            line.close();
            line.boolean("last", false);
        };
        assert_eq!(
            rendered(Format::Json, tokens),
            "{\"timestamp\":\"2026-02-19T23:00:00.000Z\",\"level\":\"warn\",\"msg\":\"it happened\",\
             \"tokens\":{\"input\":1,\"output\":20},\"last\":false}\n"
        );
        assert_eq!(
            rendered(Format::Text, tokens),
            "time=2026-02-19T23:00:00.000Z level=warn msg=\"it happened\" tokens.input=1 tokens.output=20 last=false\n"
        );
    }

    #[test]
    fn text_quotes_only_what_would_not_read_back() {
        let line = rendered(Format::Text, |line| {
            line.text("model", "claude-3-5-sonnet");
            line.text("empty", "");
            line.text("equals", "a=b");
            line.text("odd key=", "x\nlevel=error");
        });
        assert!(
            line.ends_with(
                " model=claude-3-5-sonnet empty=\"\" equals=\"a=b\" odd_key_=\"x\\nlevel=error\"\n"
            )
        );
    }

    #[test]
    fn a_value_without_end_is_cut_at_a_character() {
        let long = "é".repeat(MAX_VALUE_BYTES);
        let line = rendered(Format::Json, |line| line.text("body", &long));
        let parsed: serde_json::Value = serde_json::from_str(&line).unwrap();
        let shown = parsed["body"].as_str().unwrap();
        assert!(shown.ends_with("é…"));
        assert!(shown.len() <= MAX_VALUE_BYTES + "…".len());
    }
}

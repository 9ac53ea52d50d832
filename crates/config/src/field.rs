//! One key of the tree with its path, and typed readings of its value.
//!
//! A reading that fails notes a report and gives `None`; the caller goes on with a default, so that one run
//! finds everything that is wrong. Shapes (map, list, scalar) were checked before, so a wrong one is passed
//! over in silence here.

mod decimal;
mod findings;

pub use decimal::DOLLAR;
pub use findings::{Findings, NotedBudget};

use crate::{
    error::Report,
    interpolate, mask,
    source::Span,
    suggest,
    tree::{Form, Key, Node, Value},
};
use std::{
    net::SocketAddr,
    ops::{Range, RangeInclusive},
    time::Duration,
};

impl Text {
    /// Finds the one of `names` that was probably meant, as [`advice`](Self::advice) does.
    pub fn closest<'n>(&self, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
        suggest::closest(&self.value, names).filter(|_| self.is_plain)
    }

    /// Says which of `names` was probably meant, or else which there are. What a variable holds is not compared:
    /// the answer would tell something of it.
    pub fn advice<'n>(&self, names: impl Iterator<Item = &'n str> + Clone) -> String {
        match self.closest(names.clone()) {
            Some(name) => format!("did you mean `{}`?", mask::shown(name)),
            None => format!("known are {}", suggest::list(names)),
        }
    }
}

/// One key, or one item of a list, with its value.
#[derive(Clone)]
pub struct Field<'a> {
    path: String,
    key: Option<Span>,
    node: &'a Node,
    findings: &'a Findings<'a>,
}

/// A scalar with its variables filled in.
pub struct Text {
    /// The value.
    pub value: String,
    /// Tells whether all of it stands in the text, so that no variable went in.
    pub is_plain: bool,
}

impl<'a> Field<'a> {
    /// Takes the root of a tree.
    pub fn root(node: &'a Node, findings: &'a Findings<'a>) -> Self {
        Self { path: String::new(), key: None, node, findings }
    }

    /// Gives the value of `key`, unless the key is absent or has no value and no meaning without one.
    pub fn child(&self, key: &str) -> Option<Field<'a>> {
        let (key, node) = self.node.get(key)?;
        Some(self.enter(key, node))
    }

    /// Gives a section; one that stands there empty counts as absent.
    pub fn section(&self, key: &str) -> Option<Field<'a>> {
        self.child(key).filter(|field| !field.node.is_null())
    }

    /// Finds the value at a path of keys, as in `server.timeouts`; a key with a dot in it is not found.
    pub fn find(&self, path: &str) -> Option<Field<'a>> {
        path.split('.').try_fold(self.clone(), |field, key| field.child(key))
    }

    /// Gives all keys of a map with their values.
    pub fn entries(&self) -> Vec<(&'a str, Field<'a>)> {
        match &self.node.value {
            Value::Map(entries) => {
                entries.iter().map(|(key, node)| (key.text.as_str(), self.enter(key, node))).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Gives the items of a list.
    pub fn items(&self) -> Vec<Field<'a>> {
        match &self.node.value {
            Value::List(items) => {
                items.iter().enumerate().map(|(index, node)| self.item(index, node)).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Tells whether this is a list without items.
    pub fn is_empty_list(&self) -> bool {
        matches!(&self.node.value, Value::List(items) if items.is_empty())
    }

    fn enter(&self, key: &Key, node: &'a Node) -> Field<'a> {
        let separator = if self.path.is_empty() { "" } else { "." };
        let path = format!("{}{separator}{}", self.path, mask::shown(&key.text));
        Field { path, key: Some(key.span.clone()), node, findings: self.findings }
    }

    fn item(&self, index: usize, node: &'a Node) -> Field<'a> {
        Field { path: format!("{}[{index}]", self.path), key: None, node, findings: self.findings }
    }

    /// Names the key as in `server.timeouts.connect`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Gives the value's node.
    pub fn node(&self) -> &'a Node {
        self.node
    }

    /// Gives the findings that this field reports to.
    pub fn findings(&self) -> &'a Findings<'a> {
        self.findings
    }

    /// Gives the place of the key, or of the item when it has none.
    pub fn key_span(&self) -> &Span {
        self.key.as_ref().unwrap_or(&self.node.span)
    }

    /// Gives the place of the value, or of the key when there is no value.
    pub fn span(&self) -> &Span {
        if self.node.is_null() || self.node.span.len == 0 { self.key_span() } else { &self.node.span }
    }

    /// Notes that the value is wrong: `path: message`.
    pub fn refuse(&self, message: impl AsRef<str>) {
        self.findings.refuse(Report::at(self.span(), format!("`{}`: {}", self.path, message.as_ref())));
    }

    /// Notes that something is wrong with the key or with the whole map under it.
    pub fn refuse_key(&self, message: impl AsRef<str>) {
        self.findings.refuse(Report::at(self.key_span(), format!("`{}`: {}", self.path, message.as_ref())));
    }

    /// Notes a warning at the value.
    pub fn warn(&self, message: impl AsRef<str>) {
        self.warn_at(self.span(), message.as_ref());
    }

    /// Shows the value as written; a variable shows as its name.
    pub fn shown(&self) -> String {
        match &self.node.value {
            Value::Scalar(scalar) => format!("`{}`", mask::shown(&scalar.text)),
            _ => self.node.describe().to_owned(),
        }
    }

    /// Notes a warning at the key.
    pub fn warn_key(&self, message: impl AsRef<str>) {
        self.warn_at(self.key_span(), message.as_ref());
    }

    fn warn_at(&self, span: &Span, message: &str) {
        self.findings.warn_at(span, &self.path, message);
    }

    /// Reads a text: any scalar, as written, with its variables filled in. Never empty.
    pub fn text(&self) -> Option<Text> {
        let text = self.text_or_empty()?;
        if !text.value.trim().is_empty() {
            return Some(text);
        }
        let why = if text.is_plain {
            "the value is empty"
        } else {
            "the value is empty once its variables are filled in"
        };
        self.refuse(format!("{why}; give one or remove the key"));
        None
    }

    /// Reads a text that may be empty.
    pub fn text_or_empty(&self) -> Option<Text> {
        let Value::Scalar(scalar) = &self.node.value else { return None };
        if scalar.form == Form::Null {
            self.refuse("there is no value; give one or remove the key");
            return None;
        }
        let is_plain = scalar.form != Form::Text || !interpolate::is_needed(&scalar.text);
        let value = if is_plain {
            scalar.text.clone()
        } else {
            match interpolate::interpolate(&scalar.text, self.findings.environment) {
                Ok(value) => value,
                Err(error) => {
                    self.refuse(error.to_string());
                    return None;
                }
            }
        };
        Some(Text { value, is_plain })
    }

    /// Reads `true` or `false`.
    pub fn boolean(&self) -> Option<bool> {
        let text = self.text()?;
        let is_text = matches!(&self.node.value, Value::Scalar(scalar) if scalar.form == Form::Text);
        match text.value.as_str() {
            "true" | "True" | "TRUE" if !(is_text && text.is_plain) => Some(true),
            "false" | "False" | "FALSE" if !(is_text && text.is_plain) => Some(false),
            _ => {
                self.refuse(format!(
                    "{} is not a boolean; write `true` or `false` without quotes",
                    self.shown()
                ));
                None
            }
        }
    }

    /// Reads a whole number within `range`. One below zero, or beyond all bounds, is a number as well.
    pub fn number(&self, range: RangeInclusive<u64>) -> Option<u64> {
        let text = self.text()?;
        let is_text = matches!(&self.node.value, Value::Scalar(scalar) if scalar.form == Form::Text);
        let number = text.value.parse::<u64>().ok().filter(|_| !(is_text && text.is_plain));
        match number {
            Some(number) if range.contains(&number) => Some(number),
            None if is_text && text.is_plain || text.value.parse::<i128>().is_err() => {
                let shown = self.shown();
                let such = in_full(&text.value).filter(|number| range.contains(number) && text.is_plain);
                let such = such.unwrap_or(*range.start());
                self.refuse(format!("{shown} is not a whole number; write one such as `{such}`"));
                None
            }
            _ => {
                let (least, most) = (range.start(), range.end());
                self.refuse(format!(
                    "{} is out of range; write a whole number from {least} to {most}",
                    self.shown()
                ));
                None
            }
        }
    }

    /// Reads a whole number within `range`, of 32 bits.
    pub fn count(&self, range: RangeInclusive<u32>) -> Option<u32> {
        let (least, most) = range.into_inner();
        self.number(least.into()..=most.into()).and_then(|number| u32::try_from(number).ok())
    }

    /// Reads a share within a tier.
    pub fn weight(&self) -> Option<u32> {
        self.count(1..=10_000)
    }

    /// Reads the number of a tier.
    pub fn priority(&self) -> Option<u32> {
        self.count(0..=10_000)
    }

    /// Reads a time such as `500ms`, `90s` or `1h30m`: longer than nothing, at most `most`.
    pub fn duration(&self, most: Duration) -> Option<Duration> {
        let duration = self.any_duration()?;
        if duration.is_zero() {
            self.refuse(format!("{} would never wait; write a time longer than zero", self.shown()));
            return None;
        }
        self.no_longer_than(duration, most)
    }

    /// Reads a time such as `500ms`, of any length.
    fn any_duration(&self) -> Option<Duration> {
        let text = self.text()?;
        let parsed = text.value.parse::<jiff::SignedDuration>().ok();
        let duration = parsed.and_then(|signed| Duration::try_from(signed).ok());
        if duration.is_none() {
            let remedy = "write a number with its unit, such as `500ms`, `90s` or `1h30m`";
            self.refuse(format!("{} is not a duration; {remedy}", self.shown()));
        }
        duration
    }

    fn no_longer_than(&self, duration: Duration, most: Duration) -> Option<Duration> {
        if duration > most {
            let most = match most.as_secs() {
                // As the reference has it.
                days if days > 24 * 3_600 && days % 3_600 == 0 => format!("{}h", days / 3_600),
                seconds => format!("{seconds}s"),
            };
            self.refuse(format!("{} is too long; write at most `{most}`", self.shown()));
            return None;
        }
        Some(duration)
    }

    /// Reads a time within `range`, which is said in the terms of whoever writes it.
    pub fn duration_within(&self, range: RangeInclusive<Duration>) -> Option<Duration> {
        let duration = self.any_duration()?;
        if duration >= *range.start() {
            return self.no_longer_than(duration, *range.end());
        }
        let least = match range.start().as_millis() {
            short @ ..1_000 => format!("{short}ms"),
            _ => format!("{}s", range.start().as_secs()),
        };
        self.refuse(format!("{} is too short; write at least `{least}`", self.shown()));
        None
    }

    /// Reads a size such as `32M` (millions of bytes), `64KiB` (1024s) or a plain count of bytes.
    pub fn size(&self, range: Range<u64>) -> Option<u64> {
        let text = self.text()?;
        let Ok(size) = text.value.parse::<bytesize::ByteSize>() else {
            self.refuse(format!(
                "{} is not a size; write one such as `32M`, `64KiB` or `65536`",
                self.shown()
            ));
            return None;
        };
        if range.contains(&size.as_u64()) {
            return Some(size.as_u64());
        }
        let (least, most) = (range.start, range.end - 1);
        self.refuse(format!("{} is out of range; write a size from {least} to {most} bytes", self.shown()));
        None
    }

    /// Reads an address to listen on: an IP address and a port.
    pub fn listen(&self) -> Option<SocketAddr> {
        let text = self.text()?;
        let address = text.value.parse::<SocketAddr>().ok();
        if address.is_none() {
            let remedy =
                "write an IP address and a port, such as `127.0.0.1:8317`, `0.0.0.0:8317` or `[::]:8317`";
            self.refuse(format!("{} is not an address to listen on; {remedy}", self.shown()));
        }
        address
    }

    /// Reads one of a few words.
    pub fn choice<T: Copy>(&self, what: &str, choices: &[(&str, T)]) -> Option<T> {
        let text = self.text()?;
        if let Some((_, choice)) = choices.iter().find(|(name, _)| *name == text.value) {
            return Some(*choice);
        }
        let names = choices.iter().map(|(name, _)| *name);
        self.refuse(format!("{} is not a known {what}; {}", self.shown(), text.advice(names)));
        None
    }
}

/// Reads what people mean by `5k` or `1M`, or by a number in quotes.
fn in_full(text: &str) -> Option<u64> {
    let (digits, times) = match text.as_bytes().last()?.to_ascii_lowercase() {
        b'k' => (&text[..text.len() - 1], 1_000),
        b'm' => (&text[..text.len() - 1], 1_000_000),
        _ => (text, 1),
    };
    digits.parse::<u64>().ok()?.checked_mul(times)
}

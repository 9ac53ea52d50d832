//! YAML as a tree in which every key and every value knows where it stands.
//!
//! Scalars keep the text as written, because a guess at their type would lose it (`007`, `1_000`, a key of 64
//! digits); what a value means is decided where it is read.

use crate::{
    error::Report,
    mask, shown,
    source::{Source, Span},
};
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};
use serde_saphyr::{
    DefaultMessageFormatter, Error, Location, MessageFormatter, NonFiniteFloatPolicy, Options, Spanned,
    options::DuplicateKeyPolicy,
};
use std::{fmt, ops::Range, sync::Arc};

/// The largest text that is parsed, in bytes.
pub const MAX_TEXT: usize = 1024 * 1024;

/// A value and its place.
#[derive(Clone, Debug)]
pub struct Node {
    /// The value.
    pub value: Value,
    /// Where it is used; for a YAML alias that is the alias, not the anchor.
    pub span: Span,
}

/// What a value is.
#[derive(Clone, Debug)]
pub enum Value {
    /// Text, number, boolean or nothing.
    Scalar(Scalar),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping, in the order of the text; keys are unique.
    Map(Vec<(Key, Node)>),
}

/// The key of a mapping.
#[derive(Clone, Debug)]
pub struct Key {
    /// Its text.
    pub text: String,
    /// Where it stands.
    pub span: Span,
}

/// A scalar before variables are filled in.
#[derive(Clone)]
pub struct Scalar {
    /// How YAML reads it.
    pub form: Form,
    /// Its text, unquoted and unescaped.
    pub text: String,
}

/// Shows the form only: the text may be a secret.
impl fmt::Debug for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Scalar").field(&self.form).finish()
    }
}

/// How YAML reads a scalar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Nothing, `~` or `null`.
    Null,
    /// `true` or `false`.
    Bool,
    /// A number.
    Number,
    /// Anything else, and everything quoted.
    Text,
}

impl Node {
    /// Tells what the value is, for messages.
    pub fn describe(&self) -> &'static str {
        match &self.value {
            Value::List(_) => "a list",
            Value::Map(_) => "a map of keys",
            Value::Scalar(Scalar { form: Form::Null, .. }) => "nothing",
            Value::Scalar(Scalar { form: Form::Bool, .. }) => "a boolean",
            Value::Scalar(Scalar { form: Form::Number, .. }) => "a number",
            Value::Scalar(Scalar { form: Form::Text, .. }) => "a text",
        }
    }

    /// Tells whether the key stands there without a value.
    pub fn is_null(&self) -> bool {
        matches!(&self.value, Value::Scalar(scalar) if scalar.form == Form::Null)
    }

    /// Gives the value of `key` in a mapping.
    pub fn get(&self, key: &str) -> Option<&(Key, Node)> {
        match &self.value {
            Value::Map(entries) => entries.iter().find(|(k, _)| k.text == key),
            _ => None,
        }
    }

    /// Makes a mapping without entries, at the start of `source`.
    pub fn empty_map(source: &Arc<Source>) -> Self {
        Self { value: Value::Map(Vec::new()), span: Span::new(source, 0..0) }
    }
}

/// Parses one YAML document. An empty text is an empty mapping.
///
/// # Errors
/// A report at the first place that is not YAML, has a key twice, or passes a limit on size, depth or aliases.
pub fn parse(source: &Arc<Source>) -> Result<Node, Report> {
    let node = parse_value(source, 0)?;
    Ok(if node.is_null() { Node::empty_map(source) } else { node })
}

/// Parses what follows the first `prefix` bytes of `source`; places refer to the whole text.
///
/// # Errors
/// As `parse`.
pub fn parse_value(source: &Arc<Source>, prefix: usize) -> Result<Node, Report> {
    if source.text().len() > MAX_TEXT {
        let message = format!("the text is longer than {MAX_TEXT} bytes; move keys into files of auths_dir");
        return Err(Report::at(&Span::new(source, 0..0), message));
    }
    let mut text = " ".repeat(prefix);
    text.push_str(source.text().get(prefix..).unwrap_or_default());
    match serde_saphyr::from_str_with_options::<Option<Spanned<Raw>>>(&text, options()) {
        Ok(None) => {
            let value = Value::Scalar(Scalar { form: Form::Null, text: String::new() });
            Ok(Node { value, span: Span::new(source, prefix..text.len()) })
        }
        Ok(Some(raw)) => {
            let mut secrets = Vec::new();
            let node = locate(raw, source, &text, false, &mut secrets);
            source.set_secrets(secrets);
            Ok(node)
        }
        Err(error) => Err(report(&error, source, &text)),
    }
}

/// Sets what the parser refuses by itself. Limits are far above any real configuration and far below harm.
fn options() -> Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_events: 200_000,
            max_nodes: 50_000,
            max_depth: 32,
            max_documents: 2,
            max_aliases: 1_000,
            max_anchors: 1_000,
            max_merge_keys: 1_000,
            max_total_scalar_bytes: 2 * MAX_TEXT,
        },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: 50_000 },
        duplicate_keys: DuplicateKeyPolicy::Error,
        strict_booleans: true,
        emit_comments: false,
        with_snippet: false,
        non_finite_float_policy: NonFiniteFloatPolicy::PassThrough,
    }
}

/// What serde sees; places are added by `Spanned` around it.
enum Raw {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<String>, Spanned<Raw>)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Raw, D::Error> {
        Raw::deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Raw, E> {
        Ok(Raw::Number(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Raw, E> {
        Ok(Raw::Number(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Raw, E> {
        Ok(Raw::Number(value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Raw, E> {
        Ok(Raw::Text(value.to_owned()))
    }

    fn visit_bytes<E: serde::de::Error>(self, _value: &[u8]) -> Result<Raw, E> {
        Err(E::custom("binary values are not used here; write text"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Raw::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = access.next_key::<Spanned<String>>()? {
            entries.push((key, access.next_value()?));
        }
        Ok(Raw::Map(entries))
    }
}

/// Turns serde's view into the tree, and notes where secrets stand.
fn locate(
    raw: Spanned<Raw>,
    source: &Arc<Source>,
    text: &str,
    secret: bool,
    secrets: &mut Vec<Range<usize>>,
) -> Node {
    let defined = byte_range(&raw.defined, text);
    let span = Span::new(source, byte_range(&raw.referenced, text));
    let written = |fallback: String| {
        let plain = text.get(defined.clone()).unwrap_or_default().trim();
        if plain.is_empty() || plain.len() > 4096 || plain.starts_with(['!', '&', '*']) {
            fallback
        } else {
            plain.to_owned()
        }
    };
    let value = match raw.value {
        Raw::Null => Value::Scalar(Scalar { form: Form::Null, text: String::new() }),
        Raw::Bool(value) => Value::Scalar(Scalar { form: Form::Bool, text: value.to_string() }),
        Raw::Number(number) => Value::Scalar(Scalar { form: Form::Number, text: written(number) }),
        Raw::Text(content) => Value::Scalar(Scalar { form: Form::Text, text: content }),
        Raw::List(items) => {
            Value::List(items.into_iter().map(|item| locate(item, source, text, secret, secrets)).collect())
        }
        Raw::Map(entries) => Value::Map(
            entries
                .into_iter()
                .map(|(key, value)| {
                    let key_span = Span::new(source, byte_range(&key.referenced, text));
                    let is_secret = secret
                        || mask::names_a_secret(&key.value)
                        || mask::is_no_digest(&key.value, raw_text(&value));
                    if key.value == "keys" {
                        note_stray_keys(&value, text, secrets);
                    }
                    let value = locate(value, source, text, is_secret, secrets);
                    (Key { text: key.value, span: key_span }, value)
                })
                .collect(),
        ),
    };
    if secret
        && let Value::Scalar(scalar) = &value
        && !mask::is_only_a_variable(&scalar.text)
    {
        secrets.push(between_quotes(defined, text));
    }
    Node { value, span }
}

/// Notes keys that stand where maps with keys in them should.
fn note_stray_keys(raw: &Spanned<Raw>, text: &str, secrets: &mut Vec<Range<usize>>) {
    match &raw.value {
        Raw::List(items) => items.iter().for_each(|item| note_stray_keys(item, text, secrets)),
        Raw::Map(_) | Raw::Null => {}
        Raw::Text(content) if mask::is_only_a_variable(content) => {}
        Raw::Bool(_) | Raw::Number(_) | Raw::Text(_) => {
            secrets.push(between_quotes(byte_range(&raw.defined, text), text));
        }
    }
}

/// Gives the text of a value that is one.
fn raw_text(raw: &Spanned<Raw>) -> &str {
    match &raw.value {
        Raw::Text(content) | Raw::Number(content) => content,
        _ => "",
    }
}

/// Leaves the quotes around a value, when it has some: what hides it stays a text.
fn between_quotes(range: Range<usize>, text: &str) -> Range<usize> {
    let written = text.get(range.clone()).unwrap_or_default();
    let quoted = ['"', '\'']
        .iter()
        .any(|&quote| written.len() > 1 && written.starts_with(quote) && written.ends_with(quote));
    if quoted { range.start + 1..range.end - 1 } else { range }
}

/// Gives the bytes that a parser's location covers.
fn byte_range(location: &Location, text: &str) -> Range<usize> {
    let span = location.span();
    let as_index = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
    if *location == Location::UNKNOWN {
        return 0..0;
    }
    if let (Some(start), Some(len)) = (span.byte_offset(), span.byte_len()) {
        return as_index(start)..as_index(start.saturating_add(len));
    }
    // Without byte positions the parser counts characters.
    let byte_of = |characters: u64| {
        text.char_indices().nth(as_index(characters)).map_or(text.len(), |(index, _)| index)
    };
    byte_of(span.offset())..byte_of(span.offset().saturating_add(span.len()))
}

/// Puts the parser's error into our form, in our words where we know better.
fn report(error: &Error, source: &Arc<Source>, text: &str) -> Report {
    let location = error.location().unwrap_or(Location::UNKNOWN);
    let mut range = byte_range(&location, text);
    if range.is_empty() {
        range.end = range.start.saturating_add(1);
    }
    let span = Span::new(source, range);
    let message = match error {
        Error::DuplicateMappingKey { key, .. } => {
            let key = key.as_deref().unwrap_or_else(|| span.text());
            format!("the key `{}` appears twice in the same map; remove one of the two", mask::shown(key))
        }
        Error::MultipleDocuments { .. } => {
            "a second document starts here; a configuration is one document without `---`".to_owned()
        }
        // YAML takes them for the use of an anchor.
        _ if source.text()[span.start..].starts_with(shown::HIDDEN) => shown::HIDDEN_MESSAGE.to_owned(),
        other => {
            let text = DefaultMessageFormatter.format_message(other);
            format!("this is not valid YAML: {}", mask::mask_line(&text))
        }
    };
    Report::at(&span, message)
}

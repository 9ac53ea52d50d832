//! The most that a request lets the model say.

use serde::{
    Deserialize,
    de::{Deserializer, IgnoredAny, MapAccess, Visitor},
};
use serde_json::value::RawValue;
use std::fmt;

/// The fields of all dialects; none of them means two things. Of one that is given several times, the largest counts: it
/// is not known which of them the provider goes by.
#[derive(Default)]
pub(super) struct Asked {
    pub(super) max_tokens: Option<u64>,
    pub(super) max_completion_tokens: Option<u64>,
    pub(super) max_output: Option<u64>,
    pub(super) n: Option<u64>,
    pub(super) background: bool,
    candidates: Option<u64>,
    pub(super) generation_max_output: Option<u64>,
    pub(super) generation_candidates: Option<u64>,
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum Name {
    MaxTokens,
    MaxCompletionTokens,
    #[serde(alias = "maxOutputTokens")]
    MaxOutputTokens,
    N,
    Background,
    #[serde(alias = "candidateCount")]
    CandidateCount,
    #[serde(alias = "generationConfig")]
    GenerationConfig,
    #[serde(other)]
    Other,
}

impl<'de> Deserialize<'de> for Asked {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Fields)
    }
}

struct Fields;

impl<'de> Visitor<'de> for Fields {
    type Value = Asked;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a request")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut fields: M) -> Result<Asked, M::Error> {
        let mut asked = Asked::default();
        while let Some(name) = fields.next_key()? {
            let kept = match name {
                Name::MaxTokens => &mut asked.max_tokens,
                Name::MaxCompletionTokens => &mut asked.max_completion_tokens,
                Name::MaxOutputTokens => &mut asked.max_output,
                Name::N => &mut asked.n,
                Name::CandidateCount => &mut asked.candidates,
                Name::Background => {
                    let value: &RawValue = fields.next_value()?;
                    asked.background |= value.get() == "true";
                    continue;
                }
                Name::GenerationConfig => {
                    let inner: &RawValue = fields.next_value()?;
                    let inner: Asked = serde_json::from_str(inner.get()).unwrap_or_default();
                    asked.generation_max_output = asked.generation_max_output.max(inner.max_output);
                    asked.generation_candidates = asked.generation_candidates.max(inner.candidates);
                    continue;
                }
                Name::Other => {
                    fields.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            *kept = (*kept).max(count(fields.next_value()?));
        }
        Ok(asked)
    }
}

/// Reads a count, be it within quotes as some servers take it. What is none is for the provider to complain of.
fn count(value: &RawValue) -> Option<u64> {
    let number: f64 = value.get().trim_matches('"').parse().ok()?;
    (number >= 0.0).then_some(number as u64)
}

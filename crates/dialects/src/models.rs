//! Model lists in the asking client's dialect.

use bytes::Bytes;
use cliproxy_domain::{Dialect, WallTime};
use serde::Serialize;
use std::borrow::Cow;

/// A model that clients may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModelEntry<'a> {
    /// What clients put into `model`.
    pub id: &'a str,
    /// Who serves it; shown to OpenAI clients as `owned_by`.
    pub owner: &'a str,
    /// Since when it is known, in Unix seconds.
    pub created: i64,
}

/// Writes the answer to `GET …/models`: one page that holds all of `entries`.
pub fn list(dialect: Dialect, entries: &[ModelEntry<'_>]) -> Bytes {
    match dialect {
        Dialect::OpenAiChat | Dialect::OpenAiResponses => {
            crate::json::to_bytes(&OpenAiList { object: "list", data: entries.iter().map(openai).collect() })
        }
        Dialect::Anthropic => crate::json::to_bytes(&AnthropicPage {
            data: entries.iter().map(anthropic).collect(),
            has_more: false,
            first_id: entries.first().map(|entry| entry.id),
            last_id: entries.last().map(|entry| entry.id),
        }),
        Dialect::Gemini => {
            crate::json::to_bytes(&GeminiPage { models: entries.iter().map(gemini).collect() })
        }
    }
}

/// Writes the answer to `GET …/models/{id}`.
pub fn one(dialect: Dialect, entry: &ModelEntry<'_>) -> Bytes {
    match dialect {
        Dialect::OpenAiChat | Dialect::OpenAiResponses => crate::json::to_bytes(&openai(entry)),
        Dialect::Anthropic => crate::json::to_bytes(&anthropic(entry)),
        Dialect::Gemini => crate::json::to_bytes(&gemini(entry)),
    }
}

#[derive(Serialize)]
struct OpenAiList<'a> {
    object: &'static str,
    data: Vec<OpenAiModel<'a>>,
}

#[derive(Serialize)]
struct OpenAiModel<'a> {
    id: &'a str,
    object: &'static str,
    created: i64,
    owned_by: &'a str,
}

fn openai<'a>(entry: &ModelEntry<'a>) -> OpenAiModel<'a> {
    OpenAiModel { id: entry.id, object: "model", created: entry.created, owned_by: entry.owner }
}

#[derive(Serialize)]
struct AnthropicPage<'a> {
    data: Vec<AnthropicModel<'a>>,
    has_more: bool,
    first_id: Option<&'a str>,
    last_id: Option<&'a str>,
}

#[derive(Serialize)]
struct AnthropicModel<'a> {
    r#type: &'static str,
    id: &'a str,
    display_name: &'a str,
    created_at: WallTime,
}

fn anthropic<'a>(entry: &ModelEntry<'a>) -> AnthropicModel<'a> {
    AnthropicModel {
        r#type: "model",
        id: entry.id,
        display_name: entry.id,
        created_at: WallTime(entry.created.saturating_mul(1000)),
    }
}

#[derive(Serialize)]
struct GeminiPage<'a> {
    models: Vec<GeminiModel<'a>>,
}

/// Token limits and sampling ranges are left out: nobody told us, and the API's type has them optional.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct GeminiModel<'a> {
    name: Cow<'a, str>,
    base_model_id: &'a str,
    version: &'static str,
    display_name: &'a str,
    supported_generation_methods: &'static [&'static str],
}

fn gemini<'a>(entry: &ModelEntry<'a>) -> GeminiModel<'a> {
    GeminiModel {
        name: gemini_name(entry.id),
        base_model_id: entry.id,
        version: "001",
        display_name: entry.id,
        supported_generation_methods: &["generateContent", "countTokens"],
    }
}

/// Gives the resource name; an id that is one already stays as it is.
fn gemini_name(id: &str) -> Cow<'_, str> {
    if id.starts_with("models/") || id.starts_with("tunedModels/") {
        Cow::Borrowed(id)
    } else {
        Cow::Owned(format!("models/{id}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENTRIES: [ModelEntry<'_>; 2] = [
        ModelEntry { id: "fast", owner: "openai", created: 1_786_000_000 },
        ModelEntry { id: "org/\"odd\"", owner: "local", created: 0 },
    ];

    #[test]
    fn openai_clients_get_a_list_of_model_objects() {
        let body = list(Dialect::OpenAiChat, &ENTRIES);
        assert_eq!(
            body,
            r#"{"object":"list","data":[{"id":"fast","object":"model","created":1786000000,"owned_by":"openai"},{"id":"org/\"odd\"","object":"model","created":0,"owned_by":"local"}]}"#
        );
    }

    #[test]
    fn anthropic_clients_get_one_page_with_its_first_and_last_id() {
        let body = list(Dialect::Anthropic, &ENTRIES[..1]);
        assert_eq!(
            body,
            r#"{"data":[{"type":"model","id":"fast","display_name":"fast","created_at":"2026-08-06T07:06:40Z"}],"has_more":false,"first_id":"fast","last_id":"fast"}"#
        );
        assert_eq!(
            list(Dialect::Anthropic, &[]),
            r#"{"data":[],"has_more":false,"first_id":null,"last_id":null}"#
        );
    }

    #[test]
    fn gemini_clients_get_resource_names() {
        let body = list(Dialect::Gemini, &ENTRIES[..1]);
        assert_eq!(
            body,
            r#"{"models":[{"name":"models/fast","baseModelId":"fast","version":"001","displayName":"fast","supportedGenerationMethods":["generateContent","countTokens"]}]}"#
        );
    }

    #[test]
    fn a_gemini_name_is_not_prefixed_twice() {
        assert_eq!(gemini_name("models/x"), "models/x");
        assert_eq!(gemini_name("tunedModels/x"), "tunedModels/x");
    }

    #[test]
    fn one_model_has_the_shape_of_a_list_element() {
        for dialect in [Dialect::OpenAiChat, Dialect::OpenAiResponses, Dialect::Anthropic, Dialect::Gemini] {
            let one = one(dialect, &ENTRIES[0]);
            let list = list(dialect, &ENTRIES);
            let one = std::str::from_utf8(&one).expect("UTF-8");
            assert!(std::str::from_utf8(&list).expect("UTF-8").contains(one), "{dialect:?}");
        }
    }

    #[test]
    fn an_absurd_creation_time_does_not_panic() {
        one(Dialect::Anthropic, &ModelEntry { id: "x", owner: "y", created: i64::MAX });
        one(Dialect::Anthropic, &ModelEntry { id: "x", owner: "y", created: i64::MIN });
    }
}

//! The client APIs, each with a request for a model, and how its answers are read.

use serde_json::Value;

/// An API that generates text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Api {
    Chat,
    Responses,
    Messages,
    Gemini,
}

impl Api {
    pub const ALL: [Api; 4] = [Api::Chat, Api::Responses, Api::Messages, Api::Gemini];

    /// The kind of the providers that speak it.
    pub fn kind(self) -> &'static str {
        match self {
            Api::Chat | Api::Responses => "openai",
            Api::Messages => "anthropic",
            Api::Gemini => "gemini",
        }
    }

    /// A path and body that ask `model` for an answer, or a stream.
    pub fn request(self, model: &str, stream: bool) -> (String, String) {
        match self {
            Api::Chat => {
                // Without being asked for it, this API's streams report no usage.
                let usage = if stream { r#""stream_options":{"include_usage":true},"# } else { "" };
                (
                    "/v1/chat/completions".into(),
                    format!(
                        r#"{{"model":"{model}","stream":{stream},{usage}"messages":[{{"role":"user","content":"hi"}}]}}"#
                    ),
                )
            }
            Api::Responses => {
                ("/v1/responses".into(), format!(r#"{{"model":"{model}","stream":{stream},"input":"hi"}}"#))
            }
            Api::Messages => (
                "/v1/messages".into(),
                format!(
                    r#"{{"model":"{model}","stream":{stream},"max_tokens":64,"messages":[{{"role":"user","content":"hi"}}]}}"#
                ),
            ),
            Api::Gemini => {
                let verb = if stream { "streamGenerateContent?alt=sse" } else { "generateContent" };
                (
                    format!("/v1beta/models/{model}:{verb}"),
                    r#"{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}"#.into(),
                )
            }
        }
    }

    /// The words of an error object of this API that say what kind of error it is, and its message. Panics when
    /// the object is not in the API's shape.
    pub fn error(self, value: &Value) -> (String, String) {
        let error = &value["error"];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        match self {
            Api::Chat | Api::Responses => {
                let error = error.as_object().unwrap_or_else(|| panic!("no OpenAI error: {value}"));
                for field in ["message", "type", "param", "code"] {
                    assert!(error.contains_key(field), "no {field}: {value}");
                }
                (text(&value["error"]["type"]), text(&value["error"]["message"]))
            }
            Api::Messages => {
                assert_eq!(value["type"], "error", "no Anthropic error: {value}");
                assert!(value["request_id"].is_string(), "no Anthropic error: {value}");
                (text(&error["type"]), text(&error["message"]))
            }
            Api::Gemini => {
                assert!(error["code"].is_u64(), "no Gemini error: {value}");
                (text(&error["status"]), text(&error["message"]))
            }
        }
    }
}

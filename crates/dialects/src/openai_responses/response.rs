//! The response object of answers that are written for clients.

use crate::{form::Tier, json::Object, translate::ReplyContext};
use cliproxy_domain::TokenUsage;
use serde_json::{Map, Value, value::RawValue};
use std::{borrow::Cow, collections::BTreeMap};

/// What the moment says of a response; all else is the request's.
#[derive(Default)]
pub(super) struct Moment<'m> {
    pub(super) created: i64,
    pub(super) status: &'static str,
    /// Why it is not whole.
    pub(super) incomplete: Option<&'static str>,
    /// The items, as JSON with commas between them.
    pub(super) output: &'m str,
    pub(super) usage: Option<TokenUsage>,
    pub(super) tier: Option<&'m Tier>,
}

/// Fields of the request that are repeated, each with what is said of it where the request says nothing.
const ECHO: [(&str, &str); 18] = [
    ("background", "false"),
    ("instructions", "null"),
    ("max_output_tokens", "null"),
    ("max_tool_calls", "null"),
    ("metadata", "{}"),
    ("parallel_tool_calls", "true"),
    ("previous_response_id", "null"),
    ("prompt_cache_key", "null"),
    ("reasoning", r#"{"effort":null,"summary":null}"#),
    ("safety_identifier", "null"),
    ("temperature", "null"),
    ("text", r#"{"format":{"type":"text"}}"#),
    ("tool_choice", r#""auto""#),
    ("tools", "[]"),
    ("top_logprobs", "0"),
    ("top_p", "null"),
    ("truncation", r#""disabled""#),
    ("user", "null"),
];

/// Gives the fields of a client's request that its answer repeats; none when the body is no JSON object. The
/// conversation itself is passed over unread.
pub(crate) fn echo(body: &[u8]) -> Map<String, Value> {
    let fields: BTreeMap<Cow<'_, str>, &RawValue> = serde_json::from_slice(body).unwrap_or_default();
    let names = ECHO.iter().map(|(name, _)| *name).chain(["service_tier"]);
    let repeated = names.filter_map(|name| {
        let value = serde_json::from_str(fields.get(name)?.get()).ok()?;
        Some((name.to_owned(), value))
    });
    repeated.collect()
}

/// Writes the response object as the field `key` of an event.
pub(super) fn within(event: &mut Object<'_>, key: &str, context: &ReplyContext, moment: &Moment<'_>) {
    write(&mut event.object(key), context, moment);
}

/// Writes the fields of the response object.
pub(super) fn write(object: &mut Object<'_>, context: &ReplyContext, moment: &Moment<'_>) {
    object.field("id", &context.ids.answer(context.client)).field("object", "response");
    object.field("created_at", &moment.created).field("status", moment.status);
    object.raw("error", "null");
    match moment.incomplete {
        Some(reason) => _ = object.object("incomplete_details").field("reason", reason),
        None => _ = object.raw("incomplete_details", "null"),
    }
    object.field("model", &context.model);
    object.raw("output", &format!("[{}]", moment.output));
    for (name, default) in ECHO {
        match context.echo.get(name).filter(|value| !value.is_null()) {
            Some(value) => object.field(name, value),
            None => object.raw(name, default),
        };
    }
    match moment.tier {
        Some(tier) => object.field("service_tier", tier_name(tier)),
        None => object.field("service_tier", context.echo.get("service_tier").unwrap_or(&Value::Null)),
    };
    match &moment.usage {
        Some(usage) => write_usage(&mut object.object("usage"), usage),
        None => _ = object.raw("usage", "null"),
    }
}

fn tier_name(tier: &Tier) -> &str {
    match tier {
        Tier::Auto => "auto",
        Tier::Standard => "default",
        Tier::Flex => "flex",
        Tier::Priority => "priority",
        Tier::Fast => "fast",
        Tier::Other(name) => name,
    }
}

fn write_usage(object: &mut Object<'_>, usage: &TokenUsage) {
    object.field("input_tokens", &usage.input);
    object
        .object("input_tokens_details")
        .field("cached_tokens", &usage.cache_read)
        .field("cache_write_tokens", &usage.cache_write);
    object.field("output_tokens", &usage.output);
    object.object("output_tokens_details").field("reasoning_tokens", &usage.reasoning);
    object.field("total_tokens", &usage.input.saturating_add(usage.output));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{fixtures, openai_responses::testing::context, usage::Counts};
    use cliproxy_domain::Dialect;
    use serde_json::json;

    fn written(context: &ReplyContext, moment: &Moment<'_>) -> Value {
        let mut out = Vec::new();
        write(&mut Object::new(&mut out), context, moment);
        serde_json::from_slice(&out).unwrap()
    }

    #[test]
    fn usage_is_spelled_as_the_golden_table_says() {
        let golden: Value = serde_json::from_slice(&fixtures::read("golden/usage.json")).unwrap();
        for case in golden["cases"].as_array().unwrap() {
            let spelled = &case["openai-responses"];
            let counts = Counts::read(Dialect::OpenAiResponses, &spelled.to_string()).unwrap();
            let usage = counts.total(Dialect::OpenAiResponses, TokenUsage::default());
            let response =
                written(&context(Dialect::Anthropic), &Moment { usage: Some(usage), ..Moment::default() });
            assert_eq!(&response["usage"], spelled, "{}", case["name"]);
        }
    }

    #[test]
    fn what_the_type_requires_is_there_even_when_the_request_said_nothing() {
        let response =
            written(&context(Dialect::Gemini), &Moment { status: "completed", ..Moment::default() });
        for name in ["parallel_tool_calls", "tool_choice", "tools"] {
            assert!(!response[name].is_null(), "{name}");
        }
        assert_eq!(response["usage"], Value::Null);
        assert_eq!(response.get("output_text"), None, "the SDK computes it");
    }

    #[test]
    fn the_request_is_repeated() {
        let mut context = context(Dialect::Gemini);
        let request = json!({
            "tools": [{"type": "custom", "name": "f"}], "temperature": 0.2, "input": "no", "store": true,
            "service_tier": "flex", "instructions": null
        });
        context.echo = echo(request.to_string().as_bytes());
        let response = written(&context, &Moment::default());
        assert_eq!((&response["tools"][0]["name"], &response["temperature"]), (&json!("f"), &json!(0.2)));
        assert_eq!((&response["service_tier"], &response["instructions"]), (&json!("flex"), &Value::Null));
        assert_eq!((response.get("input"), response.get("store")), (None, None), "nothing is stored here");
    }
}

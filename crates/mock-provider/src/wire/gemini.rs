//! Gemini `generateContent`, its streams in both forms, and its token counts.

mod stream;

pub(crate) use self::stream::{Framing, Stream};
use super::{
    BadRequest, required,
    signature::{On, call_content, sign},
    tools::{Choice, Tool, ToolTalk, content_text, text_of},
};
use crate::{
    answer::{Answer, Ask, Block, Thoughts},
    rope::{Rope, RopeWriter},
    script::Finish,
};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, value::RawValue};
use std::fmt::Write as _;

#[derive(Deserialize)]
struct Request<'a> {
    #[serde(borrow)]
    contents: Option<&'a RawValue>,
    #[serde(borrow)]
    tools: Option<&'a RawValue>,
    #[serde(rename = "toolConfig", alias = "tool_config")]
    tool_config: Option<Value>,
    #[serde(rename = "generationConfig", alias = "generation_config")]
    generation: Option<Value>,
}

#[derive(Deserialize)]
struct CountRequest<'a> {
    #[serde(borrow)]
    contents: Option<&'a RawValue>,
    #[serde(borrow, rename = "generateContentRequest", alias = "generate_content_request")]
    full: Option<&'a RawValue>,
}

/// Reads a request for an answer; model and streaming are in its path.
pub(crate) fn read(body: &[u8], model: &str, stream: bool) -> Result<Ask, BadRequest> {
    let request: Request<'_> = serde_json::from_slice(body)?;
    let contents = required(request.contents, "contents")?;
    let talk = |tools| tool_talk(tools, request.tool_config.as_ref(), contents);
    let generation = request.generation.unwrap_or_default();
    let schema = field(&generation, "responseJsonSchema", "response_json_schema")
        .or_else(|| field(&generation, "responseSchema", "response_schema"));
    Ok(Ask {
        model: model.to_owned(),
        stream,
        include_usage: false,
        tools: request.tools.map(talk).transpose()?,
        thoughts: thoughts(&generation),
        schema: schema.cloned(),
    })
}

fn thoughts(generation: &Value) -> Thoughts {
    let Some(config) = field(generation, "thinkingConfig", "thinking_config") else {
        return Thoughts::Hidden;
    };
    let budget = field(config, "thinkingBudget", "thinking_budget").and_then(Value::as_i64);
    let shown = field(config, "includeThoughts", "include_thoughts").and_then(Value::as_bool);
    match (budget, shown) {
        (Some(0), _) => Thoughts::Off,
        (_, Some(true)) => Thoughts::Shown,
        _ => Thoughts::Hidden,
    }
}

/// Reads a request for a count.
pub(crate) fn read_count(body: &[u8], model: &str) -> Result<Ask, BadRequest> {
    let request: CountRequest<'_> = serde_json::from_slice(body)?;
    required(request.contents.or(request.full), "contents")?;
    Ok(Ask { model: model.to_owned(), ..Ask::default() })
}

fn tool_talk(tools: &RawValue, config: Option<&Value>, contents: &RawValue) -> Result<ToolTalk, BadRequest> {
    let tools: Vec<Value> = serde_json::from_str(tools.get())?;
    let contents: Value = serde_json::from_str(contents.get())?;
    // A single content is taken for a list of one, as the API does.
    let contents = match &contents {
        Value::Array(contents) => contents.as_slice(),
        one => std::slice::from_ref(one),
    };
    let declared =
        tools.iter().filter_map(|tool| field(tool, "functionDeclarations", "function_declarations"));
    let declared = declared.filter_map(Value::as_array).flatten().map(|function| Tool {
        name: text_of(function, "name").to_owned(),
        schema: field(function, "parametersJsonSchema", "parameters_json_schema")
            .or_else(|| function.get("parameters"))
            .cloned()
            .unwrap_or_default(),
    });
    let user = contents.iter().rev().find(|content| text_of(content, "role") != "model");
    let is_result = |part: &Value| field(part, "functionResponse", "function_response").is_some();
    let has_result = |content: &Value| {
        content.get("parts").and_then(Value::as_array).is_some_and(|parts| parts.iter().any(is_result))
    };
    Ok(ToolTalk {
        tools: declared.collect(),
        choice: choice(config),
        has_result: contents.iter().any(has_result),
        result_is_last: user.is_some_and(has_result),
        last_user_text: user.and_then(|user| user.get("parts")).map(content_text).unwrap_or_default(),
    })
}

fn choice(config: Option<&Value>) -> Choice {
    let calling = config.and_then(|config| field(config, "functionCallingConfig", "function_calling_config"));
    let Some(calling) = calling else { return Choice::Auto };
    let allowed = field(calling, "allowedFunctionNames", "allowed_function_names");
    let first = allowed.and_then(Value::as_array).and_then(|names| names.first()).and_then(Value::as_str);
    match (text_of(calling, "mode").to_ascii_uppercase().as_str(), first) {
        ("ANY", Some(name)) => Choice::Named(name.to_owned()),
        ("ANY", None) => Choice::Required,
        ("NONE", _) => Choice::None,
        _ => Choice::Auto,
    }
}

/// Reads a field in either of the spellings that the API takes.
pub(crate) fn field<'a>(value: &'a Value, camel: &str, snake: &str) -> Option<&'a Value> {
    value.get(camel).or_else(|| value.get(snake))
}

/// Writes the answer to `:countTokens`.
pub(crate) fn count(tokens: u64) -> Bytes {
    let details = format!(r#"[{{"modality":"TEXT","tokenCount":{tokens}}}]"#);
    format!(r#"{{"totalTokens":{tokens},"promptTokensDetails":{details}}}"#).into()
}

/// Writes the answer in one piece.
pub(crate) fn whole(answer: &Answer) -> Rope {
    let mut out = RopeWriter::new(512 + answer.room());
    out.raw(HEAD);
    let mut separator = "";
    for (index, block) in answer.blocks.iter().enumerate() {
        match block {
            Block::Thought { shown: false, .. } | Block::Refusal(_) => continue,
            Block::Thought { text, .. } => {
                out.raw(separator).raw(r#"{"text":""#).piece(text.whole()).raw(r#"","thought":true}"#);
            }
            Block::Text(text) => {
                out.raw(separator).raw(r#"{"text":""#).piece(text.whole()).raw("\"");
                // The last text of an answer that was thought about is signed.
                if answer.thinks() && index + 1 == answer.blocks.len() {
                    signed(&mut out, &sign(On::Text, ""));
                }
                out.raw("}");
            }
            Block::Call { .. } => {
                out.raw(separator);
                call(&mut out, answer, index);
            }
        }
        separator = ",";
    }
    tail(&mut out, answer, answer.usage.output_tokens, true);
    out.finish()
}

/// How the ids of calls begin.
pub(crate) const CALL_ID: &str = "fc-";

/// Everything of a response before its parts.
const HEAD: &str = r#"{"candidates":[{"content":{"role":"model","parts":["#;

fn signed(out: &mut RopeWriter, signature: &str) {
    out.raw(r#","thoughtSignature":""#).raw(signature).raw("\"");
}

/// Writes a call; the first one of an answer is signed, as current models do.
fn call(out: &mut RopeWriter, answer: &Answer, index: usize) {
    let Some(Block::Call { name, arguments }) = answer.blocks.get(index) else { return };
    let _ = write!(out, r#"{{"functionCall":{{"id":"{CALL_ID}{:016x}","name":""#, answer.block_id(index));
    out.escaped(name).raw(r#"","args":"#).raw(arguments.as_str()).raw("}");
    let before = answer.blocks.iter().take(index);
    if !before.into_iter().any(|block| matches!(block, Block::Call { .. })) {
        let arguments: Value = serde_json::from_str(arguments.as_str()).unwrap_or_default();
        signed(out, &sign(On::Call, &call_content(name, &arguments)));
    }
    out.raw("}");
}

fn finish_reason(answer: &Answer) -> &'static str {
    match answer.finish {
        Some(Finish::Length) => "MAX_TOKENS",
        Some(Finish::ContentFilter) => "SAFETY",
        None if answer.refuses() => "SAFETY",
        None => "STOP",
    }
}

/// Writes everything of a response after its parts; `output` is the running total.
fn tail(out: &mut RopeWriter, answer: &Answer, output: u64, last: bool) {
    out.raw(r#"]},"index":0"#);
    if last {
        let _ = write!(out, r#","finishReason":"{}""#, finish_reason(answer));
    }
    let (input, details) = (answer.usage.input_tokens, answer.details);
    let thought = details.reasoning_tokens.min(output);
    let (said, total) = (output - thought, input.saturating_add(output));
    let _ = write!(
        out,
        r#"}}],"usageMetadata":{{"promptTokenCount":{input},"candidatesTokenCount":{said},"totalTokenCount":{total},"#
    );
    if thought > 0 {
        let _ = write!(out, r#""thoughtsTokenCount":{thought},"#);
    }
    if details.cached_tokens > 0 {
        let _ = write!(out, r#""cachedContentTokenCount":{},"#, details.cached_tokens);
    }
    let _ = write!(out, r#""promptTokensDetails":[{{"modality":"TEXT","tokenCount":{input}}}]}},"#);
    out.raw(r#""modelVersion":""#).escaped(&answer.model);
    let _ = write!(out, r#"","responseId":"mock-{:016x}"}}"#, answer.id);
}

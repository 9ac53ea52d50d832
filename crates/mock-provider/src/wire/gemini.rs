//! Gemini `generateContent`, its streams in both forms, and its token counts.

use super::{
    BadRequest, Stage, Transcript, error, required,
    tools::{Choice, ToolTalk, content_text, text_of},
};
use crate::{
    answer::{Answer, Ask, Content, Tool},
    rope::{Rope, RopeWriter},
    script::{ErrorKind, Family},
};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, value::RawValue};
use std::fmt::Write as _;

/// Stands on the function calls, as current models send one: the base64 of `mock-signature`.
const SIGNATURE: &str = "bW9jay1zaWduYXR1cmU=";

#[derive(Deserialize)]
struct Request<'a> {
    #[serde(borrow)]
    contents: Option<&'a RawValue>,
    #[serde(borrow)]
    tools: Option<&'a RawValue>,
    #[serde(rename = "toolConfig", alias = "tool_config")]
    tool_config: Option<Value>,
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
    let tool = match request.tools {
        Some(tools) => tool_talk(tools, request.tool_config.as_ref(), contents)?.decide(),
        None => None,
    };
    Ok(Ask { model: model.to_owned(), stream, include_usage: false, tool })
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
pub(super) fn field<'a>(value: &'a Value, camel: &str, snake: &str) -> Option<&'a Value> {
    value.get(camel).or_else(|| value.get(snake))
}

/// Writes the answer to `:countTokens`.
pub(crate) fn count(tokens: u64) -> Bytes {
    let details = format!(r#"[{{"modality":"TEXT","tokenCount":{tokens}}}]"#);
    format!(r#"{{"totalTokens":{tokens},"promptTokensDetails":{details}}}"#).into()
}

/// Writes the answer in one piece.
pub(crate) fn whole(answer: &Answer) -> Rope {
    let mut out = RopeWriter::new(512 + answer.content.text().as_str().len());
    out.raw(HEAD);
    match &answer.content {
        Content::Text(text) => out.raw(r#"{"text":""#).piece(text.whole()).raw("\"}"),
        Content::ToolCall { name, arguments } => call(&mut out, answer.id, name, arguments.as_str()),
    };
    tail(&mut out, answer, answer.usage.output_tokens, true);
    out.finish()
}

/// Everything of a response before its part.
const HEAD: &str = r#"{"candidates":[{"content":{"role":"model","parts":["#;

fn call<'a>(out: &'a mut RopeWriter, id: u64, name: &str, arguments: &str) -> &'a mut RopeWriter {
    let _ = write!(out, r#"{{"functionCall":{{"id":"fc-{id:016x}","name":""#);
    out.escaped(name).raw(r#"","args":"#).raw(arguments);
    out.raw(r#"},"thoughtSignature":""#).raw(SIGNATURE).raw("\"}")
}

/// Writes everything of a response after its part; `output` is the running total.
fn tail(out: &mut RopeWriter, answer: &Answer, output: u64, last: bool) {
    out.raw(r#"]},"index":0"#);
    if last {
        out.raw(r#","finishReason":"STOP""#);
    }
    let input = answer.usage.input_tokens;
    let total = input.saturating_add(output);
    let _ = write!(
        out,
        r#"}}],"usageMetadata":{{"promptTokenCount":{input},"candidatesTokenCount":{output},"totalTokenCount":{total},"#
    );
    let _ = write!(out, r#""promptTokensDetails":[{{"modality":"TEXT","tokenCount":{input}}}]}},"#);
    out.raw(r#""modelVersion":""#).escaped(&answer.model);
    let _ = write!(out, r#"","responseId":"mock-{:016x}"}}"#, answer.id);
}

/// How a stream is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// `alt=sse`.
    Sse,
    /// One JSON array.
    Array,
}

/// The events of a stream: a token each, the last one with the finish; a call comes whole.
pub(crate) struct Stream {
    answer: Answer,
    framing: Framing,
}

impl Stream {
    /// Starts the events of `answer`.
    pub(crate) fn new(answer: Answer, framing: Framing) -> Self {
        Self { answer, framing }
    }

    fn frame(&self, number: u64, last: bool, write: impl FnOnce(&mut RopeWriter)) -> Rope {
        let mut out = RopeWriter::new(448);
        match (self.framing, number) {
            (Framing::Sse, _) => out.raw("data: "),
            (Framing::Array, 0) => out.raw("["),
            (Framing::Array, _) => out.raw("\r\n,"),
        };
        write(&mut out);
        match self.framing {
            Framing::Sse => out.raw("\r\n\r\n"),
            Framing::Array => out.raw(if last { "\r\n]" } else { "" }),
        };
        out.finish()
    }

    /// Counts the output up to and with event `number`, so that the last one has the reported total.
    fn running(&self, number: u64) -> u64 {
        if number + 1 >= self.tokens() {
            return self.answer.usage.output_tokens;
        }
        self.answer.usage.output_tokens.min(number + 1)
    }
}

impl Transcript for Stream {
    fn answer(&self) -> &Answer {
        &self.answer
    }

    fn opening(&self) -> u64 {
        0
    }

    /// A call is one event, and the finish comes in another one with an empty text.
    fn closing(&self) -> u64 {
        u64::from(matches!(self.answer.content, Content::ToolCall { .. }))
    }

    fn tokens(&self) -> u64 {
        match &self.answer.content {
            Content::Text(text) => text.tokens(),
            Content::ToolCall { .. } => 1,
        }
    }

    fn event(&mut self, number: u64) -> Rope {
        let last = number + 1 == self.len();
        self.frame(number, last, |out| {
            out.raw(HEAD);
            match (&self.answer.content, self.stage(number)) {
                (Content::ToolCall { name, arguments }, Stage::Token(_)) => {
                    call(out, self.answer.id, name, arguments.as_str())
                }
                (Content::ToolCall { .. }, _) => out.raw(r#"{"text":""}"#),
                (Content::Text(text), _) => out.raw(r#"{"text":""#).piece(text.token(number)).raw("\"}"),
            };
            tail(out, &self.answer, self.running(number), last);
        })
    }

    fn failure(&mut self, number: u64, kind: ErrorKind) -> Rope {
        let body = error::body(Family::Gemini, kind, None, &self.answer.model, 0);
        self.frame(number, true, |out| {
            out.raw(&body);
        })
    }

    fn broken(&mut self, number: u64) -> Rope {
        self.frame(number, true, |out| {
            out.raw(HEAD);
        })
    }
}

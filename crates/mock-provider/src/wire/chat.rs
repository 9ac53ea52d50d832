//! OpenAI Chat Completions.

use super::{
    BadRequest, CREATED, Stage, Transcript, error, required,
    tools::{Choice, ToolTalk, content_text, text_of},
};
use crate::{
    answer::{Answer, Ask, Content, Tool},
    rope::{Rope, RopeWriter},
    script::{ErrorKind, Family, Usage},
};
use serde::Deserialize;
use serde_json::{Value, value::RawValue};
use std::{borrow::Cow, fmt::Write as _};

#[derive(Deserialize)]
struct Request<'a> {
    #[serde(borrow)]
    model: Option<Cow<'a, str>>,
    #[serde(default)]
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
    #[serde(borrow)]
    messages: Option<&'a RawValue>,
    #[serde(borrow)]
    tools: Option<&'a RawValue>,
    tool_choice: Option<Value>,
}

#[derive(Deserialize)]
struct StreamOptions {
    include_usage: Option<bool>,
}

/// Reads a request.
pub(crate) fn read(body: &[u8]) -> Result<Ask, BadRequest> {
    let request: Request<'_> = serde_json::from_slice(body)?;
    let messages = required(request.messages, "messages")?;
    let model = required(request.model, "model")?.into_owned();
    let tool = match request.tools {
        Some(tools) => tool_talk(tools, request.tool_choice, messages)?.decide(),
        None => None,
    };
    Ok(Ask {
        model,
        stream: request.stream.unwrap_or(false),
        include_usage: request.stream_options.and_then(|options| options.include_usage).unwrap_or(false),
        tool,
    })
}

fn tool_talk(tools: &RawValue, choice: Option<Value>, messages: &RawValue) -> Result<ToolTalk, BadRequest> {
    let tools: Vec<Value> = serde_json::from_str(tools.get())?;
    let messages: Vec<Value> = serde_json::from_str(messages.get())?;
    let declared = tools.iter().filter_map(|tool| tool.get("function")).map(|function| Tool {
        name: text_of(function, "name").to_owned(),
        schema: function.get("parameters").cloned().unwrap_or_default(),
    });
    let user = messages.iter().rev().find(|message| text_of(message, "role") == "user");
    Ok(ToolTalk {
        tools: declared.collect(),
        choice: choice_of(choice.as_ref()),
        has_result: messages.iter().any(|message| text_of(message, "role") == "tool"),
        last_user_text: user.and_then(|user| user.get("content")).map(content_text).unwrap_or_default(),
    })
}

/// Reads `tool_choice` as Chat Completions (nested name) and Responses (flat name) spell it.
pub(super) fn choice_of(choice: Option<&Value>) -> Choice {
    match choice {
        Some(Value::String(word)) if word == "none" => Choice::None,
        Some(Value::String(word)) if word == "required" => Choice::Required,
        Some(Value::Object(object)) => {
            let name = object.get("function").and_then(|function| function.get("name"));
            match name.or_else(|| object.get("name")).and_then(Value::as_str) {
                Some(name) => Choice::Named(name.to_owned()),
                None => Choice::Auto,
            }
        }
        _ => Choice::Auto,
    }
}

/// Writes the answer in one piece.
pub(crate) fn whole(answer: &Answer) -> Rope {
    let mut out = RopeWriter::new(768 + answer.content.text().as_str().len());
    head(&mut out, answer, "chat.completion");
    out.raw(r#""choices":[{"index":0,"message":{"role":"assistant","content":"#);
    match &answer.content {
        Content::Text(text) => {
            out.raw("\"").piece(text.whole()).raw(r#"","refusal":null,"annotations":[]}"#);
            out.raw(r#","logprobs":null,"finish_reason":"stop"}],"usage":"#);
        }
        Content::ToolCall { name, arguments } => {
            out.raw(r#"null,"tool_calls":["#);
            call_head(&mut out, answer.id, name, false);
            out.piece(arguments.whole()).raw(r#""}}],"refusal":null,"annotations":[]}"#);
            out.raw(r#","logprobs":null,"finish_reason":"tool_calls"}],"usage":"#);
        }
    }
    usage(&mut out, answer.usage);
    out.raw("}");
    out.finish()
}

/// Writes everything before `choices`.
fn head(out: &mut RopeWriter, answer: &Answer, object: &str) {
    let _ = write!(out, r#"{{"id":"chatcmpl-{:016x}","object":"{object}","created":{CREATED},"#, answer.id);
    out.raw(r#""model":""#).escaped(&answer.model);
    out.raw(r#"","service_tier":"default","system_fingerprint":"fp_mock","#);
}

/// Writes a call up to the inside of its arguments.
fn call_head(out: &mut RopeWriter, id: u64, name: &str, streamed: bool) {
    out.raw(if streamed { r#"{"index":0,"# } else { "{" });
    let _ = write!(out, r#""id":"call_{id:016x}","type":"function","function":{{"name":""#);
    out.escaped(name).raw(r#"","arguments":""#);
}

fn usage(out: &mut RopeWriter, usage: Usage) {
    let Usage { input_tokens, output_tokens } = usage;
    let total = input_tokens.saturating_add(output_tokens);
    let _ = write!(
        out,
        r#"{{"prompt_tokens":{input_tokens},"completion_tokens":{output_tokens},"total_tokens":{total},"#
    );
    out.raw(r#""prompt_tokens_details":{"cached_tokens":0,"cache_write_tokens":0,"audio_tokens":0},"#);
    out.raw(r#""completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,"#);
    out.raw(r#""accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}"#);
}

/// The events of a stream. Everything that repeats is rendered once.
pub(crate) struct Stream {
    answer: Answer,
    /// `data: {…"choices":[`, the start of each event.
    start: String,
    /// The end of each event that is not the usage event's.
    end: &'static str,
}

impl Stream {
    /// Starts the events of `answer`.
    pub(crate) fn new(answer: Answer) -> Self {
        let mut out = RopeWriter::new(256);
        out.raw("data: ");
        head(&mut out, &answer, "chat.completion.chunk");
        out.raw(r#""choices":["#);
        let start = out.finish().into_bytes().unwrap_or_default();
        let start = String::from_utf8_lossy(&start).into_owned();
        let end = if answer.include_usage { "],\"usage\":null}\n\n" } else { "]}\n\n" };
        Self { answer, start, end }
    }

    fn chunk(&self, size: usize, write: impl FnOnce(&mut RopeWriter)) -> Rope {
        let mut out = RopeWriter::new(self.start.len() + self.end.len() + size);
        out.raw(&self.start);
        write(&mut out);
        out.raw(self.end);
        out.finish()
    }

    fn first(&self) -> Rope {
        self.chunk(256, |out| {
            out.raw(r#"{"index":0,"delta":{"role":"assistant","content":"#);
            match &self.answer.content {
                Content::Text(_) => out.raw(r#""","#),
                Content::ToolCall { name, .. } => {
                    out.raw(r#"null,"tool_calls":["#);
                    call_head(out, self.answer.id, name, true);
                    out.raw(r#""}}],"#)
                }
            };
            out.raw(r#""refusal":null},"logprobs":null,"finish_reason":null}"#);
        })
    }

    fn token(&self, number: u64) -> Rope {
        self.chunk(128 + self.answer.content.text().token(number).room(), |out| {
            match &self.answer.content {
                Content::Text(text) => {
                    out.raw(r#"{"index":0,"delta":{"content":""#).piece(text.token(number)).raw(r#""}"#)
                }
                Content::ToolCall { arguments, .. } => out
                    .raw(r#"{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":""#)
                    .piece(arguments.token(number))
                    .raw(r#""}}]}"#),
            };
            out.raw(r#","logprobs":null,"finish_reason":null}"#);
        })
    }

    fn finish(&self) -> Rope {
        self.chunk(128, |out| {
            let reason = match self.answer.content {
                Content::Text(_) => "stop",
                Content::ToolCall { .. } => "tool_calls",
            };
            let _ = write!(out, r#"{{"index":0,"delta":{{}},"logprobs":null,"finish_reason":"{reason}"}}"#);
        })
    }

    fn usage(&self) -> Rope {
        let mut out = RopeWriter::new(self.start.len() + 320);
        out.raw(&self.start).raw("],\"usage\":");
        usage(&mut out, self.answer.usage);
        out.raw("}\n\n");
        out.finish()
    }
}

impl Transcript for Stream {
    fn answer(&self) -> &Answer {
        &self.answer
    }

    fn opening(&self) -> u64 {
        1
    }

    fn closing(&self) -> u64 {
        if self.answer.include_usage { 3 } else { 2 }
    }

    fn event(&mut self, number: u64) -> Rope {
        match self.stage(number) {
            Stage::Opening(_) => self.first(),
            Stage::Token(token) => self.token(token),
            Stage::Closing(0) => self.finish(),
            Stage::Closing(1) if self.answer.include_usage => self.usage(),
            Stage::Closing(_) => bytes::Bytes::from_static(b"data: [DONE]\n\n").into(),
        }
    }

    fn failure(&mut self, _: u64, kind: ErrorKind) -> Rope {
        let body = error::body(Family::OpenAi, kind, None, &self.answer.model, 0);
        bytes::Bytes::from(format!("data: {body}\n\ndata: [DONE]\n\n")).into()
    }

    fn broken(&mut self, _: u64) -> Rope {
        bytes::Bytes::from(format!("{}{{\"index\":0,\n\n", self.start)).into()
    }
}

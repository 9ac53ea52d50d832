//! Anthropic Messages, and its token counts.

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
use std::{borrow::Cow, fmt::Write as _};

/// The parts of usage that an answer without a cache never fills.
const USAGE_REST: &str = concat!(
    r#","cache_creation_input_tokens":0,"cache_read_input_tokens":0,"#,
    r#""cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0},"#,
    r#""service_tier":"standard","inference_geo":"global"}"#,
);

#[derive(Deserialize)]
struct Request<'a> {
    #[serde(borrow)]
    model: Option<Cow<'a, str>>,
    stream: Option<bool>,
    max_tokens: Option<u64>,
    #[serde(borrow)]
    messages: Option<&'a RawValue>,
    #[serde(borrow)]
    tools: Option<&'a RawValue>,
    tool_choice: Option<Value>,
}

/// Reads a request for an answer, or for a count of its tokens, which needs no `max_tokens`.
pub(crate) fn read(body: &[u8], count_only: bool) -> Result<Ask, BadRequest> {
    let request: Request<'_> = serde_json::from_slice(body)?;
    let messages = required(request.messages, "messages")?;
    if !count_only {
        required(request.max_tokens, "max_tokens")?;
    }
    let tool = match request.tools {
        Some(tools) if !count_only => tool_talk(tools, request.tool_choice.as_ref(), messages)?.decide(),
        _ => None,
    };
    Ok(Ask {
        model: required(request.model, "model")?.into_owned(),
        stream: request.stream.unwrap_or(false),
        include_usage: false,
        tool,
    })
}

fn tool_talk(tools: &RawValue, choice: Option<&Value>, messages: &RawValue) -> Result<ToolTalk, BadRequest> {
    let tools: Vec<Value> = serde_json::from_str(tools.get())?;
    let messages: Vec<Value> = serde_json::from_str(messages.get())?;
    // Server tools have a dated type and no schema; they are not called here.
    let declared = tools.iter().filter(|tool| tool.get("input_schema").is_some()).map(|tool| Tool {
        name: text_of(tool, "name").to_owned(),
        schema: tool.get("input_schema").cloned().unwrap_or_default(),
    });
    let user = messages.iter().rev().find(|message| text_of(message, "role") == "user");
    let is_result = |part: &Value| text_of(part, "type") == "tool_result";
    let has_result = |message: &Value| {
        message.get("content").and_then(Value::as_array).is_some_and(|parts| parts.iter().any(is_result))
    };
    Ok(ToolTalk {
        tools: declared.collect(),
        choice: match choice.map(|choice| (text_of(choice, "type"), text_of(choice, "name"))) {
            Some(("any", _)) => Choice::Required,
            Some(("tool", name)) => Choice::Named(name.to_owned()),
            Some(("none", _)) => Choice::None,
            _ => Choice::Auto,
        },
        has_result: messages.iter().any(has_result),
        last_user_text: user.and_then(|user| user.get("content")).map(content_text).unwrap_or_default(),
    })
}

/// Writes the answer to `/v1/messages/count_tokens`.
pub(crate) fn count(tokens: u64) -> Bytes {
    format!(r#"{{"input_tokens":{}}}"#, tokens).into()
}

/// Writes the answer in one piece.
pub(crate) fn whole(answer: &Answer) -> Rope {
    let mut out = RopeWriter::new(640 + answer.content.text().as_str().len());
    head(&mut out, answer);
    match &answer.content {
        Content::Text(text) => {
            out.raw(r#"{"type":"text","text":""#).piece(text.whole()).raw("\"}");
        }
        Content::ToolCall { name, arguments } => {
            let _ = write!(out, r#"{{"type":"tool_use","id":"toolu_{:016x}","name":""#, answer.id);
            out.escaped(name).raw(r#"","input":"#).raw(arguments.as_str()).raw("}");
        }
    }
    let _ = write!(out, r#"],"stop_reason":"{}","stop_sequence":null,"#, stop_reason(answer));
    out.raw(r#""stop_details":null,"usage":"#);
    usage(&mut out, answer, answer.usage.output_tokens);
    out.raw("}");
    out.finish()
}

/// Writes a message up to the inside of its content.
fn head(out: &mut RopeWriter, answer: &Answer) {
    let _ = write!(out, r#"{{"id":"msg_{:016x}","type":"message","role":"assistant","#, answer.id);
    out.raw(r#""model":""#).escaped(&answer.model).raw(r#"","content":["#);
}

fn usage(out: &mut RopeWriter, answer: &Answer, output_tokens: u64) {
    let input_tokens = answer.usage.input_tokens;
    let _ = write!(out, r#"{{"input_tokens":{input_tokens},"output_tokens":{output_tokens}"#);
    out.raw(USAGE_REST);
}

fn stop_reason(answer: &Answer) -> &'static str {
    match answer.content {
        Content::Text(_) => "end_turn",
        Content::ToolCall { .. } => "tool_use",
    }
}

/// The events of a stream.
pub(crate) struct Stream {
    answer: Answer,
}

impl Stream {
    /// Starts the events of `answer`.
    pub(crate) fn new(answer: Answer) -> Self {
        Self { answer }
    }

    fn start(&self) -> Rope {
        let mut out = RopeWriter::new(576);
        out.raw("event: message_start\ndata: {\"type\":\"message_start\",\"message\":");
        head(&mut out, &self.answer);
        out.raw(r#"],"stop_reason":null,"stop_sequence":null,"stop_details":null,"usage":"#);
        usage(&mut out, &self.answer, 1);
        out.raw("}}\n\n");
        out.finish()
    }

    fn block_start(&self) -> Rope {
        let mut out = RopeWriter::new(192);
        out.raw("event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,");
        match &self.answer.content {
            Content::Text(_) => out.raw(r#""content_block":{"type":"text","text":""}}"#),
            Content::ToolCall { name, .. } => {
                let id = self.answer.id;
                let _ = write!(out, r#""content_block":{{"type":"tool_use","id":"toolu_{id:016x}","name":""#);
                out.escaped(name).raw(r#"","input":{}}}"#)
            }
        };
        out.raw("\n\n");
        out.finish()
    }

    fn token(&self, number: u64) -> Rope {
        let token = self.answer.content.text().token(number);
        let mut out = RopeWriter::new(160 + token.room());
        out.raw("event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,");
        out.raw(match self.answer.content {
            Content::Text(_) => r#""delta":{"type":"text_delta","text":""#,
            Content::ToolCall { .. } => r#""delta":{"type":"input_json_delta","partial_json":""#,
        });
        out.piece(token).raw("\"}}\n\n");
        out.finish()
    }

    fn message_delta(&self) -> Rope {
        let mut out = RopeWriter::new(256);
        out.raw("event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":");
        let _ = write!(out, r#"{{"stop_reason":"{}","stop_sequence":null,"#, stop_reason(&self.answer));
        let output = self.answer.usage.output_tokens;
        let _ = write!(out, r#""stop_details":null}},"usage":{{"output_tokens":{output}}}}}"#);
        out.raw("\n\n");
        out.finish()
    }
}

fn fixed(event: &'static str) -> Rope {
    Bytes::from_static(event.as_bytes()).into()
}

impl Transcript for Stream {
    fn answer(&self) -> &Answer {
        &self.answer
    }

    fn opening(&self) -> u64 {
        3
    }

    fn closing(&self) -> u64 {
        3
    }

    fn event(&mut self, number: u64) -> Rope {
        match self.stage(number) {
            Stage::Opening(0) => self.start(),
            Stage::Opening(1) => self.block_start(),
            Stage::Opening(_) => fixed("event: ping\ndata: {\"type\":\"ping\"}\n\n"),
            Stage::Token(token) => self.token(token),
            Stage::Closing(0) => {
                fixed("event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n")
            }
            Stage::Closing(1) => self.message_delta(),
            Stage::Closing(_) => fixed("event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"),
        }
    }

    fn failure(&mut self, _: u64, kind: ErrorKind) -> Rope {
        let body = error::body(Family::Anthropic, kind, None, &self.answer.model, self.answer.id);
        Bytes::from(format!("event: error\ndata: {body}\n\n")).into()
    }

    fn broken(&mut self, _: u64) -> Rope {
        fixed("event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":\n\n")
    }
}

//! OpenAI Responses, and its count of input tokens.

use super::{
    BadRequest, CREATED, Stage, Transcript, chat, error, required,
    tools::{ToolTalk, content_text, text_of},
};
use crate::{
    answer::{Answer, Ask, Content, Tool},
    rope::{Rope, RopeWriter},
    script::{ErrorKind, Family, Usage},
};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, value::RawValue};
use std::{borrow::Cow, fmt::Write as _};

/// The fields of a response object that say nothing, from `error` on.
const DEFAULTS: &str = concat!(
    r#""incomplete_details":null,"instructions":null,"max_output_tokens":null,"max_tool_calls":null,"#,
    r#""metadata":{},"parallel_tool_calls":true,"previous_response_id":null,"prompt_cache_key":null,"#,
    r#""reasoning":{"effort":"none","summary":null},"safety_identifier":null,"service_tier":"default","#,
    r#""temperature":1.0,"text":{"format":{"type":"text"},"verbosity":"medium"},"tool_choice":"auto","#,
    r#""tools":[],"top_logprobs":0,"top_p":1.0,"truncation":"disabled","user":null,"background":false,"#,
);

#[derive(Deserialize)]
struct Request<'a> {
    #[serde(borrow)]
    model: Option<Cow<'a, str>>,
    stream: Option<bool>,
    #[serde(borrow)]
    input: Option<&'a RawValue>,
    #[serde(borrow)]
    tools: Option<&'a RawValue>,
    tool_choice: Option<Value>,
}

/// Reads a request.
pub(crate) fn read(body: &[u8]) -> Result<Ask, BadRequest> {
    let request: Request<'_> = serde_json::from_slice(body)?;
    let input = required(request.input, "input")?;
    let tool = match request.tools {
        Some(tools) => tool_talk(tools, request.tool_choice, input)?.decide(),
        None => None,
    };
    Ok(Ask {
        model: required(request.model, "model")?.into_owned(),
        stream: request.stream.unwrap_or(false),
        include_usage: false,
        tool,
    })
}

fn tool_talk(tools: &RawValue, choice: Option<Value>, input: &RawValue) -> Result<ToolTalk, BadRequest> {
    let tools: Vec<Value> = serde_json::from_str(tools.get())?;
    let input: Value = serde_json::from_str(input.get())?;
    let functions = tools.iter().filter(|tool| text_of(tool, "type") == "function").map(|tool| Tool {
        name: text_of(tool, "name").to_owned(),
        schema: tool.get("parameters").cloned().unwrap_or_default(),
    });
    let items = input.as_array().map_or(&[][..], Vec::as_slice);
    let user = items.iter().rev().find(|item| text_of(item, "role") == "user");
    let last_user_text = match user.and_then(|user| user.get("content")) {
        Some(content) => content_text(content),
        None => input.as_str().unwrap_or_default().to_owned(),
    };
    Ok(ToolTalk {
        tools: functions.collect(),
        choice: chat::choice_of(choice.as_ref()),
        has_result: items.iter().any(|item| text_of(item, "type") == "function_call_output"),
        last_user_text,
    })
}

/// Writes the answer to `/v1/responses/input_tokens`.
pub(crate) fn count(tokens: u64) -> Bytes {
    format!(r#"{{"object":"response.input_tokens","input_tokens":{}}}"#, tokens).into()
}

/// Writes the answer in one piece.
pub(crate) fn whole(answer: &Answer) -> Rope {
    let mut out = RopeWriter::new(1_536 + answer.content.text().as_str().len());
    response(&mut out, answer, Status::Completed);
    out.finish()
}

#[derive(Clone, Copy)]
enum Status {
    InProgress,
    Completed,
    Failed(ErrorKind),
}

/// Writes the whole response object.
fn response(out: &mut RopeWriter, answer: &Answer, status: Status) {
    let _ = write!(out, r#"{{"id":"resp_{:016x}","object":"response","created_at":{CREATED},"#, answer.id);
    match status {
        Status::InProgress => out.raw(r#""status":"in_progress","error":null,"#),
        Status::Completed => {
            out.raw(r#""status":"completed","error":null,"completed_at":"#).number(CREATED).raw(",")
        }
        Status::Failed(kind) => {
            let what = error::spelling(Family::OpenAi, kind);
            let code = what.code.unwrap_or(what.kind);
            out.raw(r#""status":"failed","error":{"code":""#).raw(code).raw(r#"","message":""#);
            out.escaped(&error::message(Family::OpenAi, kind, &answer.model)).raw(r#""},"#)
        }
    };
    out.raw(DEFAULTS).raw(r#""model":""#).escaped(&answer.model).raw(r#"","output":["#);
    if let Status::Completed = status {
        item(out, answer, true);
        out.raw(r#"],"usage":"#);
        usage(out, answer.usage);
        out.raw("}");
    } else {
        out.raw(r#"],"usage":null}"#);
    }
}

/// Writes the one output item: as it is announced, or as it ends.
fn item(out: &mut RopeWriter, answer: &Answer, done: bool) {
    let (id, status) = (answer.id, if done { "completed" } else { "in_progress" });
    match &answer.content {
        Content::Text(_) => {
            let _ = write!(out, r#"{{"type":"message","id":"msg_{id:016x}","status":"{status}","#);
            out.raw(r#""role":"assistant","content":["#);
            if done {
                part(out, answer, true);
            }
            out.raw("]}");
        }
        Content::ToolCall { name, arguments } => {
            let _ =
                write!(out, r#"{{"type":"function_call","id":"fc_{id:016x}","call_id":"call_{id:016x}","#);
            out.raw(r#""name":""#).escaped(name).raw(r#"","arguments":""#);
            if done {
                out.piece(arguments.whole());
            }
            let _ = write!(out, r#"","status":"{status}"}}"#);
        }
    }
}

/// Writes the one content part of a message.
fn part(out: &mut RopeWriter, answer: &Answer, done: bool) {
    out.raw(r#"{"type":"output_text","text":""#);
    if done {
        out.piece(answer.content.text().whole());
    }
    out.raw(r#"","annotations":[],"logprobs":[]}"#);
}

fn usage(out: &mut RopeWriter, usage: Usage) {
    let Usage { input_tokens, output_tokens } = usage;
    let total = input_tokens.saturating_add(output_tokens);
    let _ = write!(
        out,
        concat!(
            r#"{{"input_tokens":{},"input_tokens_details":{{"cached_tokens":0,"cache_write_tokens":0}},"#,
            r#""output_tokens":{},"output_tokens_details":{{"reasoning_tokens":0}},"total_tokens":{}}}"#,
        ),
        input_tokens, output_tokens, total
    );
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

    fn is_text(&self) -> bool {
        matches!(self.answer.content, Content::Text(_))
    }

    /// Writes one event; `write` adds what stands after the sequence number.
    fn frame(&self, number: u64, name: &str, write: impl FnOnce(&mut RopeWriter, &Answer)) -> Rope {
        let mut out = RopeWriter::new(320);
        let _ = write!(out, "event: {name}\ndata: {{\"type\":\"{name}\",\"sequence_number\":{number},");
        write(&mut out, &self.answer);
        out.raw("}\n\n");
        out.finish()
    }

    fn opening_event(&self, number: u64) -> Rope {
        match number {
            0 => self.response_event(number, "response.created", Status::InProgress),
            1 => self.response_event(number, "response.in_progress", Status::InProgress),
            2 => self.frame(number, "response.output_item.added", |out, answer| {
                out.raw(r#""output_index":0,"item":"#);
                item(out, answer, false);
            }),
            _ => self.part_event(number, "response.content_part.added", false),
        }
    }

    fn token_event(&self, number: u64, token: u64) -> Rope {
        if self.is_text() {
            return self.frame(number, "response.output_text.delta", |out, answer| {
                place(out, answer);
                out.raw(r#","delta":""#).piece(answer.content.text().token(token));
                out.raw(r#"","logprobs":[]"#);
            });
        }
        self.frame(number, "response.function_call_arguments.delta", |out, answer| {
            place(out, answer);
            out.raw(r#","delta":""#).piece(answer.content.text().token(token)).raw("\"");
        })
    }

    fn closing_event(&self, number: u64, closing: u64) -> Rope {
        match (self.is_text(), closing) {
            (true, 0) => self.frame(number, "response.output_text.done", |out, answer| {
                place(out, answer);
                out.raw(r#","text":""#).piece(answer.content.text().whole()).raw(r#"","logprobs":[]"#);
            }),
            (true, 1) => self.part_event(number, "response.content_part.done", true),
            (false, 0) => self.frame(number, "response.function_call_arguments.done", |out, answer| {
                place(out, answer);
                out.raw(r#","arguments":""#).piece(answer.content.text().whole()).raw("\"");
            }),
            (true, 2) | (false, 1) => self.frame(number, "response.output_item.done", |out, answer| {
                out.raw(r#""output_index":0,"item":"#);
                item(out, answer, true);
            }),
            _ => self.response_event(number, "response.completed", Status::Completed),
        }
    }

    fn response_event(&self, number: u64, name: &str, status: Status) -> Rope {
        self.frame(number, name, |out, answer| {
            out.raw(r#""response":"#);
            response(out, answer, status);
        })
    }

    fn part_event(&self, number: u64, name: &str, done: bool) -> Rope {
        self.frame(number, name, |out, answer| {
            place(out, answer);
            out.raw(r#","part":"#);
            part(out, answer, done);
        })
    }
}

/// Writes where an event of the item's content belongs.
fn place(out: &mut RopeWriter, answer: &Answer) {
    let _ = match answer.content {
        Content::Text(_) => {
            write!(out, r#""item_id":"msg_{:016x}","output_index":0,"content_index":0"#, answer.id)
        }
        Content::ToolCall { .. } => write!(out, r#""item_id":"fc_{:016x}","output_index":0"#, answer.id),
    };
}

impl Transcript for Stream {
    fn answer(&self) -> &Answer {
        &self.answer
    }

    fn opening(&self) -> u64 {
        if self.is_text() { 4 } else { 3 }
    }

    fn closing(&self) -> u64 {
        if self.is_text() { 4 } else { 3 }
    }

    fn event(&mut self, number: u64) -> Rope {
        match self.stage(number) {
            Stage::Opening(_) => self.opening_event(number),
            Stage::Token(token) => self.token_event(number, token),
            Stage::Closing(closing) => self.closing_event(number, closing),
        }
    }

    fn failure(&mut self, number: u64, kind: ErrorKind) -> Rope {
        if matches!(kind, ErrorKind::ServerError | ErrorKind::Overloaded) {
            return self.response_event(number, "response.failed", Status::Failed(kind));
        }
        let what = error::spelling(Family::OpenAi, kind);
        self.frame(number, "error", |out, answer| {
            out.raw(r#""code":""#).raw(what.code.unwrap_or(what.kind)).raw(r#"","message":""#);
            out.escaped(&error::message(Family::OpenAi, kind, &answer.model)).raw(r#"","param":null"#);
        })
    }

    fn broken(&mut self, number: u64) -> Rope {
        let name = "response.output_text.delta";
        let event = format!("event: {name}\ndata: {{\"type\":\"{name}\",\"sequence_number\":{number},\n\n");
        Bytes::from(event).into()
    }
}

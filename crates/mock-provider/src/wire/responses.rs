//! OpenAI Responses, and its count of input tokens.

mod item;
mod stream;

pub(crate) use self::stream::Stream;
use super::{
    BadRequest, CREATED, chat, error, required,
    tools::{Tool, ToolTalk, content_text, text_of},
};
use crate::{
    answer::{Answer, Ask, Thoughts},
    rope::{Rope, RopeWriter},
    script::{ErrorKind, Family, Finish},
};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, value::RawValue};
use std::{borrow::Cow, fmt::Write as _};

/// The fields of a response object that say nothing, from `instructions` on.
const DEFAULTS: &str = concat!(
    r#""instructions":null,"max_output_tokens":null,"max_tool_calls":null,"#,
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
    reasoning: Option<Value>,
    text: Option<Value>,
}

/// Reads a request.
pub(crate) fn read(body: &[u8]) -> Result<Ask, BadRequest> {
    let request: Request<'_> = serde_json::from_slice(body)?;
    let input = required(request.input, "input")?;
    let tools = request.tools.map(|tools| tool_talk(tools, request.tool_choice, input)).transpose()?;
    let format = request.text.as_ref().and_then(|text| text.get("format"));
    Ok(Ask {
        model: required(request.model, "model")?.into_owned(),
        stream: request.stream.unwrap_or(false),
        include_usage: false,
        tools,
        thoughts: thoughts(request.reasoning.as_ref()),
        schema: format.and_then(|format| format.get("schema")).cloned(),
    })
}

fn thoughts(reasoning: Option<&Value>) -> Thoughts {
    match reasoning.map(|reasoning| (text_of(reasoning, "effort"), text_of(reasoning, "summary"))) {
        Some(("none", _)) => Thoughts::Off,
        Some((_, "")) | None => Thoughts::Hidden,
        Some(_) => Thoughts::Shown,
    }
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
    let is_result = |item: &Value| text_of(item, "type") == "function_call_output";
    let by_model = |item: &&Value| {
        text_of(item, "role") == "assistant"
            || matches!(text_of(item, "type"), "function_call" | "custom_tool_call" | "reasoning")
    };
    Ok(ToolTalk {
        tools: functions.collect(),
        choice: chat::choice_of(choice.as_ref()),
        has_result: items.iter().any(is_result),
        result_is_last: items.iter().rev().take_while(|item| !by_model(item)).any(is_result),
        last_user_text,
    })
}

/// Writes the answer to `/v1/responses/input_tokens`.
pub(crate) fn count(tokens: u64) -> Bytes {
    format!(r#"{{"object":"response.input_tokens","input_tokens":{tokens}}}"#).into()
}

/// Writes the answer in one piece.
pub(crate) fn whole(answer: &Answer) -> Rope {
    let mut out = RopeWriter::new(1_536 + answer.room());
    response(&mut out, answer, Status::Done);
    out.finish()
}

#[derive(Clone, Copy)]
enum Status {
    InProgress,
    Done,
    Failed(ErrorKind),
}

/// Tells why an answer is incomplete, if it is.
fn incomplete(answer: &Answer) -> Option<&'static str> {
    answer.finish.map(|finish| match finish {
        Finish::Length => "max_output_tokens",
        Finish::ContentFilter => "content_filter",
    })
}

/// Writes the whole response object.
fn response(out: &mut RopeWriter, answer: &Answer, status: Status) {
    let _ = write!(out, r#"{{"id":"resp_{:016x}","object":"response","created_at":{CREATED},"#, answer.id);
    match (status, incomplete(answer)) {
        (Status::Failed(kind), _) => {
            let what = error::spelling(Family::OpenAi, kind);
            let code = what.code.unwrap_or(what.kind);
            out.raw(r#""status":"failed","error":{"code":""#).raw(code).raw(r#"","message":""#);
            out.escaped(&error::message(Family::OpenAi, kind, &answer.model));
            out.raw(r#""},"incomplete_details":null,"#);
        }
        (Status::Done, Some(reason)) => {
            out.raw(r#""status":"incomplete","error":null,"incomplete_details":{"reason":""#).raw(reason);
            out.raw(r#""},"#);
        }
        (Status::Done, None) => {
            out.raw(r#""status":"completed","error":null,"completed_at":"#).number(CREATED);
            out.raw(r#","incomplete_details":null,"#);
        }
        (Status::InProgress, _) => {
            out.raw(r#""status":"in_progress","error":null,"incomplete_details":null,"#);
        }
    }
    out.raw(DEFAULTS).raw(r#""model":""#).escaped(&answer.model).raw(r#"","output":["#);
    if let Status::Done = status {
        for index in 0..answer.blocks.len() {
            out.raw(if index > 0 { "," } else { "" });
            item::write(out, answer, index, true);
        }
        out.raw(r#"],"usage":"#);
        usage(out, answer);
        out.raw("}");
    } else {
        out.raw(r#"],"usage":null}"#);
    }
}

fn usage(out: &mut RopeWriter, answer: &Answer) {
    let (usage, details) = (answer.usage, answer.details);
    let (input, output) = (usage.input_tokens, usage.output_tokens);
    let _ = write!(
        out,
        r#"{{"input_tokens":{input},"input_tokens_details":{{"cached_tokens":{},"cache_write_tokens":{}}},"#,
        details.cached_tokens, details.cache_write_tokens,
    );
    let _ = write!(
        out,
        r#""output_tokens":{output},"output_tokens_details":{{"reasoning_tokens":{}}},"total_tokens":{}}}"#,
        details.reasoning_tokens,
        input.saturating_add(output)
    );
}

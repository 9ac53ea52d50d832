//! Anthropic Messages, and its token counts.

mod stream;

pub(crate) use self::stream::Stream;
use super::{
    BadRequest, required,
    signature::{On, sign},
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
use std::{borrow::Cow, fmt::Write as _};

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
    thinking: Option<Value>,
    output_config: Option<Value>,
}

/// Reads a request for an answer, or for a count of its tokens, which needs no `max_tokens`.
pub(crate) fn read(body: &[u8], count_only: bool) -> Result<Ask, BadRequest> {
    let request: Request<'_> = serde_json::from_slice(body)?;
    let messages = required(request.messages, "messages")?;
    if !count_only {
        required(request.max_tokens, "max_tokens")?;
    }
    let talk = |tools| tool_talk(tools, request.tool_choice.as_ref(), messages);
    let tools = request.tools.filter(|_| !count_only).map(talk).transpose()?;
    let format = request.output_config.as_ref().and_then(|config| config.get("format"));
    Ok(Ask {
        model: required(request.model, "model")?.into_owned(),
        stream: request.stream.unwrap_or(false),
        include_usage: false,
        tools,
        thoughts: thoughts(request.thinking.as_ref()),
        schema: format.and_then(|format| format.get("schema")).cloned(),
    })
}

fn thoughts(thinking: Option<&Value>) -> Thoughts {
    match thinking.map(|thinking| (text_of(thinking, "type"), text_of(thinking, "display"))) {
        Some(("enabled" | "adaptive", "omitted")) => Thoughts::Hidden,
        Some(("enabled" | "adaptive", _)) => Thoughts::Shown,
        _ => Thoughts::Off,
    }
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
        result_is_last: user.is_some_and(has_result),
        last_user_text: user.and_then(|user| user.get("content")).map(content_text).unwrap_or_default(),
    })
}

/// Writes the answer to `/v1/messages/count_tokens`.
pub(crate) fn count(tokens: u64) -> Bytes {
    format!(r#"{{"input_tokens":{tokens}}}"#).into()
}

/// Writes the answer in one piece.
pub(crate) fn whole(answer: &Answer) -> Rope {
    let mut out = RopeWriter::new(640 + answer.room());
    head(&mut out, answer);
    for (index, block) in answer.blocks.iter().enumerate() {
        if index > 0 {
            out.raw(",");
        }
        match block {
            Block::Text(text) | Block::Refusal(text) => {
                out.raw(r#"{"type":"text","text":""#).piece(text.whole()).raw("\"}");
            }
            Block::Call { name, arguments } => {
                call_head(&mut out, answer, index, name);
                out.raw(arguments.as_str()).raw("}");
            }
            Block::Thought { text, shown } => {
                let shown = if *shown { text.as_str() } else { "" };
                out.raw(r#"{"type":"thinking","thinking":""#).escaped(shown);
                out.raw(r#"","signature":""#).raw(&sign(On::Thinking, shown)).raw("\"}");
            }
        }
    }
    out.raw("],");
    stop(&mut out, answer);
    out.raw(r#","usage":"#);
    usage(&mut out, answer, answer.usage.output_tokens);
    out.raw("}");
    out.finish()
}

/// Writes a message up to the inside of its content.
fn head(out: &mut RopeWriter, answer: &Answer) {
    let _ = write!(out, r#"{{"id":"msg_{:016x}","type":"message","role":"assistant","#, answer.id);
    out.raw(r#""model":""#).escaped(&answer.model).raw(r#"","content":["#);
}

/// Writes a call up to its input. The id of a call that was thought about says so, so that the thought can be
/// missed when the call comes back.
fn call_head(out: &mut RopeWriter, answer: &Answer, index: usize, name: &str) {
    let mark = if answer.thinks() { THOUGHT_CALL } else { "toolu_" };
    let _ = write!(out, r#"{{"type":"tool_use","id":"{mark}{:016x}","name":""#, answer.block_id(index));
    out.escaped(name).raw(r#"","input":"#);
}

/// How the ids of calls begin that follow a thinking block.
pub(crate) const THOUGHT_CALL: &str = "toolu_thought_";

/// Writes why the answer ends.
fn stop(out: &mut RopeWriter, answer: &Answer) {
    let reason = match answer.finish {
        Some(Finish::Length) => "max_tokens",
        Some(Finish::ContentFilter) => "refusal",
        None if answer.refuses() => "refusal",
        None if answer.calls() => "tool_use",
        None => "end_turn",
    };
    let _ = write!(out, r#""stop_reason":"{reason}","stop_sequence":null,"stop_details":"#);
    out.raw(match reason {
        "refusal" => r#"{"type":"refusal","category":null,"explanation":null}"#,
        _ => "null",
    });
}

fn usage(out: &mut RopeWriter, answer: &Answer, output_tokens: u64) {
    let details = answer.details;
    let (cached, written) = (details.cached_tokens, details.cache_write_tokens);
    let fresh = answer.usage.input_tokens.saturating_sub(cached.saturating_add(written));
    let _ = write!(out, r#"{{"input_tokens":{fresh},"output_tokens":{output_tokens},"#);
    let _ = write!(out, r#""cache_creation_input_tokens":{written},"cache_read_input_tokens":{cached},"#);
    let _ = write!(
        out,
        r#""cache_creation":{{"ephemeral_5m_input_tokens":{written},"ephemeral_1h_input_tokens":0}},"#
    );
    if details.reasoning_tokens > 0 {
        let _ = write!(out, r#""output_tokens_details":{{"thinking_tokens":{}}},"#, details.reasoning_tokens);
    }
    out.raw(r#""service_tier":"standard","inference_geo":"global"}"#);
}

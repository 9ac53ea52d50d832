//! OpenAI Chat Completions.

mod stream;

pub(crate) use self::stream::Stream;
use super::{
    BadRequest, CREATED, required,
    tools::{Choice, Tool, ToolTalk, content_text, text_of},
};
use crate::{
    answer::{Answer, Ask, Block, Thoughts},
    rope::{Rope, RopeWriter},
    script::Finish,
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
    #[serde(borrow)]
    reasoning_effort: Option<Cow<'a, str>>,
    response_format: Option<Value>,
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
    let tools = request.tools.map(|tools| tool_talk(tools, request.tool_choice, messages)).transpose()?;
    // Compatible servers think unless they are told not to, and show it.
    let off = request.reasoning_effort.as_deref() == Some("none");
    let format = request.response_format.as_ref();
    let schema = format.and_then(|format| format.get("json_schema")).and_then(|format| format.get("schema"));
    Ok(Ask {
        model,
        stream: request.stream.unwrap_or(false),
        include_usage: request.stream_options.and_then(|options| options.include_usage).unwrap_or(false),
        tools,
        thoughts: if off { Thoughts::Off } else { Thoughts::Shown },
        schema: schema.cloned(),
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
    let is_result = |message: &Value| text_of(message, "role") == "tool";
    // Instructions may come after the results, and images of results in a user message.
    let mut current = messages.iter().rev().take_while(|message| text_of(message, "role") != "assistant");
    Ok(ToolTalk {
        tools: declared.collect(),
        choice: choice_of(choice.as_ref()),
        has_result: messages.iter().any(is_result),
        result_is_last: current.any(is_result),
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
    let mut out = RopeWriter::new(768 + answer.room());
    head(&mut out, answer, "chat.completion");
    out.raw(r#""choices":[{"index":0,"message":{"role":"assistant","content":"#);
    let said = |block: &Block| matches!(block, Block::Text(_));
    match answer.blocks.iter().find(|block| said(block)) {
        Some(block) => out.raw("\"").piece(block.text().whole()).raw("\""),
        None => out.raw("null"),
    };
    for block in &answer.blocks {
        match block {
            Block::Thought { text, .. } => {
                out.raw(r#","reasoning_content":""#).piece(text.whole()).raw("\"");
            }
            Block::Refusal(text) => {
                out.raw(r#","refusal":""#).piece(text.whole()).raw("\"");
            }
            Block::Text(_) | Block::Call { .. } => {}
        }
    }
    calls(&mut out, answer);
    if !answer.refuses() {
        out.raw(r#","refusal":null"#);
    }
    out.raw(r#","annotations":[]},"logprobs":null,"finish_reason":""#).raw(finish_reason(answer));
    out.raw(r#""}],"usage":"#);
    usage(&mut out, answer);
    out.raw("}");
    out.finish()
}

fn calls(out: &mut RopeWriter, answer: &Answer) {
    let mut start = r#","tool_calls":["#;
    for (index, block) in answer.blocks.iter().enumerate() {
        if let Block::Call { name, arguments } = block {
            out.raw(start);
            start = ",";
            call_head(out, answer.block_id(index), name, None);
            out.piece(arguments.whole()).raw("\"}}");
        }
    }
    if answer.calls() {
        out.raw("]");
    }
}

/// Writes everything before `choices`.
fn head(out: &mut RopeWriter, answer: &Answer, object: &str) {
    let _ = write!(out, r#"{{"id":"chatcmpl-{:016x}","object":"{object}","created":{CREATED},"#, answer.id);
    out.raw(r#""model":""#).escaped(&answer.model);
    out.raw(r#"","service_tier":"default","system_fingerprint":"fp_mock","#);
}

/// Writes a call up to the inside of its arguments; in a stream with its `index`.
fn call_head(out: &mut RopeWriter, id: u64, name: &str, index: Option<usize>) {
    match index {
        Some(index) => {
            let _ = write!(out, r#"{{"index":{index},"#);
        }
        None => {
            out.raw("{");
        }
    }
    let _ = write!(out, r#""id":"call_{id:016x}","type":"function","function":{{"name":""#);
    out.escaped(name).raw(r#"","arguments":""#);
}

fn finish_reason(answer: &Answer) -> &'static str {
    match answer.finish {
        Some(Finish::Length) => "length",
        Some(Finish::ContentFilter) => "content_filter",
        None if answer.calls() => "tool_calls",
        None => "stop",
    }
}

fn usage(out: &mut RopeWriter, answer: &Answer) {
    let (usage, details) = (answer.usage, answer.details);
    let (input, output) = (usage.input_tokens, usage.output_tokens);
    let total = input.saturating_add(output);
    let _ = write!(out, r#"{{"prompt_tokens":{input},"completion_tokens":{output},"total_tokens":{total},"#);
    let _ = write!(
        out,
        r#""prompt_tokens_details":{{"cached_tokens":{},"cache_write_tokens":{},"audio_tokens":0}},"#,
        details.cached_tokens, details.cache_write_tokens
    );
    let _ = write!(
        out,
        r#""completion_tokens_details":{{"reasoning_tokens":{},"audio_tokens":0,"#,
        details.reasoning_tokens
    );
    out.raw(r#""accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}"#);
}

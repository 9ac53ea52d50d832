//! What is written into a stream that has begun: errors and keep-alives (§12.7 of the wire formats).

use super::{Envelope, ErrorReply, OpenAiError, anthropic, gemini, openai, status, table};
use crate::{
    framing::{ArrayPosition, Framing, StartedResponse, StreamState},
    json::push,
};
use bytes::Bytes;
use cliproxy_domain::{Dialect, ErrorClass};
use serde::Serialize;
use serde_json::value::RawValue;

/// Gives the bytes that keep an idle stream alive, to be written only between two events.
///
/// Never a comment towards Gemini clients: the official one takes it for data. A JSON array has no byte that
/// every reader skips while it waits, so it gets none. Written before a stream's first byte, a keep-alive
/// takes the first place from a byte-order mark that the provider may send.
pub fn keep_alive(dialect: Dialect, framing: Framing) -> Option<&'static [u8]> {
    match (framing, dialect) {
        (Framing::JsonArray, _) => None,
        (Framing::Sse, Dialect::OpenAiChat | Dialect::OpenAiResponses) => Some(b": keep-alive\n\n"),
        (Framing::Sse, Dialect::Anthropic) => Some(b"event: ping\ndata: {\"type\":\"ping\"}\n\n"),
        (Framing::Sse, Dialect::Gemini) => Some(b"\r\n"),
    }
}

/// Writes an error as the last thing of a stream. The caller then ends the body properly; it does not reset it.
///
/// Where `state` says that the bytes so far end within an event, a blank line comes first: the broken event
/// then ends there, and a client may trip over it before it reads the error. A JSON array that broke within
/// an element, or that was closed already, cannot be mended; nothing is written, and the cut array itself
/// tells the client.
///
/// OpenAI Responses get `response.failed` when the stream announced its response, with the id, model and time
/// it was announced with and the items that were at their end; the echo of the request is not repeated.
/// Otherwise they get the flat `error` event.
pub fn encode_in_stream(
    dialect: Dialect,
    framing: Framing,
    reply: &ErrorReply<'_>,
    state: &StreamState,
) -> Bytes {
    let row = table::row(reply.class);
    let mut out = Vec::with_capacity(256);
    if framing == Framing::JsonArray {
        push_array_element(&mut out, dialect, reply, state.array);
        return out.into();
    }
    if !state.boundary {
        out.extend_from_slice(if dialect == Dialect::Gemini { b"\r\n\r\n" } else { b"\n\n" });
    }
    match dialect {
        Dialect::OpenAiChat => {
            out.extend_from_slice(b"data: ");
            push(&mut out, &Envelope { error: OpenAiError { param: None, ..openai(reply, row) } });
        }
        Dialect::OpenAiResponses => push_responses(&mut out, reply, state.response.as_ref()),
        Dialect::Anthropic => {
            out.extend_from_slice(b"event: error\ndata: ");
            push(&mut out, &anthropic(reply, row));
        }
        Dialect::Gemini => {
            out.extend_from_slice(b"data: ");
            push_gemini(&mut out, dialect, reply);
        }
    }
    out.extend_from_slice(if dialect == Dialect::Gemini { b"\r\n\r\n" } else { b"\n\n" });
    out.into()
}

fn push_gemini(out: &mut Vec<u8>, dialect: Dialect, reply: &ErrorReply<'_>) {
    let row = table::row(reply.class);
    let error = gemini(reply, row, status(dialect, reply, row), super::wait(reply, row));
    push(out, &Envelope { error });
}

fn push_array_element(out: &mut Vec<u8>, dialect: Dialect, reply: &ErrorReply<'_>, position: ArrayPosition) {
    let before: &[u8] = match position {
        ArrayPosition::Unopened => b"[",
        ArrayPosition::Opened | ArrayPosition::AfterComma => b"",
        ArrayPosition::AfterElement => b",\r\n",
        ArrayPosition::InElement | ArrayPosition::Closed => return,
    };
    out.extend_from_slice(before);
    push_gemini(out, dialect, reply);
    out.extend_from_slice(b"]");
}

fn push_responses(out: &mut Vec<u8>, reply: &ErrorReply<'_>, started: Option<&StartedResponse>) {
    let code = reply.code.unwrap_or_else(|| response_code(reply.class));
    match started {
        Some(started) => {
            out.extend_from_slice(b"event: response.failed\ndata: ");
            push(out, &ResponseFailed::new(started, code, reply.message));
        }
        None => {
            out.extend_from_slice(b"event: error\ndata: ");
            push(
                out,
                &ResponseErrorEvent {
                    r#type: "error",
                    sequence_number: 0,
                    code,
                    message: reply.message,
                    param: reply.param,
                },
            );
        }
    }
}

/// Chooses from the codes that the official type of `response.error` lists.
fn response_code(class: ErrorClass) -> &'static str {
    match class {
        ErrorClass::InvalidRequest | ErrorClass::ContextLength | ErrorClass::TooLarge => "invalid_prompt",
        ErrorClass::RateLimit | ErrorClass::SpendOrDailyLimit | ErrorClass::Billing => "rate_limit_exceeded",
        ErrorClass::Auth
        | ErrorClass::Permission
        | ErrorClass::NotFound
        | ErrorClass::Upstream
        | ErrorClass::Overloaded
        | ErrorClass::Timeout => "server_error",
    }
}

#[derive(Serialize)]
struct ResponseErrorEvent<'a> {
    r#type: &'static str,
    sequence_number: u64,
    code: &'a str,
    message: &'a str,
    param: Option<&'a str>,
}

#[derive(Serialize)]
struct ResponseFailed<'a> {
    r#type: &'static str,
    sequence_number: u64,
    response: FailedResponse<'a>,
}

/// The response object with the fields that the official type requires.
#[derive(Serialize)]
struct FailedResponse<'a> {
    id: &'a str,
    object: &'static str,
    created_at: i64,
    status: &'static str,
    error: ResponseError<'a>,
    incomplete_details: Option<()>,
    instructions: Option<()>,
    metadata: Option<()>,
    model: &'a str,
    output: Box<RawValue>,
    parallel_tool_calls: bool,
    temperature: Option<()>,
    tool_choice: &'static str,
    tools: [(); 0],
    top_p: Option<()>,
    usage: Option<()>,
}

#[derive(Serialize)]
struct ResponseError<'a> {
    code: &'a str,
    message: &'a str,
}

impl<'a> ResponseFailed<'a> {
    fn new(started: &'a StartedResponse, code: &'a str, message: &'a str) -> Self {
        Self {
            r#type: "response.failed",
            sequence_number: started.next_sequence,
            response: FailedResponse {
                id: &started.id,
                object: "response",
                created_at: started.created_at,
                status: "failed",
                error: ResponseError { code, message },
                incomplete_details: None,
                instructions: None,
                metadata: None,
                model: &started.model,
                output: items(&started.output),
                parallel_tool_calls: true,
                temperature: None,
                tool_choice: "auto",
                tools: [],
                top_p: None,
                usage: None,
            },
        }
    }
}

/// Gives a list of items that were written with commas between them.
fn items(items: &str) -> Box<RawValue> {
    RawValue::from_string(format!("[{items}]")).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

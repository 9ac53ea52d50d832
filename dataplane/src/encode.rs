//! Turns a reply, or the lack of one, into the client's HTTP response.

pub mod allowances;
mod body;
mod headers;
mod relayed;
mod stream;

pub use body::{BodyError, Ending, ReplyBody, Served, Told};

use crate::{
    attempt::{Exhausted, Reply, Source},
    decode::{Call, Delivery},
    refusal::Refusal,
    upstream::Place,
};
use bytes::Bytes;
use cliproxy_dialects::{ErrorReply, Framing, encode, form::Refused, translate::encode_count_reply};
use cliproxy_domain::{AttemptError, Dialect, ErrorClass, Failure, NodeId, RequestId};
use headers::{answer_headers, relayed_headers, set, stream_headers};
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use hyper::body::Incoming;
use relayed::Relayed;
use std::{future::Future, pin::Pin, sync::Arc, time::Duration};
use stream::ClientStream;

/// A reply that has not begun yet.
pub type PendingReply = Pin<Box<dyn Future<Output = Result<Reply, Exhausted>> + Send>>;

/// Encodes the answer of an upstream that has begun.
pub fn reply(call: &Arc<Call>, node: &NodeId, reply: Reply) -> Response<ReplyBody> {
    let Reply { status, headers, source, target, attempts, translated, warnings } = reply;
    let mut answer_headers = answer_headers(&headers);
    set(&mut answer_headers, "x-cliproxy-provider", target.provider.as_str());
    set(&mut answer_headers, "x-cliproxy-model", target.model.as_str());
    set(&mut answer_headers, "x-cliproxy-attempts", itoa(attempts).as_str());
    if let Some(warnings) = warnings {
        tracing::debug!(request_id = %call.id, provider = %target.provider, model = %target.model, warnings,
            "an answer lost something in translation");
        set(&mut answer_headers, "x-cliproxy-warnings", &warnings);
    }
    // Its SDK reads the id there; an answer that passes has the provider's own.
    if translated && call.dialect == Dialect::Anthropic {
        set(&mut answer_headers, "request-id", call.id.as_str());
    }
    let served = Served { target, attempts };
    let body = match source {
        Source::Whole(whole) => ReplyBody::whole(whole.body, Ending::answered(served, whole.usage)),
        Source::Stream(source) => {
            if let Some(framing) = source.framing() {
                stream_headers(&mut answer_headers, framing);
            }
            ReplyBody::stream(ClientStream::flowing(call, served, source))
        }
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = answer_headers;
    own_headers(&mut response, &call.id, node);
    response
}

/// Encodes a stream whose first event has not come: the head goes out now, keep-alives follow, and what happens
/// then is told within the stream.
pub fn pending(call: &Arc<Call>, node: &NodeId, reply: PendingReply) -> Response<ReplyBody> {
    let mut response = Response::new(ReplyBody::stream(ClientStream::pending(call, reply)));
    let framing = match call.delivery {
        Delivery::Stream(framing) => framing,
        Delivery::Whole => Framing::Sse,
    };
    stream_headers(response.headers_mut(), framing);
    own_headers(&mut response, &call.id, node);
    response
}

/// Encodes the failure of every attempt. The provider's own words go out as they came when they are in the
/// client's dialect, but not about a key: that one is ours, and no business of the client's.
pub fn exhausted(call: &Call, node: &NodeId, exhausted: Exhausted) -> Response<ReplyBody> {
    let Exhausted { error, answer, target, attempts, refused, unavailable, soonest } = exhausted;
    if let Some(refusal) = unavailable {
        return self::refused(call.dialect, &call.id, node, &refusal);
    }
    if let Some(refused) = refused {
        return unable(call, node, refused);
    }
    let error = AttemptError { failure: sooner(error.failure, soonest), ..error };
    let provider = target.provider.clone();
    let ending = Ending::failed(Some(Served { target, attempts }), error.failure.error_type());
    let mut response = match answer.filter(|_| error.failure != Failure::CredentialRejected) {
        Some(answer) => {
            let mut response = Response::new(ReplyBody::whole(answer.body, ending));
            *response.status_mut() = answer.status;
            *response.headers_mut() = answer_headers(&answer.headers);
            if soonest.is_some() {
                // What the last provider said of itself is not when another may be back.
                for name in ["retry-after", "retry-after-ms"] {
                    response.headers_mut().remove(name);
                }
            }
            retry_headers(call.dialect, error.failure, &mut response);
            response
        }
        None => {
            // The client has sent no key of this provider: what is said of one is not for it to mend.
            let message = match error.failure {
                Failure::CredentialRejected => {
                    format!(
                        "the provider `{provider}` refused the gateway's key; whoever runs the gateway has to mend it"
                    )
                }
                _ => error.message,
            };
            let encoded = encode(call.dialect, &error_reply(&message, error.failure, &call.id));
            encoded_response(encoded, ending)
        }
    };
    set(response.headers_mut(), "x-cliproxy-provider", provider.as_str());
    set(response.headers_mut(), "x-cliproxy-attempts", itoa(attempts).as_str());
    own_headers(&mut response, &call.id, node);
    response
}

/// Puts the end of the first rest in the place of the wait that the last failure named.
fn sooner(failure: Failure, soonest: Option<Duration>) -> Failure {
    match failure {
        Failure::RateLimited { retry_after } => Failure::RateLimited { retry_after: soonest.or(retry_after) },
        Failure::Overloaded { retry_after } => Failure::Overloaded { retry_after: soonest.or(retry_after) },
        other => other,
    }
}

/// Encodes that no target can do what the request needs, or that the request cannot be read: the field is the
/// client's to change.
pub fn unable(call: &Call, node: &NodeId, refused: Refused) -> Response<ReplyBody> {
    let code = refused.need.map(|_| "capability");
    let param = (!refused.field.is_empty()).then_some(refused.field);
    let refusal = Refusal { code, ..Refusal::new(ErrorClass::InvalidRequest, refused.message) };
    self::refused(call.dialect, &call.id, node, &Refusal { param, ..refusal })
}

/// Encodes a count of tokens that is our own guess.
pub fn estimate(call: &Call, node: &NodeId, tokens: u64) -> Response<ReplyBody> {
    let body = encode_count_reply(call.dialect, tokens);
    let mut response = document(body, &call.id, node);
    set(response.headers_mut(), "x-cliproxy-warnings", "input_tokens=estimated");
    response
}

/// Passes on what another gateway answered in this one's place; it breaks off when nothing more comes for `idle`.
pub fn relayed(
    answer: Response<Incoming>,
    place: Place,
    id: &RequestId,
    idle: Duration,
) -> Response<ReplyBody> {
    let (head, body) = answer.into_parts();
    let error_type = head.status.is_client_error().then_some("invalid_request");
    let mut response = Response::new(ReplyBody::relayed(Relayed::new(body, place, idle), error_type));
    *response.status_mut() = head.status;
    *response.headers_mut() = relayed_headers(&head.headers);
    set(response.headers_mut(), "x-request-id", id.as_str());
    set(response.headers_mut(), SERVED_BY, "backup");
    response
}

/// Says that another node answered.
pub const SERVED_BY: &str = "x-cliproxy-served-by";

/// Encodes what the gateway itself refuses.
pub fn refused(dialect: Dialect, id: &RequestId, node: &NodeId, refusal: &Refusal) -> Response<ReplyBody> {
    let encoded = encode(
        dialect,
        &ErrorReply {
            class: refusal.class,
            status: refusal.status,
            code: refusal.code,
            message: &refusal.message,
            request_id: id.as_str(),
            retry_after: refusal.retry_after,
            param: refusal.param.as_deref(),
        },
    );
    let told = refusal.code.map(|code| Box::new(Told { code, message: refusal.message.to_string() }));
    let ending = Ending { refused: told, ..Ending::failed(None, refusal.error_type()) };
    let mut response = encoded_response(encoded, ending);
    if let Some(allow) = refusal.allow {
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allow));
    }
    // The rest of a body that was not read makes the connection unusable.
    if matches!(refusal.status, Some(408 | 413 | 415)) {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    own_headers(&mut response, id, node);
    response
}

/// Encodes a JSON document of the gateway's own.
pub fn document(body: Bytes, id: &RequestId, node: &NodeId) -> Response<ReplyBody> {
    let mut response = Response::new(ReplyBody::document(body));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    own_headers(&mut response, id, node);
    response
}

pub(crate) fn error_reply<'a>(message: &'a str, failure: Failure, id: &'a RequestId) -> ErrorReply<'a> {
    ErrorReply {
        class: failure.class(),
        status: None,
        code: None,
        message,
        request_id: id.as_str(),
        retry_after: failure.retry_after(),
        param: None,
    }
}

fn encoded_response(encoded: cliproxy_dialects::EncodedError, ending: Ending) -> Response<ReplyBody> {
    let mut response = Response::new(ReplyBody::whole(encoded.body, ending));
    // Statuses of the table are valid; one that is not would be our own mistake.
    *response.status_mut() =
        StatusCode::from_u16(encoded.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in encoded.headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(HeaderName::from_static(name), value);
        }
    }
    response
}

/// Adds the wait and the word on retrying where the provider's answer has none.
fn retry_headers(dialect: Dialect, failure: Failure, response: &mut Response<ReplyBody>) {
    let has_wait =
        ["retry-after", "retry-after-ms"].iter().any(|name| response.headers().contains_key(*name));
    let says_itself = response.headers().contains_key("x-should-retry");
    let known = encode(dialect, &error_reply("", failure, &RequestId::from("")));
    for (name, value) in known.headers {
        let wanted = match name {
            "retry-after" | "retry-after-ms" => !has_wait && failure.class() != ErrorClass::Billing,
            "x-should-retry" => !says_itself,
            _ => false,
        };
        if let (true, Ok(value)) = (wanted, HeaderValue::from_str(&value)) {
            response.headers_mut().insert(HeaderName::from_static(name), value);
        }
    }
}

fn own_headers(response: &mut Response<ReplyBody>, id: &RequestId, node: &NodeId) {
    set(response.headers_mut(), "x-request-id", id.as_str());
    set(response.headers_mut(), "x-cliproxy-node", node.as_str());
}

fn itoa(number: u32) -> String {
    number.to_string()
}

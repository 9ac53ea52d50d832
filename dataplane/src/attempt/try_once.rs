//! One upstream call, up to its commit point.

use super::{
    Failed, InFlight, UpstreamAnswer,
    opened::{Opened, Relay},
    partial::Partial,
    prepared::{Prepared, Reading},
    source::{HeldChunks, PREAMBLE_LIMIT, WHOLE_LIMIT},
    translated,
};
use crate::{
    decode::{Call, Delivery},
    upstream::{Place, SendError},
};
use bytes::{Bytes, BytesMut};
use cliproxy_dialects::{Framing, Observer, classify, read_reply};
use cliproxy_domain::{AttemptError, Failure, TimeoutPhase};
use cliproxy_host::Clock;
use http::{HeaderMap, Response, StatusCode, header};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use std::{sync::Arc, time::Duration};

/// How much of an error's body is read.
const ERROR_LIMIT: usize = 64 * 1024;

/// An answer that is past its commit point.
pub(super) struct Answered {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) source: Opened,
    /// What translation lost.
    pub(super) warnings: Option<String>,
}

/// Makes one call. What comes before the commit point is noted in `in_flight`.
pub(super) async fn try_once(
    call: &Arc<Call>,
    prepared: &Prepared,
    in_flight: &InFlight,
    clock: &Arc<dyn Clock>,
) -> Result<Answered, Failed> {
    let (response, place) = ask(call, prepared, Some(in_flight), clock).await?;
    let framing = framing(call, prepared, response.headers());
    let (head, body) = response.into_parts();
    let idle = prepared.upstream.provider.timeouts.idle;
    if !matches!(prepared.reading, Reading::Pass) {
        return translated::read(call, prepared, in_flight, head, framing, body, place, clock).await;
    }
    let source = match framing {
        Some(framing) => stream(call, in_flight, framing, body, idle, place).await?,
        None => whole(call, body, idle, place).await?,
    };
    Ok(Answered { status: head.status, headers: head.headers, source, warnings: None })
}

/// Sends the request and reads the head of a success. What the head says of the provider's limits is for the attempt
/// that is `in_flight`.
pub(super) async fn ask(
    call: &Call,
    prepared: &Prepared,
    in_flight: Option<&InFlight>,
    clock: &Arc<dyn Clock>,
) -> Result<(Response<Incoming>, Place), Failed> {
    let upstream = &prepared.upstream;
    let request = prepared
        .request(call)
        .map_err(|error| AttemptError::new(Failure::InvalidRequest, error.to_string()))?;
    let timeouts = upstream.provider.timeouts;
    let sent = tokio::time::timeout(timeouts.first_byte, upstream.pool.send(request)).await;
    let (response, place) = match sent {
        Err(_) => return Err(first_byte_timeout(timeouts.first_byte).into()),
        Ok(Err(error)) => {
            let unreached = error.is_before_sending();
            return Err(Failed { unreached, ..SendError::describe(&error).into() });
        }
        Ok(Ok(answer)) => answer,
    };
    if let Some(in_flight) = in_flight {
        in_flight.told(response.headers());
    }
    if !response.status().is_success() {
        return Err(refused(call, prepared, response, timeouts.idle, clock).await);
    }
    Ok((response, place))
}

/// Tells how the answer is framed: by what the upstream says it is, and only where it does not say by what was asked
/// for. Some servers name no type for their streams, or that of plain text.
fn framing(call: &Call, prepared: &Prepared, headers: &HeaderMap) -> Option<Framing> {
    let kind = headers.get(header::CONTENT_TYPE).map(|value| value.as_bytes()).unwrap_or_default();
    if kind.starts_with(b"text/event-stream") {
        return Some(Framing::Sse);
    }
    match call.delivery {
        // A translated stream is asked for as server-sent events, however the client wants it.
        Delivery::Stream(Framing::JsonArray) if matches!(prepared.reading, Reading::Pass) => {
            Some(Framing::JsonArray)
        }
        Delivery::Stream(_) if !kind.starts_with(b"application/json") => Some(Framing::Sse),
        Delivery::Stream(_) | Delivery::Whole => None,
    }
}

/// Reads the stream's beginning, up to its first semantic event.
async fn stream(
    call: &Call,
    in_flight: &InFlight,
    framing: Framing,
    mut body: Incoming,
    idle: Duration,
    place: Place,
) -> Result<Opened, Failed> {
    let mut observer = Observer::new(call.dialect, call.operation, framing);
    if in_flight.may_end_early() {
        observer.follow();
    }
    let (mut held, mut partial) = (HeldChunks::default(), Partial::default());
    let (rest, failing) = loop {
        let Some(mut chunk) = next_chunk(&mut body, idle).await? else {
            observer.finish()?;
            partial.flush(&mut held);
            break (None, Bytes::new());
        };
        let (committed, whole, failing) = match observer.feed(&chunk) {
            // An error in the same chunk as the first content is told as one that comes later.
            Err(_) if observer.is_semantic() => {
                let failing = chunk.split_off(observer.clean_len());
                (true, chunk.len(), failing)
            }
            Err(error) => return Err(error.into()),
            Ok(progress) => (progress.semantic, progress.whole, Bytes::new()),
        };
        partial.pass(chunk, whole, &mut held);
        if committed || held.len() + partial.len() > PREAMBLE_LIMIT {
            break (Some(body), failing);
        }
        in_flight.so_far(observer.usage(call.prompt_bytes()));
    };
    Ok(Opened::Stream { relay: Relay { held, rest, idle, place }, partial, failing, observer, framing })
}

/// Reads the whole answer when it is of an ordinary size; a larger one is passed on while it comes.
async fn whole(call: &Call, body: Incoming, idle: Duration, place: Place) -> Result<Opened, Failed> {
    match gather(body, idle, WHOLE_LIMIT).await? {
        Gathered::Whole(body) => {
            let facts = read_reply(call.dialect, call.operation, &body)?;
            Ok(Opened::Whole { body, usage: facts.usage })
        }
        Gathered::Larger(held, rest) => Ok(Opened::Large { held, rest, idle, place }),
    }
}

/// A body, or the beginning of one that is larger than was to be read.
pub(super) enum Gathered {
    Whole(Bytes),
    Larger(Bytes, Incoming),
}

/// Reads a body of at most `limit` bytes. Of one that announces more only the first piece is read: gathering its
/// beginning would buy little for much memory.
pub(super) async fn gather(mut body: Incoming, idle: Duration, limit: usize) -> Result<Gathered, Failed> {
    let Some(first) = next_chunk(&mut body, idle).await? else {
        return Err(AttemptError::new(Failure::MalformedReply, "the provider's answer is empty").into());
    };
    if body.is_end_stream() {
        return Ok(Gathered::Whole(first));
    }
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if announced > limit {
        return Ok(Gathered::Larger(first, body));
    }
    let mut all = BytesMut::with_capacity((first.len() + announced.min(WHOLE_LIMIT)).min(WHOLE_LIMIT * 2));
    all.extend_from_slice(&first);
    loop {
        if all.len() > limit {
            return Ok(Gathered::Larger(all.freeze(), body));
        }
        match next_chunk(&mut body, idle).await? {
            Some(chunk) => all.extend_from_slice(&chunk),
            None => return Ok(Gathered::Whole(all.freeze())),
        }
    }
}

pub(super) async fn next_chunk(body: &mut Incoming, idle: Duration) -> Result<Option<Bytes>, AttemptError> {
    loop {
        return match tokio::time::timeout(idle, body.frame()).await {
            Err(_) => Err(idle_timeout(idle)),
            Ok(None) => Ok(None),
            Ok(Some(Err(_))) => Err(broken()),
            Ok(Some(Ok(frame))) => match frame.into_data() {
                Ok(data) => Ok(Some(data)),
                Err(_) => continue,
            },
        };
    }
}

/// Reads an error answer and says what it means.
async fn refused(
    call: &Call,
    prepared: &Prepared,
    response: Response<Incoming>,
    idle: Duration,
    clock: &Arc<dyn Clock>,
) -> Failed {
    let (head, mut body) = response.into_parts();
    let mut all = BytesMut::new();
    let mut complete = true;
    loop {
        match next_chunk(&mut body, idle).await {
            Ok(Some(chunk)) if all.len() + chunk.len() <= ERROR_LIMIT => all.extend_from_slice(&chunk),
            Ok(None) => break,
            _ => {
                complete = false;
                break;
            }
        }
    }
    let body = all.freeze();
    let (kind, rules) = (prepared.upstream.provider.kind, &prepared.upstream.profile.errors);
    let error = classify(kind, rules, head.status.as_u16(), &head.headers, &body, clock.wall());
    // What a profile says of an error is for the client to know as well: the provider's own status would deny it.
    let as_said = rules.is_empty()
        || classify(kind, &[], head.status.as_u16(), &head.headers, &body, clock.wall()).failure
            == error.failure;
    // A page of a load balancer is not what the client's SDK reads; an envelope of its dialect is.
    let answer = (complete && as_said && prepared.dialect(call) == call.dialect && has_error_envelope(&body))
        .then_some(UpstreamAnswer { status: head.status, headers: head.headers, body });
    Failed { error, answer, unreached: false }
}

fn has_error_envelope(body: &[u8]) -> bool {
    #[derive(serde::Deserialize)]
    struct Envelope<'a> {
        #[serde(borrow)]
        error: Option<&'a serde_json::value::RawValue>,
    }
    // Gemini wraps the error of a stream without `alt=sse` into an array of one.
    serde_json::from_slice::<Envelope<'_>>(body).is_ok_and(|envelope| envelope.error.is_some())
        || serde_json::from_slice::<[Envelope<'_>; 1]>(body).is_ok_and(|[envelope]| envelope.error.is_some())
}

pub(super) fn broken() -> AttemptError {
    AttemptError::new(Failure::StreamBroken, "the provider's answer broke off")
}

pub(super) fn idle_timeout(idle: Duration) -> AttemptError {
    let message = format!("the provider sent nothing for {idle:?} (timeouts.idle)");
    AttemptError::new(Failure::Timeout(TimeoutPhase::Idle), message)
}

fn first_byte_timeout(first_byte: Duration) -> AttemptError {
    let message = format!("the provider did not begin to answer within {first_byte:?} (timeouts.first_byte)");
    AttemptError::new(Failure::Timeout(TimeoutPhase::FirstByte), message)
}

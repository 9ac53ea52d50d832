//! Reading an answer in another dialect than the client's, up to its commit point.

use super::{
    Failed, InFlight,
    opened::{Opened, Relay},
    prepared::{Prepared, Reading},
    resume::{Resumer, next_whole},
    source::{HeldChunks, PREAMBLE_LIMIT},
    tail::Tail,
    try_once::{Answered, Gathered, gather, next_chunk},
};
use crate::{
    decode::{Call, Delivery},
    route::Formed,
    upstream::Place,
};
use bytes::Bytes;
use cliproxy_dialects::{
    Framing,
    form::{Finish, Losses, Reply},
    read_reply,
    translate::{
        MAX_PARTS, ReplyContext, StreamTranslator, continuation, decode_count_reply, decode_embed_reply,
        decode_reply, encode_count_reply, encode_embed_reply, encode_reply, join, rework_reply,
    },
};
use cliproxy_domain::{AttemptError, Dialect, Failure, TokenUsage};
use cliproxy_host::Clock;
use http::{HeaderMap, HeaderName, HeaderValue, header, response};
use hyper::body::Incoming;
use std::{sync::Arc, time::Duration};

/// The largest answer that is translated in one piece: embeddings of a large batch, or inline media.
const TRANSLATED_LIMIT: usize = 64 * 1024 * 1024;

/// Reads the answer that `prepared` asked for.
pub(super) async fn read(
    call: &Arc<Call>,
    prepared: &Prepared,
    in_flight: &InFlight,
    head: response::Parts,
    framing: Option<Framing>,
    body: Incoming,
    place: Place,
    clock: &Arc<dyn Clock>,
) -> Result<Answered, Failed> {
    let idle = prepared.upstream.provider.timeouts.idle;
    let wants_stream = matches!(call.delivery, Delivery::Stream(_));
    let (source, warnings) = match (&prepared.reading, framing) {
        (Reading::Translate(context), Some(framing)) if wants_stream => {
            let resumer = resumable(context).then(|| Resumer::new(call, prepared, clock));
            let opened =
                stream(call, in_flight, framing, Arc::clone(context), body, idle, place, resumer).await?;
            (opened, context.notes.losses.header())
        }
        (Reading::Translate(context), None) if !wants_stream => {
            let body = gathered(body, idle).await?;
            let (reply, usage) = generated(call, prepared, in_flight, context, body, clock).await?;
            finished(reply, usage, context)
        }
        (_, None) if !wants_stream => other(call, prepared, gathered(body, idle).await?)?,
        _ => {
            let message = "the provider answered in another form than the one that was asked for";
            return Err(AttemptError::new(Failure::MalformedReply, message).into());
        }
    };
    let headers = headers(&head.headers, &source);
    Ok(Answered { status: head.status, headers, source, warnings })
}

/// Tells whether the provider may give its answer in parts, each on a request of its own.
fn resumable(context: &ReplyContext) -> bool {
    context.upstream == Dialect::Gemini
}

async fn gathered(body: Incoming, idle: Duration) -> Result<Bytes, Failed> {
    match gather(body, idle, TRANSLATED_LIMIT).await? {
        Gathered::Whole(body) => Ok(body),
        Gathered::Larger(..) => {
            let message = format!("the provider's answer is larger than {TRANSLATED_LIMIT} bytes");
            Err(AttemptError::new(Failure::MalformedReply, message).into())
        }
    }
}

/// Reads a whole answer, with the parts that follow when the provider gives it in several.
async fn generated(
    call: &Call,
    prepared: &Prepared,
    in_flight: &InFlight,
    context: &ReplyContext,
    body: Bytes,
    clock: &Arc<dyn Clock>,
) -> Result<(Reply, TokenUsage), Failed> {
    let idle = prepared.upstream.provider.timeouts.idle;
    let mut usage = usage_of(call, prepared, &body)?;
    let mut reply = decode_reply(context.upstream, &body)?;
    for _ in 0..MAX_PARTS {
        let Some(token) = continuation(&reply).map(str::to_owned).filter(|_| resumable(context)) else {
            break;
        };
        // What comes next may fail, and this was answered.
        in_flight.so_far(usage);
        if !in_flight.call_again() {
            reply.choices.iter_mut().for_each(|choice| choice.finish = Finish::MaxTokens);
            in_flight.ended_early();
            break;
        }
        // The place stays taken until this part is read.
        let (response, _place) = next_whole(call, prepared, &token, clock).await?;
        let body = gathered(response.into_body(), idle).await?;
        usage += usage_of(call, prepared, &body)?;
        join(&mut reply, decode_reply(context.upstream, &body)?);
    }
    Ok((reply, usage))
}

fn usage_of(call: &Call, prepared: &Prepared, body: &Bytes) -> Result<TokenUsage, AttemptError> {
    let facts = read_reply(prepared.dialect(call), call.operation, body)?;
    let estimate = || Tail::estimate(call.operation, call.prompt_bytes(), body.len());
    Ok(facts.usage.unwrap_or_else(estimate))
}

/// Writes a whole answer for the client.
fn finished(mut reply: Reply, usage: TokenUsage, context: &ReplyContext) -> (Opened, Option<String>) {
    rework_reply(&mut reply, context);
    let mut losses = context.notes.losses.clone();
    let body = encode_reply(&reply, context, &mut losses);
    (Opened::Whole { body, usage: Some(usage) }, losses.header())
}

/// Translates what is no answer of a model: a count, or embeddings.
fn other(call: &Call, prepared: &Prepared, body: Bytes) -> Result<(Opened, Option<String>), AttemptError> {
    let dialect = prepared.dialect(call);
    let usage = Some(usage_of(call, prepared, &body)?);
    let (body, losses) = match &prepared.reading {
        Reading::Count(_, losses) => {
            (encode_count_reply(call.dialect, decode_count_reply(dialect, &body)?), losses.clone())
        }
        Reading::Embed(_, formed, losses) => (embedded(dialect, formed, &body)?, losses.clone()),
        Reading::Pass | Reading::Translate(_) => (body, Losses::default()),
    };
    Ok((Opened::Whole { body, usage }, losses.header()))
}

fn embedded(dialect: Dialect, formed: &Formed, body: &[u8]) -> Result<Bytes, AttemptError> {
    match formed {
        Formed::Embed(request) => {
            let reply = decode_embed_reply(dialect, body, request.input.len())?;
            Ok(encode_embed_reply(&reply, request))
        }
        Formed::Generate(_) => {
            Err(AttemptError::new(Failure::MalformedReply, "no embeddings were asked for"))
        }
    }
}

/// Reads the stream's beginning, up to its first semantic event.
async fn stream(
    call: &Call,
    in_flight: &InFlight,
    framing: Framing,
    context: Arc<ReplyContext>,
    mut body: Incoming,
    idle: Duration,
    place: Place,
    resumer: Option<Resumer>,
) -> Result<Opened, Failed> {
    let client_framing = context.framing;
    let mut translator = Box::new(StreamTranslator::new(framing, context));
    let mut held = HeldChunks::default();
    let (rest, error) = loop {
        let mut out = Vec::new();
        let Some(chunk) = next_chunk(&mut body, idle).await? else {
            translator.finish(&mut out)?;
            held.push(out.into());
            break (None, None);
        };
        let fed = translator.feed(&chunk, &mut out);
        held.push(out.into());
        match fed {
            // An error in the same chunk as the first content is told as one that comes later.
            Err(error) if translator.is_semantic() => break (None, Some(error)),
            Err(error) => return Err(error.into()),
            Ok(_) if translator.is_cut() => break (None, None),
            Ok(progress) if progress.semantic || held.len() > PREAMBLE_LIMIT => break (Some(body), None),
            Ok(_) => in_flight.so_far(translator.usage(call.prompt_bytes())),
        }
    };
    let relay = Relay { held, rest, idle, place };
    Ok(Opened::Translated { relay, translator, resumer, error, framing: client_framing })
}

/// Gives the headers of an answer that was translated: of the provider's own, only its request id concerns the
/// client.
fn headers(upstream: &HeaderMap, source: &Opened) -> HeaderMap {
    const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
    const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");
    let mut headers = HeaderMap::with_capacity(12);
    // A stream's type follows from its framing.
    if matches!(source, Opened::Whole { .. }) {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    if let Some(id) = upstream.get(X_REQUEST_ID).or_else(|| upstream.get(REQUEST_ID)) {
        headers.insert(X_REQUEST_ID, id.clone());
    }
    headers
}

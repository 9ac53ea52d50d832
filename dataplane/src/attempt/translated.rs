//! Reading an answer in another dialect than the client's, up to its commit point.

use super::{
    Failed,
    opened::{Opened, Relay},
    prepared::{Prepared, Reading},
    source::{HeldChunks, PREAMBLE_LIMIT},
    tail::Tail,
    try_once::{Answered, Gathered, gather, next_chunk},
};
use crate::{decode::Call, route::Formed, upstream::Place};
use bytes::Bytes;
use cliproxy_dialects::{
    Framing,
    form::Losses,
    read_reply,
    translate::{
        ReplyContext, StreamTranslator, decode_count_reply, decode_embed_reply, decode_reply,
        encode_count_reply, encode_embed_reply, encode_reply, rework_reply,
    },
};
use cliproxy_domain::{AttemptError, Dialect, Failure};
use http::{HeaderMap, HeaderName, HeaderValue, header, response};
use hyper::body::Incoming;
use std::{sync::Arc, time::Duration};

/// The largest answer that is translated in one piece: embeddings of a large batch, or inline media.
const TRANSLATED_LIMIT: usize = 64 * 1024 * 1024;

/// Reads the answer that `prepared` asked for.
pub(super) async fn read(
    call: &Call,
    prepared: &Prepared,
    head: response::Parts,
    framing: Option<Framing>,
    body: Incoming,
    idle: Duration,
    place: Place,
) -> Result<Answered, Failed> {
    let wants_stream = matches!(call.delivery, crate::decode::Delivery::Stream(_));
    let (source, warnings) = match (&prepared.reading, framing) {
        (Reading::Translate(context), Some(framing)) if wants_stream => {
            let opened = stream(framing, Arc::clone(context), body, idle, place).await?;
            (opened, context.notes.losses.header())
        }
        (_, None) if !wants_stream => whole(call, prepared, gathered(body, idle).await?)?,
        _ => {
            let message = "the provider answered in another form than the one that was asked for";
            return Err(AttemptError::new(Failure::MalformedReply, message).into());
        }
    };
    let headers = headers(&head.headers, &source);
    Ok(Answered { status: head.status, headers, source, warnings })
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

/// Translates an answer that is all there.
fn whole(call: &Call, prepared: &Prepared, body: Bytes) -> Result<(Opened, Option<String>), AttemptError> {
    let dialect = prepared.dialect(call);
    let facts = read_reply(dialect, call.operation, &body)?;
    let estimate = || Tail::estimate(call.operation, call.body.len(), body.len());
    let usage = Some(facts.usage.unwrap_or_else(estimate));
    let (body, losses) = match &prepared.reading {
        Reading::Translate(context) => generated(dialect, context, &body)?,
        Reading::Count(_, losses) => {
            (encode_count_reply(call.dialect, decode_count_reply(dialect, &body)?), losses.clone())
        }
        Reading::Embed(_, formed, losses) => (embedded(dialect, formed, &body)?, losses.clone()),
        Reading::Pass => (body, Losses::default()),
    };
    Ok((Opened::Whole { body, usage }, losses.header()))
}

fn generated(dialect: Dialect, context: &ReplyContext, body: &[u8]) -> Result<(Bytes, Losses), AttemptError> {
    let mut reply = decode_reply(dialect, body)?;
    rework_reply(&mut reply, context);
    let mut losses = context.notes.losses.clone();
    let body = encode_reply(&reply, context, &mut losses);
    Ok((body, losses))
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
    framing: Framing,
    context: Arc<ReplyContext>,
    mut body: Incoming,
    idle: Duration,
    place: Place,
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
            Ok(_) => {}
        }
    };
    let relay = Relay { held, rest, idle, place };
    Ok(Opened::Translated { relay, translator, error, framing: client_framing })
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

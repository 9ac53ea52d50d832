//! One entry for each direction; the dialect decides who reads or writes.

use super::{Notes, ReplyContext, Target, vendor};
use crate::{
    anthropic, count, embed,
    form::{EmbedReply, EmbedRequest, Losses, Refused, Reply, Request},
    gemini,
    json::Fields,
    openai_chat, openai_responses,
};
use bytes::Bytes;
use cliproxy_domain::{AttemptError, Dialect};
use serde_json::{Map, Value};

/// Reads a client's request for an answer. `model` and `stream` are what its path or its body said.
///
/// # Errors
/// When a field is not what its dialect says it must be.
pub fn decode_request(dialect: Dialect, body: &[u8], model: &str, stream: bool) -> Result<Request, Refused> {
    let fields = Fields::parse(body)?;
    let mut request = match dialect {
        Dialect::OpenAiChat => openai_chat::decode_request(fields)?,
        Dialect::OpenAiResponses => openai_responses::decode_request(fields)?,
        Dialect::Anthropic => anthropic::decode_request(fields)?,
        Dialect::Gemini => gemini::decode_request(fields)?,
    };
    model.clone_into(&mut request.model);
    request.stream = stream;
    Ok(request)
}

/// Writes a request for an answer as its target takes it.
///
/// # Errors
/// When the target cannot be told something that the meaning hangs on, or anything at all where nothing may be
/// lost.
pub fn encode_request(request: &Request, target: &Target<'_>) -> Result<(Bytes, Notes), Refused> {
    let mut notes = Notes::new(target.policy);
    let request = &*vendor::settled(request, target, &mut notes)?;
    let body = match target.dialect {
        Dialect::OpenAiChat => openai_chat::encode_request(request, target, &mut notes),
        Dialect::OpenAiResponses => openai_responses::encode_request(request, target, &mut notes),
        Dialect::Anthropic => anthropic::encode_request(request, target, &mut notes),
        Dialect::Gemini => gemini::encode_request(request, target, &mut notes),
    }?;
    Ok((body.into(), notes))
}

/// Reads a provider's whole answer.
///
/// # Errors
/// When it is not what its dialect says it must be, or when its end says that it failed.
pub fn decode_reply(dialect: Dialect, body: &[u8]) -> Result<Reply, AttemptError> {
    match dialect {
        Dialect::OpenAiChat => openai_chat::decode_reply(body),
        Dialect::OpenAiResponses => openai_responses::decode_reply(body),
        Dialect::Anthropic => anthropic::decode_reply(body),
        Dialect::Gemini => gemini::decode_reply(body),
    }
}

/// Writes a whole answer for the client. What cannot be said is added to `losses`.
pub fn encode_reply(reply: &Reply, context: &ReplyContext, losses: &mut Losses) -> Bytes {
    match context.client {
        Dialect::OpenAiChat => openai_chat::encode_reply(reply, context, losses),
        Dialect::OpenAiResponses => openai_responses::encode_reply(reply, context, losses),
        Dialect::Anthropic => anthropic::encode_reply(reply, context, losses),
        Dialect::Gemini => gemini::encode_reply(reply, context, losses),
    }
    .into()
}

/// Reads a client's request for the number of tokens of a prompt.
///
/// # Errors
/// As [`decode_request`].
pub fn decode_count(dialect: Dialect, body: &[u8], model: &str) -> Result<Request, Refused> {
    let mut fields = Fields::parse(body)?;
    // Gemini has two forms: bare contents, and a whole request in a field of its own.
    if dialect == Dialect::Gemini
        && let Some(inner) = fields.object("generateContentRequest")?
    {
        fields = inner;
    }
    let mut request = match dialect {
        Dialect::OpenAiChat => openai_chat::decode_request(fields)?,
        Dialect::OpenAiResponses => openai_responses::decode_request(fields)?,
        Dialect::Anthropic => anthropic::decode_request(fields)?,
        Dialect::Gemini => gemini::decode_request(fields)?,
    };
    model.clone_into(&mut request.model);
    Ok(request)
}

/// Writes a request for the number of tokens of a prompt.
///
/// # Errors
/// As [`encode_request`]; a target that cannot count.
pub fn encode_count(request: &Request, target: &Target<'_>) -> Result<(Bytes, Notes), Refused> {
    let mut notes = Notes::new(target.policy);
    let request = vendor::settled(request, target, &mut notes)?;
    let body = count::encode(&request, target, &mut notes)?;
    Ok((body.into(), notes))
}

/// Reads a provider's count.
///
/// # Errors
/// When there is none.
pub fn decode_count_reply(dialect: Dialect, body: &[u8]) -> Result<u64, AttemptError> {
    count::decode_reply(dialect, body)
}

/// Writes a count for the client.
pub fn encode_count_reply(dialect: Dialect, tokens: u64) -> Bytes {
    count::encode_reply(dialect, tokens).into()
}

/// Reads a client's request for embeddings. `verb` is the path's for Gemini, as `embedContent`; empty otherwise.
///
/// # Errors
/// When a field is not what its dialect says it must be.
pub fn decode_embed(dialect: Dialect, verb: &str, body: &[u8], model: &str) -> Result<EmbedRequest, Refused> {
    embed::decode(dialect, verb, Fields::parse(body)?, model)
}

/// Writes a request for embeddings; for Gemini always `batchEmbedContents`.
///
/// # Errors
/// When the target has no embeddings, or none of token numbers.
pub fn encode_embed(request: &EmbedRequest, target: &Target<'_>) -> Result<(Bytes, Notes), Refused> {
    let mut notes = Notes::new(target.policy);
    let body = embed::encode(request, target, &mut notes)?;
    Ok((body.into(), notes))
}

/// Reads a provider's embeddings.
///
/// # Errors
/// When they are not what the dialect says they must be, or not as many as `inputs`.
pub fn decode_embed_reply(dialect: Dialect, body: &[u8], inputs: usize) -> Result<EmbedReply, AttemptError> {
    embed::decode_reply(dialect, body, inputs)
}

/// Writes embeddings for the client.
pub fn encode_embed_reply(reply: &EmbedReply, request: &EmbedRequest) -> Bytes {
    embed::encode_reply(reply, request).into()
}

/// Guesses the tokens of a prompt that no provider of its model can count.
pub fn estimate_tokens(request: &Request) -> u64 {
    count::estimate(request)
}

/// Gives the fields of a Responses request that its answer repeats, for [`ReplyContext::echo`].
pub fn echo(body: &[u8]) -> Map<String, Value> {
    openai_responses::echo(body)
}

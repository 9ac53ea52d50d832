//! Embeddings, between OpenAI and Gemini (§7 of the wire formats).

use crate::{
    form::{EmbedReply, EmbedRequest, Refused},
    json::Fields,
    translate::{Notes, Target},
};
use cliproxy_domain::{AttemptError, Dialect, Failure};

pub(crate) fn decode(
    dialect: Dialect,
    verb: &str,
    fields: Fields,
    model: &str,
) -> Result<EmbedRequest, Refused> {
    let _ = (dialect, verb, fields, model);
    Err(Refused::new("model", "embeddings are not translated yet"))
}

pub(crate) fn encode(
    request: &EmbedRequest,
    target: &Target<'_>,
    notes: &mut Notes,
) -> Result<Vec<u8>, Refused> {
    let _ = (request, target, notes);
    Err(Refused::new("model", "embeddings are not translated yet"))
}

pub(crate) fn decode_reply(dialect: Dialect, body: &[u8], inputs: usize) -> Result<EmbedReply, AttemptError> {
    let _ = (dialect, body, inputs);
    Err(AttemptError::new(Failure::MalformedReply, "embeddings are not translated yet"))
}

pub(crate) fn encode_reply(reply: &EmbedReply, request: &EmbedRequest) -> Vec<u8> {
    let _ = (reply, request);
    Vec::new()
}

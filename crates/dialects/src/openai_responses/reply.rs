//! Reading a provider's whole answer, and writing one for a client.

use crate::{
    form::{Losses, Reply},
    translate::ReplyContext,
};
use cliproxy_domain::{AttemptError, Failure};

/// Reads an answer.
pub(crate) fn decode_reply(body: &[u8]) -> Result<Reply, AttemptError> {
    let _ = body;
    Err(AttemptError::new(Failure::MalformedReply, "this dialect is not translated yet"))
}

/// Writes an answer.
pub(crate) fn encode_reply(reply: &Reply, context: &ReplyContext, losses: &mut Losses) -> Vec<u8> {
    let _ = (reply, context, losses);
    Vec::new()
}

//! Where the state of a provider of another dialect travels in an Anthropic client's messages: in the signature of a
//! thinking block (§8.3 of the wire formats).

use crate::{
    form::{Opaque, Place, State},
    translate::ReplyContext,
};
use cliproxy_domain::Dialect;

/// Gives the text of a signature. Anthropic's own goes as it is; all other state goes in an envelope, with the place
/// of the part that it belongs to.
pub(super) fn signature(state: &Opaque, place: Place, context: &ReplyContext) -> String {
    let state = match state {
        Opaque::Sealed(envelope) => return envelope.clone(),
        Opaque::Native(state) if context.upstream == Dialect::Anthropic => return state.payload.clone(),
        Opaque::Native(state) => state,
    };
    // OpenAI's encrypted reasoning works for the organisation that made it alone.
    let bound = (context.upstream == Dialect::OpenAiResponses).then(|| context.credential.clone());
    context.sealer.seal(&State {
        dialect: context.upstream,
        model: Some(context.upstream_model.clone()),
        credential: bound,
        place,
        ..state.clone()
    })
}

/// Tells whether a block without text is written as `redacted_thinking`: as Anthropic says it itself, and for state
/// of others always.
pub(super) fn is_redacted(state: &Opaque, context: &ReplyContext) -> bool {
    match state {
        Opaque::Native(state) if context.upstream == Dialect::Anthropic => state.redacted,
        Opaque::Native(_) | Opaque::Sealed(_) => true,
    }
}

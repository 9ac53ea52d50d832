//! Where envelopes travel in messages of a dialect that has no place for reasoning: in the first call after it, as
//! `extra_content.google.thought_signature`, which clients of Google's compatible endpoint know to send back.
//!
//! One call may have to carry several: those of reasoning that stood before the turn's text come first and end with
//! `;`, then those of reasoning just before the call, with `,` between any two. Neither is a letter of base64.

use crate::{
    envelope::is_envelope,
    form::{Opaque, Place, State},
    translate::ReplyContext,
};
use cliproxy_domain::Dialect;

/// Envelopes on their way to a client or back.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Pocket {
    /// Of reasoning before the text of the turn.
    pub(super) before_text: Vec<String>,
    /// Of reasoning directly before the call, or of the call itself.
    pub(super) before_call: Vec<String>,
}

impl Pocket {
    /// Reads a signature; none for one that no gateway made.
    pub(super) fn read(signature: &str) -> Option<Self> {
        let (text, call) = signature.split_once(';').unwrap_or(("", signature));
        let list = |list: &str| -> Vec<String> {
            list.split(',').filter(|one| is_envelope(one)).map(str::to_owned).collect()
        };
        is_envelope(signature).then(|| Self { before_text: list(text), before_call: list(call) })
    }

    /// Writes what is carried; none when nothing is. The pocket is empty afterwards.
    pub(super) fn take(&mut self) -> Option<String> {
        if self.before_text.is_empty() && self.before_call.is_empty() {
            return None;
        }
        let mut signature = std::mem::take(&mut self.before_text).join(",");
        if !signature.is_empty() {
            signature.push(';');
        }
        signature.push_str(&std::mem::take(&mut self.before_call).join(","));
        Some(signature)
    }

    /// Puts in the state of reasoning whose text is `text`.
    pub(super) fn reasoning(&mut self, state: &Opaque, text: &str, after_text: bool, context: &ReplyContext) {
        let text = (!text.is_empty()).then(|| text.to_owned());
        let envelope = sealed(state, Place::Here, text, context);
        if after_text { self.before_call.push(envelope) } else { self.before_text.push(envelope) }
    }

    /// Puts in the state of the call itself.
    pub(super) fn call(&mut self, state: &Opaque, context: &ReplyContext) {
        // On the way back it stands on reasoning before the call.
        self.before_call.push(sealed(state, Place::Next, None, context));
    }
}

fn sealed(state: &Opaque, place: Place, text: Option<String>, context: &ReplyContext) -> String {
    let state = match state {
        Opaque::Sealed(envelope) => return envelope.clone(),
        Opaque::Native(state) => state,
    };
    // Encrypted reasoning of OpenAI works for the organisation that made it alone.
    let bound = context.upstream == Dialect::OpenAiResponses;
    context.sealer.seal(&State {
        dialect: context.upstream,
        model: Some(context.upstream_model.clone()),
        credential: bound.then(|| context.credential.clone()),
        place,
        text,
        ..state.clone()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::envelope::PREFIX;

    #[test]
    fn envelopes_come_back_in_the_places_that_they_had() {
        let one = |name: &str| format!("{PREFIX}{name}");
        for (before_text, before_call) in
            [(vec!["a", "b"], vec!["c", "d"]), (vec!["a"], vec![]), (vec![], vec!["c"])]
        {
            let pocket = || Pocket {
                before_text: before_text.iter().map(|name| one(name)).collect(),
                before_call: before_call.iter().map(|name| one(name)).collect(),
            };
            let written = pocket().take().unwrap();
            assert_eq!(Pocket::read(&written), Some(pocket()), "{written}");
        }
        assert_eq!(Pocket::default().take(), None);
    }

    #[test]
    fn a_signature_of_a_provider_is_no_envelope() {
        assert_eq!(Pocket::read("CiQBcsjafw=="), None);
    }
}

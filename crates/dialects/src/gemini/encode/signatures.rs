//! Thought signatures on the parts that they belong to (§5.2 and §8.3 of the wire formats).

use crate::{
    form::{Part, PartKind, Place, State},
    translate::Target,
};
use std::borrow::Cow;

/// What the API takes on a call that Gemini did not make.
pub(super) const FILLER: &str = "skip_thought_signature_validator";

/// A part with what is written beside it.
pub(super) struct Signed<'r> {
    pub(super) part: Cow<'r, Part>,
    /// Its signature.
    pub(super) signature: Option<Cow<'static, str>>,
    /// The id that Gemini gave a call.
    pub(super) id: Option<String>,
}

/// The parts of one turn.
pub(super) struct Placed<'r> {
    pub(super) parts: Vec<Signed<'r>>,
    /// Whether a state was left out that is none of this provider's.
    pub(super) lost: bool,
}

/// Puts every signature of this provider on its part, and leaves out reasoning that only its own provider can read.
/// In a `native` turn, thoughts without a state stay: Gemini wrote them.
pub(super) fn place<'r>(
    parts: impl IntoIterator<Item = Cow<'r, Part>>,
    target: &Target<'_>,
    native: bool,
) -> Placed<'r> {
    let mut placed = Placed { parts: Vec::new(), lost: false };
    let mut next: Option<State> = None;
    for part in parts {
        let state = part.state.as_ref().map(|opaque| target.state(opaque));
        placed.lost |= matches!(state, Some(None));
        if !matches!(part.kind, PartKind::Reasoning { .. }) {
            let state = next.take().or(state.flatten().filter(|state| state.place == Place::Here));
            placed.push(part, state);
            continue;
        }
        match state {
            Some(Some(state)) => match state.place {
                Place::Next => next = Some(state),
                Place::Previous => placed.sign_last(state),
                Place::Here => placed.push(part, Some(state)),
            },
            Some(None) => {}
            None if native => placed.push(part, None),
            None => {}
        }
    }
    placed
}

impl<'r> Placed<'r> {
    fn push(&mut self, part: Cow<'r, Part>, state: Option<State>) {
        let (signature, id) = match state {
            Some(state) => (Some(Cow::Owned(state.payload)), state.item_id),
            None => (None, None),
        };
        self.parts.push(Signed { part, signature, id });
    }

    fn sign_last(&mut self, state: State) {
        if let Some(last) = self.parts.last_mut()
            && last.signature.is_none()
        {
            last.signature = Some(Cow::Owned(state.payload));
        }
    }
}

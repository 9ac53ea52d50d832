//! What must be remembered of one candidate.

use super::super::super::{
    answer::{self, Pocket},
    citations::Offsets,
    json_text,
};
use crate::{
    form::{Citation, Finish, Opaque, Place},
    free_input,
    translate::ReplyContext,
};
use std::collections::BTreeMap;

/// A candidate that is being written.
#[derive(Default)]
pub(super) struct Choice {
    pub(super) open: BTreeMap<u32, Block>,
    pub(super) pocket: Pocket,
    pub(super) citations: Vec<Citation>,
    pub(super) offsets: Offsets,
    pub(super) bad_call: bool,
    pub(super) finish: Option<Finish>,
}

/// An open block. Several may be open at once.
pub(super) enum Block {
    /// Text or a refusal, which is written as it comes.
    Text,
    /// Thoughts, kept for the envelope of their state.
    Reasoning(String),
    /// A call, which is written whole.
    Call { id: String, name: String, args: String, free: bool, signature: Option<String> },
}

impl Block {
    pub(super) fn call(id: &str, name: &str, free: bool) -> Self {
        let (id, name) = (id.to_owned(), name.to_owned());
        Block::Call { id, name, args: String::new(), free, signature: None }
    }

    /// Keeps a signature of Gemini's own; gives back what an empty part must carry, and whether that is a thought.
    pub(super) fn keep_own(&mut self, own: &str) -> Option<(String, bool)> {
        match self {
            Block::Text => Some((own.to_owned(), false)),
            Block::Reasoning(thoughts) => Some((own.to_owned(), !thoughts.is_empty())),
            Block::Call { signature, .. } => {
                *signature = Some(own.to_owned());
                None
            }
        }
    }

    /// Keeps the state of another provider in an envelope; gives back what an empty text must carry.
    pub(super) fn keep_foreign(
        &mut self,
        state: &Opaque,
        pocket: &mut Pocket,
        context: &ReplyContext,
    ) -> Option<(String, bool)> {
        match self {
            Block::Text => {
                answer::sealed(state, Place::Previous, None, context).map(|envelope| (envelope, false))
            }
            Block::Reasoning(thoughts) => {
                let envelope = answer::sealed(state, Place::Here, Some(thoughts), context)?;
                pocket.put(envelope).map(|before| (before, false))
            }
            Block::Call { signature, .. } => {
                *signature = answer::sealed(state, Place::Next, None, context);
                None
            }
        }
    }
}

/// Gives the arguments of a whole call as the text of a JSON object; none when they are none.
pub(super) fn arguments(args: String, free: bool) -> Option<String> {
    let args = if free { free_input::wrapped(&args) } else { args };
    json_text::object(&args).map(|args| args.into_owned())
}

//! Ids of the calls in an answer: Gemini 3 gives some, Gemini 2.5 none.

use crate::{tool_ids, translate::Ids};
use std::{
    borrow::Cow,
    collections::HashMap,
    hash::{DefaultHasher, Hash as _, Hasher as _},
};

/// What ids are made from where the provider gave neither the call nor the answer one.
pub(super) enum Seed {
    /// The whole answer: the same gives the same.
    Body(String),
    /// The request's own randomness.
    Ids(Ids),
}

/// The calls of an answer so far. A call is told by its id, or else by its place in the whole answer: never by its
/// place in a chunk, which is the first for each of several calls (pitfall 7 of the wire formats).
pub(super) struct CallIds {
    seed: Seed,
    calls: u32,
    seen: HashMap<(u32, String), u64>,
}

impl CallIds {
    pub(super) fn new(seed: Seed) -> Self {
        Self { seed, calls: 0, seen: HashMap::new() }
    }

    /// Gives the id of the next call; none when this very call came before.
    pub(super) fn next<'c>(
        &mut self,
        answer: Option<&str>,
        choice: u32,
        id: Option<&'c str>,
        what: (&str, &str),
    ) -> Option<Cow<'c, str>> {
        let mut hasher = DefaultHasher::new();
        what.hash(&mut hasher);
        let what = hasher.finish();
        let given = match id {
            None => None,
            Some(id) => match self.seen.insert((choice, id.to_owned()), what) {
                None => Some(id),
                Some(before) if before == what => return None,
                // Another call under the same id would be taken for a part of the first.
                Some(_) => None,
            },
        };
        let ordinal = self.calls;
        self.calls = self.calls.saturating_add(1);
        Some(given.map_or_else(|| Cow::Owned(self.make(answer, ordinal)), Cow::Borrowed))
    }

    fn make(&self, answer: Option<&str>, ordinal: u32) -> String {
        match (answer, &self.seed) {
            (Some(answer), _) => tool_ids::made(answer, ordinal),
            (None, Seed::Body(body)) => tool_ids::made(body, ordinal),
            (None, Seed::Ids(ids)) => ids.call(ordinal),
        }
    }
}

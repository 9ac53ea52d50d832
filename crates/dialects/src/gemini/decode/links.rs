//! Which call a result answers, where the client names no ids: Gemini 2.5 has none.

use crate::tool_ids;
use std::collections::{HashMap, VecDeque};

/// The calls that wait for their results.
#[derive(Default)]
pub(super) struct Links {
    made: u32,
    /// All calls; one that has its result is gone.
    calls: Vec<Option<String>>,
    /// The places of calls, in order, by their id and by their name.
    by_id: HashMap<String, VecDeque<usize>>,
    by_name: HashMap<String, VecDeque<usize>>,
}

impl Links {
    /// Gives the id of a call: the client's, or one that is the same whenever the same history comes.
    pub(super) fn call(&mut self, id: Option<String>, name: &str) -> String {
        let id = id.filter(|id| !id.is_empty()).unwrap_or_else(|| self.make());
        let place = self.calls.len();
        self.by_id.entry(id.clone()).or_default().push_back(place);
        self.by_name.entry(name.to_owned()).or_default().push_back(place);
        self.calls.push(Some(id.clone()));
        id
    }

    /// Gives the id of the call that a result answers: the client's, or that of the first call of its name that has
    /// none yet.
    pub(super) fn result(&mut self, id: Option<String>, name: &str) -> String {
        let given = id.filter(|id| !id.is_empty());
        let places = match &given {
            Some(id) => self.by_id.get_mut(id),
            None => self.by_name.get_mut(name),
        };
        let waiting = first_waiting(places, &mut self.calls);
        given.or(waiting).unwrap_or_else(|| self.make())
    }

    fn make(&mut self) -> String {
        let id = tool_ids::made("", self.made);
        self.made = self.made.saturating_add(1);
        id
    }
}

/// Takes the first call of `places` that has no result yet.
fn first_waiting(places: Option<&mut VecDeque<usize>>, calls: &mut [Option<String>]) -> Option<String> {
    let places = places?;
    while let Some(place) = places.pop_front() {
        if let Some(id) = calls.get_mut(place).and_then(Option::take) {
            return Some(id);
        }
    }
    None
}

//! Which call a result answers, where the client names no ids: Gemini 2.5 has none.

use crate::tool_ids;

/// The calls that wait for their results.
#[derive(Default)]
pub(super) struct Links {
    made: u32,
    waiting: Vec<Call>,
}

struct Call {
    id: String,
    name: String,
}

impl Links {
    /// Gives the id of a call: the client's, or one that is the same whenever the same history comes.
    pub(super) fn call(&mut self, id: Option<String>, name: &str) -> String {
        let id = id.filter(|id| !id.is_empty()).unwrap_or_else(|| self.make());
        self.waiting.push(Call { id: id.clone(), name: name.to_owned() });
        id
    }

    /// Gives the id of the call that a result answers: the client's, or that of the first call of its name that has
    /// none yet.
    pub(super) fn result(&mut self, id: Option<String>, name: &str) -> String {
        let given = id.filter(|id| !id.is_empty());
        let answers = |call: &Call| match &given {
            Some(id) => call.id == *id,
            None => call.name == name,
        };
        let waiting = self.waiting.iter().position(answers).map(|at| self.waiting.remove(at).id);
        given.or(waiting).unwrap_or_else(|| self.make())
    }

    fn make(&mut self) -> String {
        let id = tool_ids::made("", self.made);
        self.made = self.made.saturating_add(1);
        id
    }
}

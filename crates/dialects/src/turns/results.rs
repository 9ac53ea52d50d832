//! The second step: the results of a turn's calls come right after it, one for each call and in their order.

use super::draft::{DraftTurn, Placed};
use crate::{
    form::{PartKind, Refused, Request, Role},
    places,
};
use std::{
    collections::{BTreeMap, VecDeque},
    mem,
};

/// Puts every result into its place. The results of a turn may stand anywhere before the model's next turn.
pub(super) fn settle<'r>(turns: &mut Vec<DraftTurn<'r>>, request: &Request) -> Result<(), Refused> {
    let mut settled: Vec<DraftTurn<'r>> = Vec::with_capacity(turns.len());
    let mut calls: Vec<(usize, String)> = Vec::new();
    let mut between: Vec<DraftTurn<'r>> = Vec::new();
    for turn in mem::take(turns) {
        if turn.role != Role::Assistant {
            between.push(turn);
            continue;
        }
        place(&mut settled, mem::take(&mut calls), mem::take(&mut between), request)?;
        calls = calls_of(&turn);
        settled.push(turn);
    }
    place(&mut settled, calls, between, request)?;
    *turns = settled;
    Ok(())
}

fn calls_of(turn: &DraftTurn<'_>) -> Vec<(usize, String)> {
    let call = |(at, part): &Placed<'_>| match &part.kind {
        PartKind::ToolCall(call) => Some((*at, call.id.clone())),
        _ => None,
    };
    turn.parts.iter().filter_map(call).collect()
}

/// Appends what stands `between` two turns of the model, the results of `calls` first.
fn place<'r>(
    settled: &mut Vec<DraftTurn<'r>>,
    calls: Vec<(usize, String)>,
    between: Vec<DraftTurn<'r>>,
    request: &Request,
) -> Result<(), Refused> {
    let mut results = Results::default();
    let mut rest: Vec<DraftTurn<'r>> = Vec::with_capacity(between.len());
    for mut turn in between {
        let parts = mem::take(&mut turn.parts);
        turn.parts = parts.into_iter().filter_map(|placed| results.take(placed)).collect();
        if !turn.parts.is_empty() {
            rest.push(turn);
        }
    }
    let mut first = DraftTurn { role: Role::User, parts: Vec::with_capacity(calls.len()) };
    for (at, id) in calls {
        first.parts.push(results.of(&id).ok_or_else(|| no_result(request, at))?);
    }
    if let Some(at) = results.left() {
        return Err(no_call(request, at));
    }
    let turns = if first.parts.is_empty() { rest } else { [first].into_iter().chain(rest).collect() };
    for turn in turns {
        match settled.last_mut() {
            Some(last) if last.role == turn.role => last.parts.extend(turn.parts),
            _ => settled.push(turn),
        }
    }
    Ok(())
}

/// Results that have no place yet, by the call that they answer. Providers without ids use one again, so that
/// several may answer to the same.
#[derive(Default)]
struct Results<'r>(BTreeMap<String, VecDeque<Placed<'r>>>);

impl<'r> Results<'r> {
    /// Keeps a result; gives back what is none.
    fn take(&mut self, placed: Placed<'r>) -> Option<Placed<'r>> {
        let PartKind::ToolResult(result) = &placed.1.kind else { return Some(placed) };
        self.0.entry(result.id.clone()).or_default().push_back(placed);
        None
    }

    fn of(&mut self, id: &str) -> Option<Placed<'r>> {
        self.0.get_mut(id)?.pop_front()
    }

    /// Gives the turn of the first result that nobody asked for.
    fn left(&self) -> Option<usize> {
        self.0.values().flatten().map(|(at, _)| *at).min()
    }
}

fn no_result(request: &Request, at: usize) -> Refused {
    let path = places::turn_of(request, at);
    let message = format!(
        "a tool call in `{path}` has no result before the model's next message: send one result for each call"
    );
    Refused::new(path, message)
}

fn no_call(request: &Request, at: usize) -> Refused {
    let path = places::turn_of(request, at);
    let message = format!(
        "a tool result in `{path}` answers no call of the model's message before it: send one result for each call, with the call's id"
    );
    Refused::new(path, message)
}

//! What Anthropic cannot be told: refused, or left out with a warning (§11 of the wire formats).

use crate::{
    form::{Part, PartKind, Refused, Request, Turn},
    places,
    translate::Notes,
    words::{Word, word},
};
use cliproxy_domain::{Dialect, Need};
use serde_json::Value;

/// Refuses what the meaning of the request hangs on.
pub(super) fn refuse(request: &Request) -> Result<(), Refused> {
    let needs = request.needs(Dialect::Anthropic).and(Dialect::Anthropic.lacks());
    if let Some(need) = needs.iter().next() {
        return Err(Refused::lacking(need, request.field_of(need)));
    }
    if request.needs(Dialect::Anthropic).has(Need::ServerState) {
        return Err(Refused::lacking(Need::ServerState, request.field_of(Need::ServerState)));
    }
    // A policy that blocks is a promise to the client's users; one that reports is not.
    let blocks = |moderation: &Value| moderation.to_string().contains("\"block\"");
    if request.from == Dialect::OpenAiChat && request.bag.get("moderation").is_some_and(blocks) {
        let message = "`moderation` that blocks is OpenAI's alone: leave it out, or use a model of OpenAI";
        return Err(Refused::new("moderation", message));
    }
    Ok(())
}

/// Notes the parameters of the answer that are left out; `samples` tells whether tokens can be drawn as asked.
pub(super) fn drop_parameters(request: &Request, samples: bool, notes: &mut Notes) -> Result<(), Refused> {
    let sampling = &request.sampling;
    let lost = [
        (Word::PresencePenalty, sampling.presence_penalty.is_some()),
        (Word::FrequencyPenalty, sampling.frequency_penalty.is_some()),
        (Word::Seed, sampling.seed.is_some()),
        (Word::TopLogprobs, sampling.top_logprobs.is_some()),
        (Word::Temperature, !samples && sampling.temperature.is_some()),
        (Word::TopP, !samples && sampling.top_p.is_some()),
        (Word::TopK, !samples && sampling.top_k.is_some()),
        (Word::Stop, request.stop.iter().any(|stop| stop.trim().is_empty())),
        (Word::Verbosity, request.verbosity.is_some()),
    ];
    for (name, _) in lost.into_iter().filter(|(_, lost)| *lost) {
        notes.losses.dropped(word(name, request))?;
    }
    if request.metadata.is_some() {
        notes.losses.dropped("metadata")?;
    }
    Ok(())
}

/// Notes the fields that only the client's own dialect has.
pub(super) fn drop_foreign(request: &Request, notes: &mut Notes) -> Result<(), Refused> {
    for name in request.bag.foreign_to(Dialect::Anthropic) {
        // Whether OpenAI keeps the answer says nothing about the answer.
        if name != "store" {
            notes.losses.dropped(name.to_owned())?;
        }
    }
    let list = places::list(request.from);
    for turn in &request.turns {
        drop_of_turn(turn, list, notes)?;
    }
    for tool in &request.tools {
        for name in tool.bag.foreign_to(Dialect::Anthropic) {
            notes.losses.dropped(format!("tools.{name}"))?;
        }
    }
    Ok(())
}

fn drop_of_turn(turn: &Turn, list: &str, notes: &mut Notes) -> Result<(), Refused> {
    if turn.name.is_some() {
        notes.losses.dropped(format!("{list}.name"))?;
    }
    // Messages are merged on their way, so that fields beside their content find no place in any dialect.
    let own = turn.bag.of(Dialect::Anthropic).map(|(name, _)| name);
    for name in turn.bag.foreign_to(Dialect::Anthropic).chain(own) {
        notes.losses.dropped(format!("{list}.{name}"))?;
    }
    turn.parts.iter().try_for_each(|part| drop_of_part(part, list, notes))
}

fn drop_of_part(part: &Part, list: &str, notes: &mut Notes) -> Result<(), Refused> {
    for name in part.bag.foreign_to(Dialect::Anthropic) {
        notes.losses.dropped(format!("{list}.{name}"))?;
    }
    match &part.kind {
        PartKind::ToolResult(result) => {
            result.content.iter().try_for_each(|part| drop_of_part(part, list, notes))
        }
        PartKind::Image { detail: Some(detail), .. } if *detail != crate::form::Detail::Auto => {
            notes.losses.dropped(format!("{list}.detail"))
        }
        _ => Ok(()),
    }
}

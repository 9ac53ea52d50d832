//! What Gemini cannot be told (§11 of the wire formats), as far as it shows before anything is written.

use crate::{
    form::{Part, PartKind, Refused, Request},
    places,
    translate::Notes,
    words::{Word, word},
};
use cliproxy_domain::{Dialect, Need};
use serde_json::Value;

/// Fields that say nothing about the answer, or that caches do without: left out without a word.
const SILENT: [&str; 1] = ["store"];

/// Notes what is left out, and refuses what the meaning hangs on. What came from Gemini loses nothing.
pub(super) fn note(request: &Request, notes: &mut Notes) -> Result<(), Refused> {
    if request.from == Dialect::Gemini {
        return Ok(());
    }
    if let Some(name) = request.server_state.first() {
        return Err(Refused::lacking(Need::ServerState, *name));
    }
    if request.media_output {
        // Sound and images come in other formats, and are asked for with other voices and sizes.
        return Err(Refused::lacking(Need::MediaOutput, request.field_of(Need::MediaOutput)));
    }
    if let Some(moderation) = request.bag.get("moderation")
        && moderation.get("policy").and_then(Value::as_str) == Some("block")
    {
        return Err(Refused::new(
            "moderation",
            "`moderation` blocks answers, which this provider is not told: leave it out, or use a provider of this API",
        ));
    }
    top_level(request, notes)?;
    messages(request, notes)?;
    for tool in &request.tools {
        for name in tool.bag.foreign_to(Dialect::Gemini) {
            notes.losses.dropped(format!("tools.{name}"))?;
        }
    }
    Ok(())
}

fn top_level(request: &Request, notes: &mut Notes) -> Result<(), Refused> {
    let losses = &mut notes.losses;
    for name in request.bag.foreign_to(Dialect::Gemini).filter(|name| !SILENT.contains(name)) {
        losses.dropped(name.to_owned())?;
    }
    let absent = [
        (request.verbosity.is_some(), word(Word::Verbosity, request)),
        (request.user.is_some(), word(Word::User, request)),
        (request.metadata.is_some(), "metadata"),
        (
            request.parallel_tools == Some(false) && !request.tools.is_empty(),
            word(Word::ParallelTools, request),
        ),
    ];
    for (_, field) in absent.into_iter().filter(|(said, _)| *said) {
        losses.dropped(field)?;
    }
    Ok(())
}

fn messages(request: &Request, notes: &mut Notes) -> Result<(), Refused> {
    let list = places::list(request.from);
    for turn in &request.turns {
        if turn.name.is_some() {
            notes.losses.dropped(format!("{list}.name"))?;
        }
        for name in turn.bag.foreign_to(Dialect::Gemini) {
            notes.losses.dropped(format!("{list}.{name}"))?;
        }
        for part in &turn.parts {
            self::part(part, list, notes)?;
        }
    }
    Ok(())
}

fn part(part: &Part, list: &str, notes: &mut Notes) -> Result<(), Refused> {
    for name in part.bag.foreign_to(Dialect::Gemini) {
        notes.losses.dropped(format!("{list}.{name}"))?;
    }
    if let PartKind::ToolResult(result) = &part.kind {
        for inner in &result.content {
            for name in inner.bag.foreign_to(Dialect::Gemini) {
                notes.losses.dropped(format!("{list}.{name}"))?;
            }
        }
    }
    Ok(())
}

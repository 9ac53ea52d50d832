//! Parameters beside messages and tools (§9.1 and §9.2 of the wire formats).

use super::Scope;
use crate::{
    effort,
    form::{Refused, Tier, ToolKind},
    json::Object,
    translate::Notes,
    words::Word,
};
use cliproxy_domain::{Dialect, Effort, Thinking};
use serde_json::Number;

/// Stop texts that OpenAI takes.
const MAX_STOPS: usize = 4;

/// Writes them.
pub(super) fn write(body: &mut Object<'_>, scope: &Scope<'_>, notes: &mut Notes) -> Result<(), Refused> {
    let request = scope.request;
    body.maybe(scope.target.profile.max_tokens.as_str(), request.max_output);
    sampling(body, scope, notes)?;
    stop(body, scope)?;
    body.maybe("n", request.choices);
    if let Some(effort) = thinking(scope, notes)? {
        body.field("reasoning_effort", effort.as_str());
    }
    body.maybe("verbosity", request.verbosity.as_deref());
    user(body, scope);
    body.maybe("metadata", request.metadata.as_ref());
    tier(body, scope, notes)?;
    body.maybe("prompt_cache_key", request.cache_key.as_deref());
    Ok(())
}

fn sampling(body: &mut Object<'_>, scope: &Scope<'_>, notes: &mut Notes) -> Result<(), Refused> {
    let sampling = &scope.request.sampling;
    let drawn: [(Word, &'static str, &Option<Number>); 4] = [
        (Word::Temperature, "temperature", &sampling.temperature),
        (Word::TopP, "top_p", &sampling.top_p),
        (Word::PresencePenalty, "presence_penalty", &sampling.presence_penalty),
        (Word::FrequencyPenalty, "frequency_penalty", &sampling.frequency_penalty),
    ];
    for (field, name, number) in drawn {
        let Some(number) = number else { continue };
        if scope.target.traits.sampling {
            body.field(name, number);
        } else {
            notes.losses.dropped(scope.word(field))?;
        }
    }
    if let Some(top_k) = &sampling.top_k {
        // Not in this dialect; a client that has sent it nevertheless knows its server.
        if scope.own && scope.target.traits.sampling {
            body.field("top_k", top_k);
        } else {
            notes.losses.dropped(scope.word(Word::TopK))?;
        }
    }
    body.maybe("seed", sampling.seed.as_ref());
    let implied = !scope.own && sampling.top_logprobs.is_some();
    body.maybe("logprobs", sampling.logprobs.or(implied.then_some(true)));
    body.maybe("top_logprobs", sampling.top_logprobs);
    Ok(())
}

fn stop(body: &mut Object<'_>, scope: &Scope<'_>) -> Result<(), Refused> {
    let stop = &scope.request.stop;
    if !scope.own && stop.len() > MAX_STOPS {
        let field = scope.word(Word::Stop);
        let message = format!(
            "`{field}` has {} texts, and this provider takes {MAX_STOPS}: send fewer, or use another model",
            stop.len()
        );
        return Err(Refused::new(field, message));
    }
    body.maybe("stop", (!stop.is_empty()).then_some(stop));
    Ok(())
}

/// Decides on the effort that is written, if any.
fn thinking(scope: &Scope<'_>, notes: &mut Notes) -> Result<Option<Effort>, Refused> {
    let Some(asked) = scope.request.reasoning.effort else { return Ok(None) };
    let field = scope.word(Word::Effort);
    let traits = scope.target.traits;
    if traits.thinking == Thinking::Never {
        if asked != Effort::None {
            notes.losses.dropped(field)?;
        }
        return Ok(None);
    }
    let calls = scope.request.tools.iter().any(|tool| !matches!(tool.kind, ToolKind::Vendor { .. }));
    if traits.tools_need_responses && calls && asked != Effort::None {
        notes.losses.changed(field, "disabled")?;
        return Ok(Some(Effort::None));
    }
    let known: Vec<Effort> = traits
        .efforts
        .iter()
        .copied()
        .filter(|effort| *effort != Effort::None || traits.thinking_optional)
        .collect();
    if asked == Effort::None && !traits.thinking_optional && known.is_empty() {
        // Nobody said what the least is that the model takes.
        notes.losses.dropped(field)?;
        return Ok(None);
    }
    let nearest = effort::nearest(asked, &known);
    if let Some(how) = effort::change(asked, nearest) {
        notes.losses.changed(field, how)?;
    }
    Ok(Some(nearest))
}

fn user(body: &mut Object<'_>, scope: &Scope<'_>) {
    // A client's older name is given back among the fields that are of this dialect alone.
    if scope.own && scope.request.quiet.get("user").is_some() {
        return;
    }
    // Compatible servers know the older name.
    let name = if scope.plain() { "user" } else { "safety_identifier" };
    body.maybe(name, scope.request.user.as_deref());
}

fn tier(body: &mut Object<'_>, scope: &Scope<'_>, notes: &mut Notes) -> Result<(), Refused> {
    let Some(tier) = &scope.request.tier else { return Ok(()) };
    let openai = matches!(scope.request.from, Dialect::OpenAiChat | Dialect::OpenAiResponses);
    if matches!(tier, Tier::Other(_)) && !openai {
        return notes.losses.dropped(scope.word(Word::Tier));
    }
    body.field("service_tier", super::super::words::of_tier(tier));
    Ok(())
}

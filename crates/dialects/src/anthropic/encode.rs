//! Writing a request for a provider.

mod blocks;
mod losses;
mod marks;
mod media;
mod messages;
mod thinking;
mod tools;
mod words;

use crate::{
    form::{OutputFormat, Part, Refused, Request, Tier},
    json::Object,
    schema,
    translate::{Notes, Target},
    turns::{self, Conversation, Rules},
    words::{Word, word},
};
use blocks::Writer;
use cliproxy_domain::{Dialect, Need};
use marks::Marks;
use serde_json::{Number, Value};
use std::borrow::Cow;
use thinking::Plan;
use tools::Tools;

/// The version in which sampling parameters are taken.
const OLD_VERSION: &str = "2023-06-01";
/// The version for everything else.
const VERSION: &str = "2026-10-21";

/// Fields of the client's own that say how an answer is made, and that counting refuses.
const OF_ANSWERS: [&str; 4] = ["service_tier", "inference_geo", "diagnostics", "container"];

/// Writes a request.
pub(crate) fn encode_request(
    request: &Request,
    target: &Target<'_>,
    notes: &mut Notes,
) -> Result<Vec<u8>, Refused> {
    write(request, target, notes, true)
}

/// Writes a request for the number of tokens of its prompt: what says how an answer is made is no part of it.
pub(crate) fn encode_count(
    request: &Request,
    target: &Target<'_>,
    notes: &mut Notes,
) -> Result<Vec<u8>, Refused> {
    write(request, target, notes, false)
}

fn write(
    request: &Request,
    target: &Target<'_>,
    notes: &mut Notes,
    answers: bool,
) -> Result<Vec<u8>, Refused> {
    let own = request.from == Dialect::Anthropic;
    losses::refuse(request)?;
    losses::drop_foreign(request, notes)?;
    let rules = Rules {
        system_anywhere: own || target.traits.system_anywhere,
        prefill: own || target.traits.prefill,
    };
    let mut conversation = turns::ordered(request, rules, notes)?;
    ask_for_json(request, &mut conversation, notes)?;
    let mut tools = Tools::of(request, target, notes)?;
    let cover = messages::cover(&conversation, request, target);
    let plan = thinking::plan(request, target, cover, &mut tools, notes)?;
    let marks = Marks::of(request, &tools, &conversation);

    let mut out = Vec::with_capacity(4096);
    let mut object = Object::new(&mut out);
    object.field("model", target.model);
    if answers {
        object.field("max_tokens", &plan.max_tokens);
    }
    // The cache covers tools, instructions and messages in this order; so are the marks counted.
    let thinking_first = !own && plan.is_manual();
    let mut writer = Writer { request, target, notes, marks, thinking_first };
    tools.write(&mut object, target, own, &mut writer.marks, writer.notes)?;
    messages::system(&conversation.system, &mut object, &mut writer)?;
    messages::messages(&conversation.turns, &mut object, &mut writer)?;
    writer.marks.write(request.cache.as_ref(), &mut object);
    plan.write(&mut object);
    output_config(request, target, &plan, &mut object)?;
    let sampled = answers && parameters(request, target, &plan, &mut object, notes)?;
    // The older version takes all that the newer takes, and a client of this dialect may have written for either.
    notes.anthropic_version = Some(if own || sampled { OLD_VERSION } else { VERSION });
    let left = request.bag.of(Dialect::Anthropic).filter(|(name, _)| {
        !matches!(*name, "metadata" | "output_config") && (answers || !OF_ANSWERS.contains(name))
    });
    object.bag(left);
    drop(object);
    Ok(out)
}

/// Emulates JSON mode without a schema.
fn ask_for_json(
    request: &Request,
    conversation: &mut Conversation<'_>,
    notes: &mut Notes,
) -> Result<(), Refused> {
    if matches!(request.format, Some(OutputFormat::Json)) {
        notes.losses.changed(word(Word::Format, request), "emulated")?;
        conversation.system.push(Cow::Owned(Part::text(messages::ONE_OBJECT)));
    }
    Ok(())
}

fn output_config(
    request: &Request,
    target: &Target<'_>,
    plan: &Plan<'_>,
    object: &mut Object<'_>,
) -> Result<(), Refused> {
    let schema = match &request.format {
        Some(OutputFormat::Schema { schema, .. }) if !target.traits.lacks.has(Need::StructuredOutput) => {
            // A client of this dialect writes the subset itself.
            Some(if request.from == Dialect::Anthropic {
                Cow::Borrowed(schema)
            } else {
                Cow::Owned(schema::for_anthropic(schema, word(Word::Format, request))?)
            })
        }
        _ => None,
    };
    let left = own_fields(request, "output_config");
    if schema.is_none() && plan.effort().is_none() && left.is_none() {
        return Ok(());
    }
    let mut config = object.object("output_config");
    config.maybe("effort", plan.effort());
    if let Some(schema) = &schema {
        config.object("format").field("type", "json_schema").field("schema", schema);
    }
    config.bag(left.into_iter().flatten().map(|(name, value)| (name.as_str(), value)));
    Ok(())
}

/// Writes what says how the answer is made, and tells whether sampling parameters are among that.
fn parameters(
    request: &Request,
    target: &Target<'_>,
    plan: &Plan<'_>,
    object: &mut Object<'_>,
    notes: &mut Notes,
) -> Result<bool, Refused> {
    // Thinking goes without sampling; a client of this dialect knows what goes with it.
    let samples = target.traits.sampling && (request.from == Dialect::Anthropic || !plan.thinks());
    losses::drop_parameters(request, samples, notes)?;
    let stop: Vec<_> = request.stop.iter().filter(|stop| !stop.trim().is_empty()).collect();
    if !stop.is_empty() {
        object.field("stop_sequences", &stop);
    }
    let left = own_fields(request, "metadata");
    if request.user.is_some() || left.is_some() {
        let mut metadata = object.object("metadata");
        metadata.maybe("user_id", request.user.as_deref());
        metadata.bag(left.into_iter().flatten().map(|(name, value)| (name.as_str(), value)));
    }
    tier(request, object, notes)?;
    if request.stream {
        object.field("stream", &true);
    }
    if !samples {
        return Ok(false);
    }
    let sampling = &request.sampling;
    if let Some(temperature) = &sampling.temperature {
        let hot = temperature.as_f64().is_some_and(|temperature| temperature > 1.0);
        if hot && request.from != Dialect::Anthropic {
            notes.losses.changed(word(Word::Temperature, request), "clamped")?;
            object.field("temperature", &Number::from(1));
        } else {
            object.field("temperature", temperature);
        }
    }
    object.maybe("top_p", sampling.top_p.as_ref()).maybe("top_k", sampling.top_k.as_ref());
    Ok(sampling.temperature.is_some() || sampling.top_p.is_some() || sampling.top_k.is_some())
}

/// Fast mode has to be enabled for an account, which a client of another dialect cannot know.
fn tier(request: &Request, object: &mut Object<'_>, notes: &mut Notes) -> Result<(), Refused> {
    let own = request.from == Dialect::Anthropic;
    match &request.tier {
        None => {}
        Some(Tier::Auto | Tier::Priority) => {
            object.field("service_tier", "auto");
        }
        Some(Tier::Standard) => {
            object.field("service_tier", "standard_only");
        }
        Some(Tier::Fast) if own => {
            object.field("speed", "fast");
        }
        Some(Tier::Other(word)) if own => {
            object.field("service_tier", word);
        }
        Some(Tier::Flex | Tier::Fast | Tier::Other(_)) => {
            notes.losses.dropped(word(Word::Tier, request))?;
        }
    }
    Ok(())
}

/// Gives what a client of this dialect wrote in an object beside the fields that the form holds.
fn own_fields<'r>(request: &'r Request, name: &str) -> Option<&'r serde_json::Map<String, Value>> {
    let mut own = request.bag.of(Dialect::Anthropic);
    own.find(|(field, _)| *field == name).and_then(|(_, left)| left.as_object())
}

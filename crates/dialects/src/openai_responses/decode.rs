//! Reading a client's request.

mod content;
mod items;
mod tools;

pub(super) use items::{is_message_part, role_name};

use crate::{
    form::{Bag, OutputFormat, Part, Refused, Request, Role, Tier, Turn},
    json::Fields,
};
use cliproxy_domain::{Dialect, Effort};
use serde_json::{Map, Value};

const OWN: Dialect = Dialect::OpenAiResponses;
/// What asks for encrypted reasoning.
pub(super) const INCLUDE_STATE: &str = "reasoning.encrypted_content";
/// What asks for log probabilities.
pub(super) const INCLUDE_LOGPROBS: &str = "message.output_text.logprobs";

/// Fields that go back to their own dialect and say nothing to another: the gateway's requests store nothing,
/// its streams hold no obfuscation, and a default said aloud is a default.
struct Kept {
    quiet: Map<String, Value>,
    /// What is left of objects of which a part was read.
    loud: Map<String, Value>,
}

/// Reads a request. `model` and `stream` are filled in by the caller.
pub(crate) fn decode_request(mut fields: Fields) -> Result<Request, Refused> {
    let mut request = Request::new(OWN, fields.text("model")?.unwrap_or_default());
    let mut kept = Kept { quiet: Map::new(), loud: Map::new() };
    request.stream = fields.flag("stream")?.unwrap_or(false);
    if let Some(text) = fields.text("instructions")? {
        request.turns.push(Turn::new(Role::System, vec![Part::text(text)]));
        // That they did not come as an item.
        kept.quiet.insert("instructions".to_owned(), Value::Bool(true));
    }
    server_state(&mut fields, &mut request, &mut kept);
    items::read(&mut fields, &mut request)?;
    tools::read(&mut fields, &mut request)?;
    text(&mut fields, &mut request, &mut kept)?;
    reasoning(&mut fields, &mut request, &mut kept)?;
    sampling(&mut fields, &mut request, &mut kept)?;
    identity(&mut fields, &mut request, &mut kept)?;
    keep_defaults(&mut fields, &mut kept);
    let mut bag = rest(fields);
    bag.extend(kept.loud);
    request.bag = Bag::new(OWN, bag);
    request.quiet = Bag::new(OWN, kept.quiet);
    Ok(request)
}

/// Names what refers to state of the provider; the values stay in the bag.
fn server_state(fields: &mut Fields, request: &mut Request, kept: &mut Kept) {
    for name in ["previous_response_id", "conversation", "prompt"] {
        if fields.peek(name).is_some() {
            request.server_state.push(name);
        }
    }
    match fields.peek("background") {
        Some(Value::Bool(true)) => request.server_state.push("background"),
        Some(Value::Bool(false)) => keep(fields, "background", &mut kept.quiet),
        _ => {}
    }
}

fn keep(fields: &mut Fields, name: &str, into: &mut Map<String, Value>) {
    if let Some(value) = fields.take(name) {
        into.insert(name.to_owned(), value);
    }
}

fn keep_defaults(fields: &mut Fields, kept: &mut Kept) {
    for name in ["store", "stream_options"] {
        keep(fields, name, &mut kept.quiet);
    }
    if fields.peek_text("truncation") == Some("disabled") {
        keep(fields, "truncation", &mut kept.quiet);
    }
}

fn text(fields: &mut Fields, request: &mut Request, kept: &mut Kept) -> Result<(), Refused> {
    let Some(mut text) = fields.object("text")? else { return Ok(()) };
    request.verbosity = text.text("verbosity")?;
    if let Some(format) = text.object("format")? {
        request.format = Some(output_format(format)?);
    }
    keep_rest(text, "text", kept);
    Ok(())
}

fn keep_rest(fields: Fields, name: &str, kept: &mut Kept) {
    let rest = rest(fields);
    if !rest.is_empty() {
        kept.loud.insert(name.to_owned(), Value::Object(rest));
    }
}

/// Gives what was not taken of an object.
fn rest(fields: Fields) -> Map<String, Value> {
    match fields.into_value() {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn output_format(mut format: Fields) -> Result<OutputFormat, Refused> {
    match format.required_text("type")?.as_str() {
        "text" => Ok(OutputFormat::Text),
        "json_object" => Ok(OutputFormat::Json),
        "json_schema" => Ok(OutputFormat::Schema {
            name: format.text("name")?,
            description: format.text("description")?,
            schema: format.take("schema").ok_or_else(|| format.missing("schema"))?,
            strict: format.flag("strict")?,
        }),
        _ => Err(format.wrong("type", "`text`, `json_object` or `json_schema`")),
    }
}

fn reasoning(fields: &mut Fields, request: &mut Request, kept: &mut Kept) -> Result<(), Refused> {
    let Some(mut reasoning) = fields.object("reasoning")? else { return Ok(()) };
    if let Some(effort) = reasoning.text("effort")? {
        let known = Effort::parse(&effort);
        let wrong =
            || reasoning.wrong("effort", "one of `none minimal low medium high xhigh max`, or left out");
        request.reasoning.effort = Some(known.ok_or_else(wrong)?);
    }
    let mut quiet = Map::new();
    for name in ["summary", "generate_summary"] {
        if let Some(value) = reasoning.take(name) {
            request.reasoning.shown = Some(true);
            quiet.insert(name.to_owned(), value);
        }
    }
    if !quiet.is_empty() {
        kept.quiet.insert("reasoning".to_owned(), Value::Object(quiet));
    }
    keep_rest(reasoning, "reasoning", kept);
    Ok(())
}

fn sampling(fields: &mut Fields, request: &mut Request, kept: &mut Kept) -> Result<(), Refused> {
    request.sampling.temperature = fields.number("temperature")?;
    request.sampling.top_p = fields.number("top_p")?;
    request.sampling.top_logprobs = fields.count("top_logprobs")?;
    request.max_output = fields.count("max_output_tokens")?;
    let include = fields.list("include")?;
    if include.iter().any(|what| what == INCLUDE_LOGPROBS) {
        request.sampling.logprobs = Some(true);
    }
    if !include.is_empty() {
        let all_read = include.iter().all(|what| what == INCLUDE_STATE || what == INCLUDE_LOGPROBS);
        let into = if all_read { &mut kept.quiet } else { &mut kept.loud };
        into.insert("include".to_owned(), Value::Array(include));
    }
    Ok(())
}

fn identity(fields: &mut Fields, request: &mut Request, kept: &mut Kept) -> Result<(), Refused> {
    request.user = fields.text("safety_identifier")?;
    // The older name; kept so that its own dialect gets back what was said.
    if let Some(user) = fields.text("user")? {
        kept.quiet.insert("user".to_owned(), Value::String(user.clone()));
        request.user.get_or_insert(user);
    }
    request.cache_key = fields.text("prompt_cache_key")?;
    request.metadata = fields.object("metadata")?.map(rest);
    request.tier = fields.text("service_tier")?.map(tier);
    Ok(())
}

/// Reads a service tier, of a request or of an answer.
pub(super) fn tier(name: String) -> Tier {
    match name.as_str() {
        "auto" => Tier::Auto,
        "default" => Tier::Standard,
        "flex" => Tier::Flex,
        "priority" => Tier::Priority,
        "fast" => Tier::Fast,
        _ => Tier::Other(name),
    }
}

#[cfg(test)]
mod tests;

//! Reading a client's request.

mod blocks;
mod thinking;
mod tools;

pub(super) use blocks::{block, cache_mark};

use crate::{
    form::{Bag, OutputFormat, Refused, Request, Role, Tier, Turn},
    json::Fields,
};
use cliproxy_domain::Dialect;
use serde_json::{Map, Value};

/// Reads a request. `model` and `stream` are filled in by the caller.
pub(crate) fn decode_request(mut fields: Fields) -> Result<Request, Refused> {
    let mut request = Request::new(Dialect::Anthropic, fields.text("model")?.unwrap_or_default());
    request.max_output = fields.count("max_tokens")?;
    request.stream = fields.flag("stream")?.unwrap_or_default();
    let system = blocks::content(&mut fields, "system")?;
    if !system.is_empty() {
        request.turns.push(Turn::new(Role::System, system));
    }
    for message in messages(&mut fields)? {
        request.turns.push(turn(message)?);
    }
    request.sampling.temperature = fields.number("temperature")?;
    request.sampling.top_p = fields.number("top_p")?;
    request.sampling.top_k = fields.number("top_k")?;
    request.stop = stop(&mut fields)?;
    tools::read(&mut fields, &mut request)?;
    request.cache = cache_mark(&mut fields);
    request.tier = tier(&mut fields)?;
    if fields.peek("container").is_some() {
        request.server_state.push("container");
    }

    let mut nested = Nested::default();
    let mut metadata = fields.object("metadata")?;
    if let Some(metadata) = &mut metadata {
        request.user = metadata.text("user_id")?;
    }
    nested.keep("metadata", metadata);
    let mut output = fields.object("output_config")?;
    if let Some(output) = &mut output {
        request.format = format(output)?;
    }
    request.quiet = thinking::read(&mut fields, output.as_mut(), &mut request.reasoning)?;
    nested.keep("output_config", output);
    request.bag = nested.beside(fields);
    Ok(request)
}

fn messages(fields: &mut Fields) -> Result<Vec<Fields>, Refused> {
    if fields.peek("messages").is_none() {
        return Err(fields.missing("messages"));
    }
    fields.objects("messages")
}

fn turn(mut fields: Fields) -> Result<Turn, Refused> {
    let role = match fields.required_text("role")?.as_str() {
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "system" => Role::System,
        _ => return Err(fields.wrong("role", "`user`, `assistant` or `system`")),
    };
    if fields.peek("content").is_none() {
        return Err(fields.missing("content"));
    }
    let parts = blocks::content(&mut fields, "content")?;
    Ok(Turn { bag: fields.rest(Dialect::Anthropic), ..Turn::new(role, parts) })
}

fn stop(fields: &mut Fields) -> Result<Vec<String>, Refused> {
    let texts = fields.list("stop_sequences")?.into_iter().map(|value| match value {
        Value::String(text) => Ok(text),
        _ => Err(fields.wrong("stop_sequences", "an array of strings")),
    });
    texts.collect()
}

/// Fast mode is a field of its own; where it is on, the tier beside it means nothing elsewhere and stays in the
/// bag.
fn tier(fields: &mut Fields) -> Result<Option<Tier>, Refused> {
    match fields.peek_text("speed") {
        Some("fast") => {
            fields.take("speed");
            return Ok(Some(Tier::Fast));
        }
        Some("standard") => {
            fields.take("speed");
        }
        _ => {}
    }
    Ok(fields.text("service_tier")?.map(|tier| match tier.as_str() {
        "auto" => Tier::Auto,
        "standard_only" => Tier::Standard,
        _ => Tier::Other(tier),
    }))
}

fn format(output: &mut Fields) -> Result<Option<OutputFormat>, Refused> {
    let is_schema = |format: &Value| format.get("type").and_then(Value::as_str) == Some("json_schema");
    if !output.peek("format").is_some_and(is_schema) {
        return Ok(None);
    }
    let mut format = output.required_object("format")?;
    let schema = blocks::verbatim(&mut format, "schema")?.ok_or_else(|| format.missing("schema"))?;
    Ok(Some(OutputFormat::Schema { name: None, description: None, schema, strict: None }))
}

/// What was left of objects whose known fields are in the form: it rides in the bag under the object's name.
#[derive(Default)]
struct Nested(Vec<(&'static str, Value)>);

impl Nested {
    fn keep(&mut self, name: &'static str, left: Option<Fields>) {
        let left = left.map(Fields::into_value);
        if let Some(left) = left.filter(|left| left.as_object().is_some_and(|left| !left.is_empty())) {
            self.0.push((name, left));
        }
    }

    fn beside(self, fields: Fields) -> Bag {
        let mut all = match fields.into_value() {
            Value::Object(map) => map,
            _ => Map::new(),
        };
        all.extend(self.0.into_iter().map(|(name, left)| (name.to_owned(), left)));
        Bag::new(Dialect::Anthropic, all)
    }
}

//! Reading a client's request (§2.1 of the wire formats).

mod messages;
mod parts;
mod tools;

use super::{CHAT, words};
use crate::{
    form::{Bag, OutputFormat, Refused, Request, Sampling},
    json::Fields,
};
use cliproxy_domain::Effort;
use serde_json::{Map, Value};

/// Reads a request. Older names (`max_tokens`, `user`, `functions`, `function_call`) are read as their successors.
pub(crate) fn decode_request(mut fields: Fields) -> Result<Request, Refused> {
    let model = fields.text("model")?.unwrap_or_default();
    let mut request = Request::new(CHAT, model);
    request.turns = messages::read(&mut fields)?;
    request.tools = tools::read(&mut fields)?;
    request.tool_choice = tools::choice(&mut fields)?;
    request.parallel_tools = fields.flag("parallel_tool_calls")?;
    request.format = format(&mut fields)?;
    request.sampling = sampling(&mut fields)?;
    let older_limit = fields.count("max_tokens")?;
    request.max_output = fields.count("max_completion_tokens")?.or(older_limit);
    request.stop = stop(&mut fields)?;
    request.choices = fields.count("n")?;
    request.reasoning.effort = effort(&mut fields);
    request.verbosity = fields.text("verbosity")?;
    request.media_output = wants_media(&fields);
    request.user = fields.text("safety_identifier")?;
    let older_user = request.user.is_none();
    if older_user {
        request.user = user(&fields)?;
    }
    request.metadata = metadata(&mut fields)?;
    request.tier = fields.text("service_tier")?.map(words::tier_of);
    request.cache_key = fields.text("prompt_cache_key")?;
    request.stream = fields.flag("stream")?.unwrap_or(false);
    let mut stream_options = fields.object("stream_options")?;
    if let Some(options) = &mut stream_options {
        request.stream_usage = options.flag("include_usage")?.unwrap_or(false);
    }
    request.quiet = quiet(&mut fields, stream_options, older_user);
    request.bag = fields.rest(CHAT);
    Ok(request)
}

/// Takes what says nothing more to another provider: the older name of the user, how the stream is padded, whether the
/// answer is kept, hints for a cache that works without them, and text as the only modality.
fn quiet(fields: &mut Fields, stream_options: Option<Fields>, older_user: bool) -> Bag {
    let mut quiet = Map::new();
    if let Some(Value::Object(options)) = stream_options.map(Fields::into_value)
        && !options.is_empty()
    {
        quiet.insert("stream_options".to_owned(), Value::Object(options));
    }
    let mut names = vec!["store", "prompt_cache_options", "prompt_cache_retention"];
    if !wants_media(fields) {
        names.push("modalities");
    }
    // Beside its successor the older name has a meaning of its own, which is lost elsewhere.
    if older_user {
        names.push("user");
    }
    for name in names {
        if let Some(value) = fields.take(name) {
            quiet.insert(name.to_owned(), value);
        }
    }
    Bag::new(CHAT, quiet)
}

fn sampling(fields: &mut Fields) -> Result<Sampling, Refused> {
    Ok(Sampling {
        temperature: fields.number("temperature")?,
        top_p: fields.number("top_p")?,
        // Not OpenAI's, but known to most compatible servers, and to Anthropic and Gemini.
        top_k: fields.number("top_k")?,
        presence_penalty: fields.number("presence_penalty")?,
        frequency_penalty: fields.number("frequency_penalty")?,
        seed: fields.number("seed")?,
        logprobs: fields.flag("logprobs")?,
        top_logprobs: fields.count("top_logprobs")?,
    })
}

fn stop(fields: &mut Fields) -> Result<Vec<String>, Refused> {
    if fields.peek_text("stop").is_some() {
        return Ok(fields.text("stop")?.into_iter().collect());
    }
    let expected = "a string or an array of strings";
    if fields.peek("stop").is_some_and(|stop| !stop.is_array()) {
        return Err(fields.wrong("stop", expected));
    }
    let list = fields.list("stop")?.into_iter().map(|value| match value {
        Value::String(text) => Ok(text),
        _ => Err(fields.wrong("stop", expected)),
    });
    list.collect()
}

/// Takes an effort that is known. Another one rides in the bag: it may be of a newer model of OpenAI's.
fn effort(fields: &mut Fields) -> Option<Effort> {
    let effort = Effort::parse(fields.peek_text("reasoning_effort")?)?;
    fields.take("reasoning_effort");
    Some(effort)
}

/// Reads the user's older name, which stays where it is, to be given back.
fn user(fields: &Fields) -> Result<Option<String>, Refused> {
    match fields.peek("user") {
        None => Ok(None),
        Some(Value::String(user)) => Ok(Some(user.clone())),
        Some(_) => Err(fields.wrong("user", "a string")),
    }
}

fn metadata(fields: &mut Fields) -> Result<Option<Map<String, Value>>, Refused> {
    match fields.take("metadata") {
        None => Ok(None),
        Some(Value::Object(pairs)) => Ok(Some(pairs)),
        Some(_) => Err(fields.wrong("metadata", "an object")),
    }
}

fn wants_media(fields: &Fields) -> bool {
    let list = fields.peek("modalities").and_then(Value::as_array);
    list.is_some_and(|list| list.iter().any(|modality| modality != "text"))
}

/// Takes a format that is known; servers have others, which ride in the bag.
fn format(fields: &mut Fields) -> Result<Option<OutputFormat>, Refused> {
    let Some(format) = fields.peek("response_format") else { return Ok(None) };
    let kind = format.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
    if !matches!(kind.as_str(), "text" | "json_object" | "json_schema") {
        return Ok(None);
    }
    let mut format = fields.required_object("response_format")?;
    Ok(Some(match kind.as_str() {
        "text" => OutputFormat::Text,
        "json_object" => OutputFormat::Json,
        _ => {
            let mut schema = format.required_object("json_schema")?;
            OutputFormat::Schema {
                name: schema.text("name")?,
                description: schema.text("description")?,
                strict: schema.flag("strict")?,
                schema: match schema.take("schema") {
                    None => Value::Object(Map::new()),
                    Some(object @ Value::Object(_)) => object,
                    Some(_) => return Err(schema.wrong("schema", "an object")),
                },
            }
        }
    }))
}

#[cfg(test)]
mod tests;

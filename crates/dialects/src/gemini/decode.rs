//! Reading a client's request (§5.1 of the wire formats).

mod config;
mod content;
mod links;
mod pockets;
mod tools;

use super::fields::{Kept, Spelled};
use crate::{
    form::{Refused, Request, Role, Tier, Turn},
    json::Fields,
};
use cliproxy_domain::Dialect;
use serde_json::Value;

/// Fields that name what the provider keeps for the client.
const SERVER_STATE: [&str; 2] = ["cachedContent", "continuationToken"];

/// Reads a request. `model` and `stream` are filled in by the caller.
pub(crate) fn decode_request(fields: Fields) -> Result<Request, Refused> {
    let mut fields = Spelled::new(fields);
    let mut request = Request::new(Dialect::Gemini, "");
    let mut kept = Kept::default();
    // The path has decided on the model; a body may repeat it.
    let _ = fields.text("model")?;
    if let Some(turn) = system(&mut fields)? {
        request.turns.push(turn);
    }
    request.turns.extend(content::turns(&mut fields)?);
    request.tools = tools::read(&mut fields)?;
    request.tool_choice = tools::choice(&mut fields, &mut kept)?;
    if let Some(config) = fields.object("generationConfig")? {
        config::read(config, &mut request, &mut kept)?;
    }
    request.tier = fields.text("serviceTier")?.and_then(tier);
    for name in SERVER_STATE {
        if let Some(value) = fields.take(name) {
            request.server_state.push(name);
            kept.field(name, value);
        }
    }
    kept.rest("", fields);
    request.bag = kept.into_bag();
    Ok(request)
}

/// Reads the system prompt. Its role, if it has one, says nothing.
fn system(fields: &mut Spelled) -> Result<Option<Turn>, Refused> {
    if matches!(fields.peek("systemInstruction"), Some(Value::String(_))) {
        return Err(fields.wrong("systemInstruction", "an object with `parts`"));
    }
    let Some(mut content) = fields.object("systemInstruction")? else { return Ok(None) };
    let _ = content.text("role")?;
    let turn = content::turn_of(Role::System, content, &mut links::Links::default())?;
    Ok((!turn.parts.is_empty()).then_some(turn))
}

fn tier(name: String) -> Option<Tier> {
    match name.to_ascii_lowercase().trim_start_matches("service_tier_") {
        "unspecified" => None,
        "standard" => Some(Tier::Standard),
        "flex" => Some(Tier::Flex),
        "priority" => Some(Tier::Priority),
        _ => Some(Tier::Other(name)),
    }
}

#[cfg(test)]
mod tests;

//! Writing a request for a provider (§5.1 of the wire formats).
//!
//! The API refuses fields that it does not know, so that nothing of another dialect is copied. What came in Gemini's
//! own dialect goes out as it came, but for the state of other providers in it.

mod config;
mod contents;
mod losses;
mod media;
mod parts;
mod results;
mod signatures;
mod thinking;
mod tools;
mod words;

use super::fields::within;
use crate::{
    form::{Refused, Request, Tier},
    json::{Object, push},
    translate::{Notes, Target},
    words::{Word, word},
};
use cliproxy_domain::Dialect;

/// Writes a request. The model is in its path, not in it.
///
/// # Errors
/// When Gemini cannot be told something that the meaning hangs on.
pub(crate) fn encode_request(
    request: &Request,
    target: &Target<'_>,
    notes: &mut Notes,
) -> Result<Vec<u8>, Refused> {
    Ok(body(request, target, notes)?.0)
}

/// Writes a request for the number of tokens of its prompt: bare contents where there is nothing else, or else the
/// whole request in a field of its own, with the model that it must name there.
///
/// # Errors
/// As [`encode_request`].
pub(crate) fn encode_count(
    request: &Request,
    target: &Target<'_>,
    notes: &mut Notes,
) -> Result<Vec<u8>, Refused> {
    let (body, bare) = body(request, target, notes)?;
    if bare {
        return Ok(body);
    }
    let mut out = Vec::with_capacity(body.len() + 96);
    out.extend_from_slice(b"{\"generateContentRequest\":{\"model\":");
    if target.model.contains('/') {
        push(&mut out, target.model);
    } else {
        push(&mut out, &format!("models/{}", target.model));
    }
    out.push(b',');
    // The body begins with its brace and is never an empty object: it has contents.
    out.extend_from_slice(body.strip_prefix(b"{").unwrap_or(&body));
    out.push(b'}');
    Ok(out)
}

/// Writes the body, and tells whether there is nothing but contents in it.
fn body(request: &Request, target: &Target<'_>, notes: &mut Notes) -> Result<(Vec<u8>, bool), Refused> {
    losses::note(request, notes)?;
    let conversation = contents::conversation(request, target, notes)?;
    let mut out = Vec::with_capacity(1024);
    let mut object = Object::new(&mut out);
    contents::write(&mut object, &conversation, request, target, notes)?;
    let tools = tools::write(&mut object, request, target, notes)?;
    let config = config::config(request, target, notes)?;
    let configured = config != b"{}";
    if configured {
        object.raw("generationConfig", &String::from_utf8_lossy(&config));
    }
    let tier = tier(request, notes)?;
    object.maybe("serviceTier", tier);
    object.bag(within(&request.bag, ""));
    drop(object);
    let more = tools || configured || tier.is_some() || within(&request.bag, "").next().is_some();
    Ok((out, conversation.system.is_empty() && !more))
}

fn tier<'r>(request: &'r Request, notes: &mut Notes) -> Result<Option<&'r str>, Refused> {
    let own = request.from == Dialect::Gemini;
    Ok(match &request.tier {
        None | Some(Tier::Auto) => None,
        Some(Tier::Standard) => Some("standard"),
        Some(Tier::Flex) => Some("flex"),
        Some(Tier::Priority) => Some("priority"),
        Some(Tier::Other(name)) if own => Some(name),
        Some(Tier::Fast | Tier::Other(_)) => {
            notes.losses.dropped(word(Word::Tier, request))?;
            None
        }
    })
}

#[cfg(test)]
mod tests;

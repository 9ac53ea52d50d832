//! Results of calls (§9.5 of the wire formats).

use super::{
    super::{fields::within, json_text},
    contents::{self, Called},
    media, parts,
};
use crate::{
    form::{Bag, Media, PartKind, Refused, Request, ToolResult},
    json::Object,
    places,
};
use cliproxy_domain::Dialect;

/// Writes `functionResponse`: the texts under `output` or `error`, media beside them. The name is that of the call
/// that the result answers; Gemini's own clients repeat it.
///
/// # Errors
/// When neither says a name, and for content that Gemini has no part for.
pub(super) fn write(
    object: &mut Object<'_>,
    result: &ToolResult,
    called: Option<&Called>,
    bag: &Bag,
    request: &Request,
) -> Result<(), Refused> {
    let name = called.map(|called| called.name.as_str()).or(result.name.as_deref());
    let Some(name) = name else { return Err(unknown_call(request)) };
    let id = match called {
        Some(called) => called.id.as_deref(),
        None => Some(result.id.as_str()).filter(|id| !contents::is_made(id)),
    };
    let mut response = object.object("functionResponse");
    response.maybe("id", id).field("name", name);
    say(&mut response, result);
    let is_media = |kind: &PartKind| {
        matches!(kind, PartKind::Image { .. } | PartKind::Audio(_) | PartKind::File { .. })
            && !matches!(kind, PartKind::File { media: Media::Text(_), .. })
    };
    if result.content.iter().any(|part| is_media(&part.kind)) {
        let mut parts = response.array("parts");
        for part in result.content.iter().filter(|part| is_media(&part.kind)) {
            let mut object = parts.object();
            media::write(&mut object, part, request)?;
            object.bag(within(&part.bag, ""));
        }
    }
    if result.content.iter().any(|part| parts::text_of(part).is_none() && !is_media(&part.kind)) {
        return Err(parts::unknown(request));
    }
    response.bag(within(bag, "functionResponse"));
    Ok(())
}

/// Writes what the result says: an object as one, anything else as text.
fn say(response: &mut Object<'_>, result: &ToolResult) {
    let spelled = result.content.iter().find_map(|part| part.bag.spelling(Dialect::Gemini, "response"));
    if let Some(spelled) = spelled {
        response.field("response", spelled);
        return;
    }
    let texts: Vec<&str> = result.content.iter().filter_map(parts::text_of).collect();
    let text = texts.join("\n");
    let mut said = response.object("response");
    if result.error {
        said.field("error", &text);
    } else if let Some(json) = json_text::object(&text).filter(|_| !text.trim_ascii().is_empty()) {
        said.raw("output", &json);
    } else {
        said.field("output", &text);
    }
}

fn unknown_call(request: &Request) -> Refused {
    let list = places::list(request.from);
    Refused::new(
        list,
        format!("`{list}` holds a tool result that answers no call: send the call that it answers before it"),
    )
}

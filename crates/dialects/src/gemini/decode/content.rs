//! Turns and their parts (§5.2 of the wire formats).

use super::{
    super::fields::{Kept, Spelled},
    links::Links,
    pockets,
};
use crate::{
    data_url, envelope,
    form::{
        Args, Bag, Detail, Media, Opaque, Part, PartKind, ReasoningForm, Refused, Role, State, ToolCall,
        ToolResult, Turn,
    },
};
use cliproxy_domain::Dialect;
use serde_json::{Map, Value};

/// What says something about a part and is none.
const MODIFIERS: [&str; 8] = [
    "thought",
    "thoughtSignature",
    "thought_signature",
    "mediaResolution",
    "media_resolution",
    "videoMetadata",
    "video_metadata",
    "partMetadata",
];

/// Reads `contents`.
pub(super) fn turns(fields: &mut Spelled) -> Result<Vec<Turn>, Refused> {
    if !fields.has("contents") {
        return Err(fields.missing("contents"));
    }
    let mut links = Links::default();
    let mut turns = Vec::new();
    for mut content in fields.objects("contents")? {
        let role = match content.text("role")?.as_deref() {
            // `function` is what results came in at first.
            None | Some("" | "user" | "function") => Role::User,
            Some("model") => Role::Assistant,
            Some(_) => return Err(content.wrong("role", "`user` or `model`")),
        };
        turns.push(turn_of(role, content, &mut links)?);
    }
    Ok(turns)
}

/// Reads a content whose role is known.
pub(super) fn turn_of(role: Role, mut content: Spelled, links: &mut Links) -> Result<Turn, Refused> {
    let parts = content.objects("parts")?.into_iter().map(|fields| part(fields, links));
    let parts = pockets::emptied(parts.collect::<Result<_, _>>()?);
    let mut kept = Kept::default();
    kept.rest("", content);
    Ok(Turn { role, parts, name: None, bag: kept.into_bag() })
}

fn part(mut fields: Spelled, links: &mut Links) -> Result<Part, Refused> {
    let mut kept = Kept::default();
    let signature = fields.text("thoughtSignature")?.filter(|signature| !signature.is_empty());
    let state = signature.map(state);
    let kind = if let Some(mut call) = fields.object("functionCall")? {
        let kind = function_call(&mut call, links)?;
        kept.rest("functionCall", call);
        kind
    } else if let Some(mut response) = fields.object("functionResponse")? {
        let kind = function_response(&mut response, links)?;
        kept.rest("functionResponse", response);
        kind
    } else if let Some(kind) = media(&mut fields, &mut kept)? {
        kind
    } else if fields.has("text") {
        text(&mut fields)?
    } else {
        return Ok(Part { state, ..Part::new(other(fields)) });
    };
    kept.rest("", fields);
    Ok(Part { kind, cache: None, state, bag: kept.into_bag() })
}

fn state(signature: String) -> Opaque {
    if envelope::is_envelope(&signature) {
        Opaque::Sealed(signature)
    } else {
        Opaque::Native(State::native(Dialect::Gemini, signature))
    }
}

/// Reads a part that has no payload that other dialects know; one that has none at all says nothing.
fn other(fields: Spelled) -> PartKind {
    let json = fields.into_value();
    let names = json.as_object().into_iter().flat_map(Map::keys);
    let payload = names.map(String::as_str).find(|name| !MODIFIERS.contains(name)).map(str::to_owned);
    match payload {
        Some(name) => PartKind::Foreign { dialect: Dialect::Gemini, name, json },
        None if json.get("thought") == Some(&Value::Bool(true)) => {
            PartKind::Reasoning { text: String::new(), form: ReasoningForm::Hidden }
        }
        None => PartKind::Text { text: String::new(), citations: Vec::new() },
    }
}

fn text(fields: &mut Spelled) -> Result<PartKind, Refused> {
    let text = fields.text("text")?.unwrap_or_default();
    if fields.flag("thought")? == Some(true) {
        let form = if text.is_empty() { ReasoningForm::Hidden } else { ReasoningForm::Summary };
        return Ok(PartKind::Reasoning { text, form });
    }
    Ok(PartKind::Text { text, citations: Vec::new() })
}

fn function_call(call: &mut Spelled, links: &mut Links) -> Result<PartKind, Refused> {
    let name = call.required_text("name")?;
    let args = match call.take("args") {
        None => "{}".to_owned(),
        Some(args @ Value::Object(_)) => args.to_string(),
        Some(_) => return Err(call.wrong("args", "an object")),
    };
    let id = links.call(call.text("id")?, &name);
    Ok(PartKind::ToolCall(ToolCall { id, name, args: Args::Json(args) }))
}

fn function_response(fields: &mut Spelled, links: &mut Links) -> Result<PartKind, Refused> {
    let name = fields.required_text("name")?;
    let id = links.result(fields.text("id")?, &name);
    let response = match fields.take("response") {
        None => Map::new(),
        Some(Value::Object(response)) => response,
        Some(_) => return Err(fields.wrong("response", "an object")),
    };
    let error = response.contains_key("error") && !response.contains_key("output");
    let mut content = vec![told(response)];
    for mut part in fields.objects("parts")? {
        let mut kept = Kept::default();
        let kind = media(&mut part, &mut kept)?
            .ok_or_else(|| part.wrong("inlineData", "there: parts of a result hold media"))?;
        kept.rest("", part);
        content.push(Part { bag: kept.into_bag(), ..Part::new(kind) });
    }
    Ok(PartKind::ToolResult(ToolResult { id, name: Some(name), error, free: false, content }))
}

/// Gives what a result says as text: that of `output` or `error`, or else the whole object as JSON.
fn told(mut response: Map<String, Value>) -> Part {
    let mut spelling = Map::new();
    spelling.insert("response".to_owned(), Value::Object(response.clone()));
    let told = match response.remove("output").or_else(|| response.remove("error")) {
        Some(Value::String(text)) => text,
        Some(other) => other.to_string(),
        None => Value::Object(response).to_string(),
    };
    Part { bag: Bag::with_spelling(Dialect::Gemini, Map::new(), spelling), ..Part::text(told) }
}

/// Reads `inlineData` or `fileData`, if there is one.
fn media(fields: &mut Spelled, kept: &mut Kept) -> Result<Option<PartKind>, Refused> {
    let (media, mime, name) = if let Some(mut blob) = fields.object("inlineData")? {
        let mime = blob.required_text("mimeType")?;
        let data = data_url::standard_base64(blob.required_text("data")?);
        let base64 = data.ok_or_else(|| blob.wrong("data", "base64"))?;
        let name = blob.text("displayName")?;
        kept.rest("inlineData", blob);
        (Media::Inline { mime: mime.clone(), base64 }, mime, name)
    } else if let Some(mut file) = fields.object("fileData")? {
        let mime = file.text("mimeType")?;
        let uri = file.required_text("fileUri")?;
        let name = file.text("displayName")?;
        kept.rest("fileData", file);
        let said = mime.clone().unwrap_or_default();
        if is_uploaded(&uri) {
            if let Some(mime) = mime {
                kept.spelling("mimeType", Value::String(mime));
            }
            (Media::FileId { dialect: Dialect::Gemini, id: uri }, said, name)
        } else {
            (Media::Url { url: uri, mime }, said, name)
        }
    } else {
        return Ok(None);
    };
    if let Some(name) = &name {
        kept.spelling("displayName", Value::String(name.clone()));
    }
    Ok(Some(match mime.split_once('/') {
        Some(("image", _)) => PartKind::Image { media, detail: detail(fields)? },
        Some(("audio", _)) => PartKind::Audio(media),
        _ => PartKind::File { media, name },
    }))
}

/// Tells whether a URI leads to what only Google can read: uploaded files and buckets.
fn is_uploaded(uri: &str) -> bool {
    uri.starts_with("gs://")
        || uri.starts_with("files/")
        || uri.starts_with("https://generativelanguage.googleapis.com/")
}

/// Reads how closely to look at an image; what other dialects have no word for stays where it is.
fn detail(fields: &mut Spelled) -> Result<Option<Detail>, Refused> {
    let level = match fields.peek("mediaResolution") {
        Some(Value::String(level)) => level.as_str(),
        Some(Value::Object(resolution)) => resolution.get("level").and_then(Value::as_str).unwrap_or(""),
        _ => "",
    };
    let detail = match level {
        "MEDIA_RESOLUTION_LOW" => Some(Detail::Low),
        "MEDIA_RESOLUTION_HIGH" => Some(Detail::High),
        _ => None,
    };
    if detail.is_some() {
        let _ = fields.take("mediaResolution");
    }
    Ok(detail)
}

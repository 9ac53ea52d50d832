//! Images, sound and files (§9.8 of the wire formats).

use super::{super::fields::within, parts};
use crate::{
    data_url,
    form::{Detail, Media, Part, PartKind, Refused, Request},
    json::Object,
};
use cliproxy_domain::{Dialect, Need};
use serde_json::Value;

/// Writes the payload of a part that holds media: `inlineData`, `fileData`, or `text` for a plain text document.
///
/// # Errors
/// For a file that was uploaded to another provider.
pub(super) fn write(object: &mut Object<'_>, part: &Part, request: &Request) -> Result<(), Refused> {
    let (media, detail) = match &part.kind {
        PartKind::Image { media, detail } => (media, *detail),
        PartKind::Audio(media) | PartKind::File { media, .. } => (media, None),
        _ => return Err(parts::unknown(request)),
    };
    let spelled = |name| part.bag.spelling(Dialect::Gemini, name).and_then(Value::as_str);
    match media {
        Media::Text(text) => drop(object.field("text", text)),
        Media::Inline { mime, base64 } => {
            let mut data = object.object("inlineData");
            data.field("mimeType", mime).field("data", base64).maybe("displayName", spelled("displayName"));
            data.bag(within(&part.bag, "inlineData"));
        }
        Media::Url { url, mime } => {
            file(object, part, mime.as_deref().or_else(|| data_url::mime_of(url)), url);
        }
        Media::FileId { dialect: Dialect::Gemini, id } => file(object, part, spelled("mimeType"), id),
        Media::FileId { .. } => {
            return Err(Refused::lacking(Need::ServerState, request.field_of(Need::ServerState)));
        }
    }
    if let Some(level) = level(detail) {
        object.object("mediaResolution").field("level", level);
    }
    Ok(())
}

fn file(object: &mut Object<'_>, part: &Part, mime: Option<&str>, uri: &str) {
    let name = part.bag.spelling(Dialect::Gemini, "displayName");
    let mut data = object.object("fileData");
    data.maybe("mimeType", mime).field("fileUri", uri).maybe("displayName", name);
    data.bag(within(&part.bag, "fileData"));
}

fn level(detail: Option<Detail>) -> Option<&'static str> {
    match detail? {
        Detail::Low => Some("MEDIA_RESOLUTION_LOW"),
        Detail::High => Some("MEDIA_RESOLUTION_HIGH"),
        Detail::Auto | Detail::Original => None,
    }
}

//! Images and documents (§9.8 of the wire formats).

use crate::{
    form::{Media, Refused},
    json::Object,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use cliproxy_domain::{Dialect, Need};
use std::borrow::Cow;

/// Names the message that a part stands in. It is looked for only when it has to be told.
type Place<'p> = &'p dyn Fn() -> Cow<'static, str>;

/// Writes the fields of an image block.
///
/// # Errors
/// For a type that Anthropic does not take, and for files of another provider; `place` names the message.
pub(super) fn image(media: &Media, place: Place<'_>, object: &mut Object<'_>) -> Result<(), Refused> {
    object.field("type", "image");
    let mut source = object.object("source");
    match media {
        Media::Inline { mime, base64 } => {
            let mime = image_type(mime).ok_or_else(|| {
                let place = place();
                let message = format!("`{place}` has an image of a type that this provider does not take: use JPEG, PNG, GIF or WebP");
                Refused::new(place, message)
            })?;
            source.field("type", "base64").field("media_type", mime).field("data", base64);
        }
        Media::Url { url, .. } => {
            source.field("type", "url").field("url", url);
        }
        Media::FileId { dialect, id } => file(*dialect, id, place, &mut source)?,
        Media::Text(_) => {
            let place = place();
            let message =
                format!("`{place}` has an image that is plain text: send a picture, or the text as text");
            return Err(Refused::new(place, message));
        }
    }
    Ok(())
}

fn image_type(mime: &str) -> Option<&'static str> {
    match essence(mime).as_str() {
        "image/jpeg" | "image/jpg" => Some("image/jpeg"),
        "image/png" => Some("image/png"),
        "image/gif" => Some("image/gif"),
        "image/webp" => Some("image/webp"),
        _ => None,
    }
}

/// Gives a media type without its parameters, in lower case.
fn essence(mime: &str) -> String {
    mime.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Writes the fields of a document block, or of an image block where the file is an image.
///
/// # Errors
/// For a type that Anthropic does not take, and for files of another provider; `place` names the message.
pub(super) fn document(
    media: &Media,
    name: Option<&str>,
    place: Place<'_>,
    object: &mut Object<'_>,
) -> Result<(), Refused> {
    let mime = match media {
        Media::Inline { mime, .. } | Media::Url { mime: Some(mime), .. } => essence(mime),
        Media::Url { .. } | Media::FileId { .. } | Media::Text(_) => String::new(),
    };
    if mime.starts_with("image/") {
        return image(media, place, object);
    }
    object.field("type", "document");
    let mut source = object.object("source");
    match media {
        Media::Inline { base64, .. } if mime == "application/pdf" => {
            source.field("type", "base64").field("media_type", "application/pdf").field("data", base64);
        }
        Media::Inline { base64, .. } => {
            let text = plain_text(&mime, base64).ok_or_else(|| {
                let place = place();
                let message = format!(
                    "`{place}` has a file of a type that this provider does not take: use PDF or plain text"
                );
                Refused::new(place, message)
            })?;
            text_source(&text, &mut source);
        }
        Media::Text(text) => text_source(text, &mut source),
        Media::Url { url, .. } => {
            source.field("type", "url").field("url", url);
        }
        Media::FileId { dialect, id } => file(*dialect, id, place, &mut source)?,
    }
    drop(source);
    object.maybe("title", name);
    Ok(())
}

fn text_source(text: &str, source: &mut Object<'_>) {
    source.field("type", "text").field("media_type", "text/plain").field("data", text);
}

fn plain_text(mime: &str, base64: &str) -> Option<String> {
    let readable = mime.starts_with("text/") || matches!(mime, "application/json" | "application/xml");
    if !readable {
        return None;
    }
    String::from_utf8(STANDARD.decode(base64).ok()?).ok()
}

fn file(dialect: Dialect, id: &str, place: Place<'_>, source: &mut Object<'_>) -> Result<(), Refused> {
    if dialect != Dialect::Anthropic {
        return Err(Refused::lacking(Need::ServerState, place()));
    }
    source.field("type", "file").field("file_id", id);
    Ok(())
}

//! Parts of messages (§9.8 of the wire formats).

use super::{CHAT, Scope, nested};
use crate::{
    data_url,
    form::{CacheMark, Detail, Media, Part, PartKind, Refused},
    json::{Array, Object},
    translate::Notes,
};
use cliproxy_domain::{Dialect, Need, UnsupportedTools};
use std::borrow::Cow;

/// A part with the cache mark that it is written with.
#[derive(Clone, Copy)]
pub(super) struct Piece<'p> {
    pub(super) part: &'p Part,
    cache: Option<&'p CacheMark>,
}

/// Lists the parts of a content, without empty texts of other dialects, whose cache marks move to the part before.
pub(super) fn pieces<'p>(parts: impl Iterator<Item = &'p Part>, scope: &Scope<'_>) -> Vec<Piece<'p>> {
    // Only OpenAI's own clients know whether the model takes marks; all others do well with its own caching.
    let marks = matches!(scope.request.from, Dialect::OpenAiChat | Dialect::OpenAiResponses);
    let mut pieces: Vec<Piece<'p>> = Vec::new();
    for part in parts {
        let cache = part.cache.as_ref().filter(|_| marks);
        let empty = part.as_text().is_some_and(str::is_empty);
        if !empty || scope.own {
            pieces.push(Piece { part, cache });
        } else if let Some(before) = pieces.last_mut() {
            before.cache = before.cache.or(cache);
        }
    }
    pieces
}

/// Writes a content: a string for one plain text, else an array of parts. `between` joins several texts for servers
/// that take nothing but a string.
pub(super) fn write(
    message: &mut Object<'_>,
    pieces: &[Piece<'_>],
    between: &str,
    at: usize,
    scope: &Scope<'_>,
    notes: &mut Notes,
) -> Result<(), Refused> {
    for piece in pieces {
        for field in piece.part.bag.foreign_to(CHAT) {
            notes.losses.dropped(format!("messages.{field}"))?;
        }
    }
    let plain: Option<Vec<&str>> = pieces.iter().map(|piece| plain_text(piece, scope)).collect();
    if let Some(texts) = plain
        && (texts.len() < 2 || scope.plain())
    {
        message.field("content", &texts.join(between));
        return Ok(());
    }
    let mut array = message.array("content");
    for piece in pieces {
        write_part(&mut array, piece, at, scope, notes)?;
    }
    Ok(())
}

/// Gives the text of a part that is nothing but text.
fn plain_text<'p>(piece: &Piece<'p>, scope: &Scope<'_>) -> Option<&'p str> {
    let bare = piece.part.bag.of(CHAT).next().is_none() && (piece.cache.is_none() || scope.plain());
    match &piece.part.kind {
        PartKind::Text { text, .. } | PartKind::File { media: Media::Text(text), .. } if bare => Some(text),
        _ => None,
    }
}

fn write_part(
    array: &mut Array<'_>,
    piece: &Piece<'_>,
    at: usize,
    scope: &Scope<'_>,
    notes: &mut Notes,
) -> Result<(), Refused> {
    let bag = &piece.part.bag;
    if let PartKind::Foreign { dialect, name, json } = &piece.part.kind {
        if *dialect == CHAT {
            array.element(json);
            return Ok(());
        }
        return foreign(name, at, scope, notes);
    }
    let mut object = array.object();
    match &piece.part.kind {
        PartKind::Text { text, .. } | PartKind::File { media: Media::Text(text), .. } => {
            object.field("type", "text").field("text", text);
        }
        PartKind::Refusal(text) => {
            object.field("type", "refusal").field("refusal", text);
        }
        PartKind::Image { media, detail } => {
            let url = image_url(media, scope)?;
            let mut inner = object.field("type", "image_url").object("image_url");
            inner.field("url", &url).maybe("detail", detail.map(detail_word));
            nested::write_inner(&mut inner, bag, "image_url");
        }
        PartKind::Audio(media) => {
            let (data, format) = audio(media, at, scope)?;
            let mut inner = object.field("type", "input_audio").object("input_audio");
            inner.field("data", data).field("format", format);
            nested::write_inner(&mut inner, bag, "input_audio");
        }
        PartKind::File { media, name } => {
            let mut inner = object.field("type", "file").object("file");
            file(&mut inner, media, name.as_deref(), scope)?;
            nested::write_inner(&mut inner, bag, "file");
        }
        PartKind::ToolCall(_)
        | PartKind::ToolResult(_)
        | PartKind::Reasoning { .. }
        | PartKind::Foreign { .. } => return Err(misplaced(at, scope)),
    }
    if let Some(mark) = piece.cache {
        let mut inner = object.object("prompt_cache_breakpoint");
        inner.field("mode", "explicit").maybe("ttl", mark.ttl.as_deref().filter(|_| scope.own));
    }
    nested::write_outer(&mut object, bag, &["image_url", "input_audio", "file"]);
    Ok(())
}

fn misplaced(at: usize, scope: &Scope<'_>) -> Refused {
    let field = scope.message(at);
    let message =
        format!("`{field}` holds a part that its role cannot have: move it to a message of its role");
    Refused::new(field, message)
}

/// Decides on a part that only its own vendor understands.
pub(super) fn foreign(name: &str, at: usize, scope: &Scope<'_>, notes: &mut Notes) -> Result<(), Refused> {
    let name: String = name.chars().take(60).collect();
    if scope.target.policy.unsupported_tools == UnsupportedTools::Drop {
        notes.losses.tell(format!("messages.{name}"), "dropped");
        return Ok(());
    }
    let field = scope.message(at);
    let message = format!(
        "`{field}` has a part of type {name}, which only its own provider understands: leave it out, use a model of that provider, or set translation.unsupported_tools to drop"
    );
    Err(Refused::new(field, message))
}

fn of_another_provider(scope: &Scope<'_>) -> Refused {
    Refused::lacking(Need::ServerState, scope.request.field_of(Need::ServerState))
}

fn image_url<'m>(media: &'m Media, scope: &Scope<'_>) -> Result<Cow<'m, str>, Refused> {
    match media {
        Media::Inline { mime, base64 } => Ok(Cow::Owned(data_url::write(mime, base64))),
        Media::Url { url, .. } => Ok(Cow::Borrowed(url)),
        Media::FileId { .. } | Media::Text(_) => Err(of_another_provider(scope)),
    }
}

fn detail_word(detail: Detail) -> &'static str {
    match detail {
        Detail::Auto => "auto",
        Detail::Low => "low",
        Detail::High => "high",
        Detail::Original => "original",
    }
}

/// Gives the data and the format of sound.
fn audio<'m>(media: &'m Media, at: usize, scope: &Scope<'_>) -> Result<(&'m str, &'m str), Refused> {
    let Media::Inline { mime, base64 } = media else {
        return Err(Refused::lacking(Need::Audio, scope.request.field_of(Need::Audio)));
    };
    let format = match mime.as_str() {
        "audio/wav" | "audio/x-wav" | "audio/wave" | "audio/vnd.wave" => "wav",
        "audio/mpeg" | "audio/mp3" => "mp3",
        other if scope.own => other.strip_prefix("audio/").unwrap_or(other),
        _ => {
            let field = scope.message(at);
            let message =
                format!("`{field}` has sound that is neither WAV nor MP3: convert it to one of these");
            return Err(Refused::new(field, message));
        }
    };
    Ok((base64, format))
}

fn file(inner: &mut Object<'_>, media: &Media, name: Option<&str>, scope: &Scope<'_>) -> Result<(), Refused> {
    match media {
        Media::Inline { mime, base64 } => {
            // The API wants a name with the data; other dialects need none.
            let unnamed = if mime == "application/pdf" { "document.pdf" } else { "document" };
            inner.maybe("filename", name.or((!scope.own).then_some(unnamed)));
            inner.field("file_data", &data_url::write(mime, base64));
        }
        Media::FileId { dialect: Dialect::OpenAiChat | Dialect::OpenAiResponses, id } => {
            inner.field("file_id", id).maybe("filename", name);
        }
        Media::Url { .. } => {
            return Err(Refused::lacking(Need::FileUrls, scope.request.field_of(Need::FileUrls)));
        }
        Media::FileId { .. } | Media::Text(_) => return Err(of_another_provider(scope)),
    }
    Ok(())
}

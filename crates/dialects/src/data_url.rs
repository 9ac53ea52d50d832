//! `data:` URLs, in which OpenAI's dialects carry media.

mod base64_text;
#[cfg(test)]
mod tests;

use crate::form::{Media, Refused};
use base64::{Engine as _, engine::general_purpose::STANDARD};

/// The type of what has none (RFC 2397).
const UNNAMED: &str = "text/plain";

/// Reads the URL of an image or a file: a `data:` URL becomes inline media, whatever its encoding. Parameters such
/// as `charset` are left out.
///
/// # Errors
/// When a `data:` URL is none.
pub(crate) fn media(url: String, path: &str) -> Result<Media, Refused> {
    match url.get(..5) {
        Some(scheme) if scheme.eq_ignore_ascii_case("data:") => {
            inline(url).ok_or_else(|| Refused::new(path.to_owned(), bad(path)))
        }
        _ => Ok(Media::Url { url, mime: None }),
    }
}

fn bad(path: &str) -> String {
    format!(
        "`{path}` is not a valid data URL: write data:TYPE;base64,DATA, as data:image/png;base64,iVBORw0="
    )
}

fn inline(mut url: String) -> Option<Media> {
    let comma = url.find(',')?;
    let (mime, is_base64) = described(url.get(5..comma)?)?;
    url.drain(..=comma);
    let base64 = match (is_base64, url.contains('%')) {
        (true, false) => base64_text::standard(url)?,
        (true, true) => base64_text::standard(String::from_utf8(percent_decoded(&url)?).ok()?)?,
        (false, _) => STANDARD.encode(percent_decoded(&url)?),
    };
    Some(Media::Inline { mime, base64 })
}

/// Reads what stands before the comma: the type, and whether the data are base64.
fn described(head: &str) -> Option<(String, bool)> {
    let mut parts = head.split(';').map(str::trim);
    let mime = parts.next().unwrap_or_default();
    let is_base64 = parts.next_back().is_some_and(|last| last.eq_ignore_ascii_case("base64"));
    if mime.is_empty() {
        return Some((UNNAMED.to_owned(), is_base64));
    }
    let (kind, subtype) = mime.split_once('/')?;
    let is_token = |text: &str| {
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b))
    };
    (is_token(kind) && is_token(subtype)).then(|| (mime.to_ascii_lowercase(), is_base64))
}

/// Decodes `%41` and the like; none when a percent sign has no two hexadecimal digits after it.
pub(crate) fn percent_decoded(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let mut digit = || char::from(bytes.next()?).to_digit(16);
            let (high, low) = (digit()?, digit()?);
            out.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            out.push(byte);
        }
    }
    Some(out)
}

/// Gives base64 as every provider takes it; none when it is no base64. Gemini's clients write the alphabet for URLs.
pub(crate) fn standard_base64(text: String) -> Option<String> {
    base64_text::standard(text)
}

/// Writes inline media as a `data:` URL.
pub(crate) fn write(mime: &str, base64: &str) -> String {
    format!("data:{mime};base64,{base64}")
}

/// Guesses the type of what a URL leads to from the extension of its path.
pub(crate) fn mime_of(url: &str) -> Option<&'static str> {
    let (_, rest) = url.split_once("://")?;
    let end = rest.find(['?', '#']).unwrap_or(rest.len());
    let (_, path) = rest.get(..end)?.split_once('/')?;
    let (_, extension) = path.rsplit('/').next()?.rsplit_once('.')?;
    Some(match extension.to_ascii_lowercase().as_str() {
        "jpg" | "jpeg" => "image/jpeg",
        "png" => "image/png",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "heic" => "image/heic",
        "heif" => "image/heif",
        "bmp" => "image/bmp",
        "svg" => "image/svg+xml",
        "pdf" => "application/pdf",
        "json" => "application/json",
        "txt" => "text/plain",
        "md" => "text/markdown",
        "csv" => "text/csv",
        "html" | "htm" => "text/html",
        "xml" => "text/xml",
        "mp3" => "audio/mp3",
        "wav" => "audio/wav",
        "aac" => "audio/aac",
        "ogg" => "audio/ogg",
        "flac" => "audio/flac",
        "aiff" => "audio/aiff",
        "mp4" => "video/mp4",
        "mov" => "video/quicktime",
        "webm" => "video/webm",
        "mpeg" | "mpg" => "video/mpeg",
        _ => return None,
    })
}

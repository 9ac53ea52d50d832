//! What media within a request cost, told by how they begin.

use super::PER_IMAGE;
use memchr::memchr;

/// Encoded bytes of documents, and of what is not known, for one of their tokens.
const BYTES_PER_TOKEN: u64 = 4;
/// The same of sound and films, which cost by their length: at the lowest rate that is of use to anybody.
const TIMED_BYTES_PER_TOKEN: u64 = 40;

/// What a data URL says before its data.
const LONGEST_KIND: usize = 256;

/// Estimates media in base64, bare or as a data URL; none for text.
pub(super) fn media_tokens(literal: &[u8]) -> Option<u64> {
    let (kind, data) = match literal.strip_prefix(b"data:") {
        Some(url) => {
            let comma = memchr(b',', &url[..url.len().min(LONGEST_KIND)])?;
            (&url[..comma], &url[comma + 1..])
        }
        None => (&literal[..0], literal),
    };
    // All of it: a text must not pass for an image because it begins like one.
    let encoded =
        |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'-' | b'_' | b'\\');
    if !data.iter().all(encoded) {
        return None;
    }
    let length = data.len() as u64;
    Some(if kind.starts_with(b"image/") || is_image(data) {
        length.div_ceil(BYTES_PER_TOKEN).min(PER_IMAGE)
    } else if kind.starts_with(b"audio/") || kind.starts_with(b"video/") || is_timed(data) {
        length.div_ceil(TIMED_BYTES_PER_TOKEN)
    } else {
        length.div_ceil(BYTES_PER_TOKEN)
    })
}

/// Knows PNG, JPEG, GIF and WebP by their base64.
fn is_image(data: &[u8]) -> bool {
    const BEGINNINGS: [&[u8]; 3] = [b"iVBOR", b"/9j/", b"R0lGOD"];
    BEGINNINGS.iter().any(|begin| data.starts_with(begin)) || is_riff(data, b"RUJQ")
}

/// Knows WAV, Ogg, FLAC, MP3 (with a title, or bare as AAC is) and MP4 by their base64.
fn is_timed(data: &[u8]) -> bool {
    const BEGINNINGS: [&[u8]; 4] = [b"T2dnUw", b"ZkxhQ", b"SUQz", b"//"];
    let is_mp4 = data.starts_with(b"AAAA") && data.get(6..10) == Some(b"Z0eX");
    BEGINNINGS.iter().any(|begin| data.starts_with(begin)) || is_mp4 || is_riff(data, b"QVZF")
}

/// Tells whether it is the container of WAV and WebP, with a kind that ends in these letters.
fn is_riff(data: &[u8], ending: &[u8]) -> bool {
    data.starts_with(b"UklGR") && data.get(12..16) == Some(ending)
}

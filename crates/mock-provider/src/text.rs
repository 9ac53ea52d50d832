//! The text of an answer, cut into tokens.

use bytes::Bytes;
use std::{ops::Range, sync::LazyLock};

/// The largest token of filler text, in bytes.
pub(crate) const LARGEST_TOKEN: u64 = 65_536;
/// Filler up to this size is copied to where it is written; more goes out from the static buffer.
pub(crate) const COPIED: u64 = 2_048;
/// Repeated to make filler. It needs no escaping, and its length divides the buffer's.
const PATTERN: &[u8; 8] = b"filling ";

static FILLER: LazyLock<Bytes> =
    LazyLock::new(|| PATTERN.repeat(LARGEST_TOKEN as usize / PATTERN.len() + 1).into());

/// Gives `len` bytes of the endless filler text from `offset` on; `len` is at most [`LARGEST_TOKEN`].
pub(crate) fn filler(offset: u64, len: u64) -> Bytes {
    let start = (offset % PATTERN.len() as u64) as usize;
    FILLER.slice(start..start + len as usize)
}

/// What an answer says, as a sequence of tokens that make the whole when joined.
#[derive(Clone, Debug)]
pub(crate) enum Text {
    /// A given text and where its tokens lie.
    Given { text: String, tokens: Vec<Range<usize>> },
    /// Filler, of which the last token may be shorter.
    Filler { total: u64, token: u64 },
}

/// A part of a text.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Piece<'a> {
    /// Given text.
    Str(&'a str),
    /// Filler from an offset on.
    Filler { offset: u64, len: u64 },
}

impl Piece<'_> {
    /// Tells how many bytes to set aside for the piece where it is written.
    pub(crate) fn room(&self) -> usize {
        match self {
            Piece::Str(text) => text.len(),
            Piece::Filler { len, .. } if *len <= COPIED => *len as usize,
            Piece::Filler { .. } => 0,
        }
    }
}

impl Text {
    /// Cuts `text` after each space.
    pub(crate) fn words(text: String) -> Self {
        let mut tokens = Vec::with_capacity(8);
        let mut start = 0;
        for (at, _) in text.match_indices(' ') {
            tokens.push(start..at + 1);
            start = at + 1;
        }
        if start < text.len() || tokens.is_empty() {
            tokens.push(start..text.len());
        }
        Self::Given { text, tokens }
    }

    /// Cuts `text` into runs of about `size` bytes.
    pub(crate) fn runs(text: String, size: usize) -> Self {
        let mut tokens = Vec::new();
        let mut start = 0;
        while start < text.len() {
            let mut end = (start + size.max(1)).min(text.len());
            while !text.is_char_boundary(end) {
                end += 1;
            }
            tokens.push(start..end);
            start = end;
        }
        if tokens.is_empty() {
            tokens.push(0..0);
        }
        Self::Given { text, tokens }
    }

    /// Makes filler of `total` bytes in tokens of `token` bytes (1 to [`LARGEST_TOKEN`]).
    pub(crate) fn filler(total: u64, token: u64) -> Self {
        Self::Filler { total, token: token.clamp(1, LARGEST_TOKEN) }
    }

    /// Gives the number of tokens, at least one.
    pub(crate) fn tokens(&self) -> u64 {
        match self {
            Text::Given { tokens, .. } => tokens.len() as u64,
            Text::Filler { total, token } => total.div_ceil(*token).max(1),
        }
    }

    /// Gives the token of that number; past the last one it is empty.
    pub(crate) fn token(&self, number: u64) -> Piece<'_> {
        match self {
            Text::Given { text, tokens } => {
                let range = usize::try_from(number).ok().and_then(|number| tokens.get(number));
                Piece::Str(range.map_or("", |range| &text[range.clone()]))
            }
            Text::Filler { total, token } => {
                let offset = number.saturating_mul(*token).min(*total);
                Piece::Filler { offset, len: (*token).min(total - offset) }
            }
        }
    }

    /// Gives the whole.
    pub(crate) fn whole(&self) -> Piece<'_> {
        match self {
            Text::Given { text, .. } => Piece::Str(text),
            Text::Filler { total, .. } => Piece::Filler { offset: 0, len: *total },
        }
    }

    /// Gives the whole of a given text; filler has none.
    pub(crate) fn as_str(&self) -> &str {
        match self {
            Text::Given { text, .. } => text,
            Text::Filler { .. } => "",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(text: &Text) -> String {
        let mut all = String::new();
        for number in 0..text.tokens() {
            match text.token(number) {
                Piece::Str(part) => all.push_str(part),
                Piece::Filler { offset, len } => {
                    all.push_str(std::str::from_utf8(&filler(offset, len)).unwrap());
                }
            }
        }
        all
    }

    #[test]
    fn the_tokens_of_a_text_make_the_text() {
        for text in ["", "one", "one two  three ", " æøå 日本"] {
            assert_eq!(joined(&Text::words(text.into())), text);
            assert_eq!(joined(&Text::runs(text.into(), 2)), text);
        }
        assert_eq!(Text::words("one two three".into()).tokens(), 3);
    }

    #[test]
    fn filler_is_one_text_however_it_is_cut() {
        let whole = joined(&Text::filler(1_000, LARGEST_TOKEN));
        assert_eq!(whole.len(), 1_000);
        assert_eq!(joined(&Text::filler(1_000, 7)), whole);
        assert_eq!(Text::filler(1_000, 7).tokens(), 143);
    }
}

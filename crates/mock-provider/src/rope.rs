//! Bytes on their way out: rendered pieces, and filler that is named by its length instead of held.

use crate::text::{COPIED, Piece, filler};
use bytes::{Bytes, BytesMut};
use std::{collections::VecDeque, fmt};

/// The largest part of filler that is handed out at once.
const FILLER_FRAME: u64 = 32_768;

/// Bytes to be written, in order.
#[derive(Debug, Default)]
pub(crate) struct Rope {
    parts: VecDeque<Part>,
}

#[derive(Debug)]
enum Part {
    Bytes(Bytes),
    Filler { offset: u64, len: u64 },
}

impl Rope {
    /// Gives the number of bytes left.
    pub(crate) fn len(&self) -> u64 {
        let size = |part: &Part| match part {
            Part::Bytes(bytes) => bytes.len() as u64,
            Part::Filler { len, .. } => *len,
        };
        self.parts.iter().map(size).sum()
    }

    /// Tells whether nothing is left.
    pub(crate) fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// Takes the next bytes, at most `limit` (at least one).
    pub(crate) fn take(&mut self, limit: usize) -> Option<Bytes> {
        let limit = limit.max(1);
        let (bytes, used_up) = match self.parts.front_mut()? {
            Part::Bytes(bytes) if bytes.len() > limit => (bytes.split_to(limit), false),
            Part::Bytes(bytes) => (std::mem::take(bytes), true),
            Part::Filler { offset, len } => {
                let size = (*len).min(FILLER_FRAME).min(limit as u64);
                let bytes = filler(*offset, size);
                *offset += size;
                *len -= size;
                (bytes, *len == 0)
            }
        };
        if used_up {
            self.parts.pop_front();
        }
        Some(bytes)
    }

    /// Takes everything as one piece when it is held in one piece.
    pub(crate) fn into_bytes(mut self) -> Result<Bytes, Self> {
        if let (1, Some(Part::Bytes(bytes))) = (self.parts.len(), self.parts.front_mut()) {
            return Ok(std::mem::take(bytes));
        }
        if self.is_empty() { Ok(Bytes::new()) } else { Err(self) }
    }

    /// Cuts off everything after the first `at` bytes and gives it.
    pub(crate) fn split_off(&mut self, at: u64) -> Self {
        let mut head = VecDeque::new();
        let mut left = at;
        while left > 0 {
            let Some(part) = self.parts.pop_front() else { break };
            match part {
                Part::Bytes(mut bytes) => {
                    let taken = bytes.split_to(left.min(bytes.len() as u64) as usize);
                    left -= taken.len() as u64;
                    head.push_back(Part::Bytes(taken));
                    if !bytes.is_empty() {
                        self.parts.push_front(Part::Bytes(bytes));
                    }
                }
                Part::Filler { offset, len } => {
                    let taken = len.min(left);
                    left -= taken;
                    head.push_back(Part::Filler { offset, len: taken });
                    if taken < len {
                        self.parts.push_front(Part::Filler { offset: offset + taken, len: len - taken });
                    }
                }
            }
        }
        let tail = std::mem::replace(&mut self.parts, head);
        Self { parts: tail }
    }
}

impl From<Bytes> for Rope {
    fn from(bytes: Bytes) -> Self {
        let parts = if bytes.is_empty() { VecDeque::new() } else { VecDeque::from([Part::Bytes(bytes)]) };
        Self { parts }
    }
}

/// Writes a rope. Text is escaped for JSON, filler is not copied when it is large.
#[derive(Debug)]
pub(crate) struct RopeWriter {
    buffer: BytesMut,
    parts: VecDeque<Part>,
}

impl RopeWriter {
    /// Starts a rope with room for `capacity` bytes.
    pub(crate) fn new(capacity: usize) -> Self {
        Self { buffer: BytesMut::with_capacity(capacity), parts: VecDeque::new() }
    }

    /// Adds `text` as it is.
    pub(crate) fn raw(&mut self, text: &str) -> &mut Self {
        self.buffer.extend_from_slice(text.as_bytes());
        self
    }

    /// Adds a number.
    pub(crate) fn number(&mut self, number: u64) -> &mut Self {
        // Writing to memory does not fail.
        let _ = fmt::Write::write_fmt(self, format_args!("{number}"));
        self
    }

    /// Adds the inside of a JSON string.
    pub(crate) fn escaped(&mut self, text: &str) -> &mut Self {
        let bytes = text.as_bytes();
        let mut copied = 0;
        for (at, byte) in bytes.iter().enumerate() {
            if *byte >= 0x20 && *byte != b'"' && *byte != b'\\' {
                continue;
            }
            self.buffer.extend_from_slice(&bytes[copied..at]);
            copied = at + 1;
            match byte {
                b'"' => self.raw("\\\""),
                b'\\' => self.raw("\\\\"),
                b'\n' => self.raw("\\n"),
                control => self.raw(&format!("\\u{control:04x}")),
            };
        }
        self.buffer.extend_from_slice(&bytes[copied..]);
        self
    }

    /// Adds a piece of an answer's text, as the inside of a JSON string.
    pub(crate) fn piece(&mut self, piece: Piece<'_>) -> &mut Self {
        match piece {
            Piece::Str(text) => self.escaped(text),
            Piece::Filler { offset, len } if len <= COPIED => {
                self.buffer.extend_from_slice(&filler(offset, len));
                self
            }
            Piece::Filler { offset, len } => {
                let before = self.buffer.split().freeze();
                self.parts.push_back(Part::Bytes(before));
                self.parts.push_back(Part::Filler { offset, len });
                self
            }
        }
    }

    /// Ends the rope.
    pub(crate) fn finish(self) -> Rope {
        let mut parts = self.parts;
        if !self.buffer.is_empty() {
            parts.push_back(Part::Bytes(self.buffer.freeze()));
        }
        Rope { parts }
    }
}

impl fmt::Write for RopeWriter {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.raw(text);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collect(mut rope: Rope, limit: usize) -> String {
        let mut all = Vec::new();
        while let Some(bytes) = rope.take(limit) {
            assert!(!bytes.is_empty() && bytes.len() <= limit);
            all.extend_from_slice(&bytes);
        }
        String::from_utf8(all).unwrap()
    }

    fn sample() -> Rope {
        let mut writer = RopeWriter::new(16);
        writer.raw("{\"").escaped("a\"b\\c\nd\u{1}e").piece(Piece::Filler { offset: 3, len: 5_000 });
        writer.raw("\"}").number(42);
        writer.finish()
    }

    #[test]
    fn large_filler_is_not_copied_and_reads_the_same_in_any_piece() {
        let whole = collect(sample(), usize::MAX);
        assert!(whole.starts_with("{\"a\\\"b\\\\c\\nd\\u0001e"), "{}", &whole[..40]);
        assert!(whole.ends_with("\"}42"));
        assert_eq!(whole.len() as u64, sample().len());
        assert_eq!(collect(sample(), 7), whole);
    }

    #[test]
    fn both_halves_of_a_cut_make_the_whole() {
        let whole = collect(sample(), usize::MAX);
        for at in [0, 1, 18, 300, whole.len() as u64 - 1, whole.len() as u64, u64::MAX] {
            let mut head = sample();
            let tail = head.split_off(at);
            assert_eq!(head.len(), at.min(whole.len() as u64));
            assert_eq!(collect(head, 64) + &collect(tail, 64), whole, "cut at {at}");
        }
    }
}

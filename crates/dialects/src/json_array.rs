//! A streamed JSON array, split into its elements: Gemini's form without `alt=sse`.

use crate::framing::ArrayPosition;

/// The largest buffer, in bytes, that is kept from one element to the next.
const KEPT_CAPACITY: usize = 64 << 10;

/// Why a stream is not the array it must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArrayError {
    /// An element is larger than the reader was allowed to gather.
    #[error("an element of the streamed array is larger than {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// A byte that cannot stand between elements.
    #[error("the stream is not a JSON array of objects")]
    NotAnArray,
}

/// Splits a streamed array of objects into its elements, whatever the chunks it comes in.
///
/// An object without an array around it is handed out too: some errors come like this. Holds bytes only of an
/// element that did not end in the chunk it began in.
#[derive(Debug)]
pub struct Reader {
    limit: usize,
    pending: Vec<u8>,
    position: ArrayPosition,
    /// Where the array stood before its latest element.
    before_element: ArrayPosition,
    /// How many brackets and braces of the element are open.
    depth: usize,
    in_string: bool,
    escaped: bool,
    /// How many bytes of a BOM were seen.
    bom: usize,
    /// Whether a single object stands in place of the array.
    bare: bool,
    whole_len: usize,
}

impl Reader {
    /// Starts at the beginning of a stream; an element may have `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            pending: Vec::new(),
            position: ArrayPosition::Unopened,
            before_element: ArrayPosition::Unopened,
            depth: 0,
            in_string: false,
            escaped: false,
            bom: 0,
            bare: false,
            whole_len: 0,
        }
    }

    /// Tells where the array stands.
    pub fn position(&self) -> ArrayPosition {
        self.position
    }

    /// Tells where the array stood before the latest element that began.
    pub fn before_element(&self) -> ArrayPosition {
        self.before_element
    }

    /// Tells whether the bytes so far end outside an element.
    pub fn at_boundary(&self) -> bool {
        self.position != ArrayPosition::InElement
    }

    /// Tells how many bytes of the last chunk come before the element that it leaves unfinished; all of them when
    /// it leaves none.
    pub fn whole_len(&self) -> usize {
        self.whole_len
    }

    /// Takes the next bytes and hands each element that they complete to `each`, with the place in `chunk`
    /// where it begins (0 when it began in an earlier chunk). An error of `each` ends the walk and is returned.
    ///
    /// # Errors
    ///
    /// See [`ArrayError`]. The reader is of no use afterwards.
    pub fn feed<E: From<ArrayError>>(
        &mut self,
        chunk: &[u8],
        mut each: impl FnMut(&[u8], usize) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut at = 0;
        while at < chunk.len() {
            if self.position != ArrayPosition::InElement {
                if !self.between(chunk[at])? {
                    at += 1;
                    continue;
                }
                self.before_element = std::mem::replace(&mut self.position, ArrayPosition::InElement);
            }
            let Some(length) = self.element_end(&chunk[at..]) else {
                self.whole_len = at;
                self.keep(&chunk[at..])?;
                return Ok(());
            };
            let rest = &chunk[at..at + length];
            self.check(self.pending.len() + rest.len())?;
            self.position = if self.bare { ArrayPosition::Closed } else { ArrayPosition::AfterElement };
            if self.pending.is_empty() {
                each(rest, at)?;
            } else {
                self.keep(rest)?;
                let mut whole = std::mem::take(&mut self.pending);
                let result = each(&whole, 0);
                if whole.capacity() <= KEPT_CAPACITY {
                    whole.clear();
                    self.pending = whole;
                }
                result?;
            }
            at += length;
        }
        self.whole_len = chunk.len();
        Ok(())
    }

    /// Takes one byte outside an element; true when an element begins with it.
    fn between(&mut self, byte: u8) -> Result<bool, ArrayError> {
        use ArrayPosition::{AfterComma, AfterElement, Closed, Opened, Unopened};
        match (self.position, byte) {
            (_, b' ' | b'\t' | b'\r' | b'\n') => {}
            (Unopened, 0xef | 0xbb | 0xbf) if [0xef, 0xbb, 0xbf].get(self.bom) == Some(&byte) => {
                self.bom += 1
            }
            (Unopened, b'[') => self.position = Opened,
            (Unopened, b'{') => {
                self.bare = true;
                return Ok(true);
            }
            (Opened | AfterComma, b'{') => return Ok(true),
            (AfterElement, b',') => self.position = AfterComma,
            (Opened | AfterElement, b']') => self.position = Closed,
            _ => return Err(ArrayError::NotAnArray),
        }
        Ok(false)
    }

    /// Gives how many of `bytes` belong to the current element, when it ends in them.
    fn element_end(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut at = 0;
        while at < bytes.len() {
            if self.in_string {
                at = self.string_end(bytes, at)?;
                continue;
            }
            match bytes[at] {
                b'"' => self.in_string = true,
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => {
                    // The element began with a brace, so the depth is at least 1 here.
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 {
                        return Some(at + 1);
                    }
                }
                _ => {}
            }
            at += 1;
        }
        None
    }

    /// Gives the place after the quote that ends the string which `at` lies in.
    fn string_end(&mut self, bytes: &[u8], mut at: usize) -> Option<usize> {
        if std::mem::take(&mut self.escaped) {
            at += 1;
        }
        loop {
            at += memchr::memchr2(b'"', b'\\', bytes.get(at..)?)?;
            if bytes[at] == b'"' {
                self.in_string = false;
                return Some(at + 1);
            }
            if at + 1 == bytes.len() {
                self.escaped = true;
                return None;
            }
            at += 2;
        }
    }

    fn keep(&mut self, rest: &[u8]) -> Result<(), ArrayError> {
        self.check(self.pending.len() + rest.len())?;
        self.pending.extend_from_slice(rest);
        Ok(())
    }

    fn check(&self, length: usize) -> Result<(), ArrayError> {
        if length > self.limit { Err(ArrayError::TooLarge { limit: self.limit }) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests;

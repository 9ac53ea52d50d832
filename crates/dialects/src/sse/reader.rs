//! An incremental splitter of an event stream: any cut of the bytes into chunks gives the same events.

use memchr::memchr2;
use std::ops::Range;

const BOM: &[u8] = b"\xef\xbb\xbf";

/// The largest buffer, in bytes, that is kept from one event to the next.
const KEPT_CAPACITY: usize = 64 << 10;

/// One event with at least one `data` line. Bytes as they came: nothing is decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event<'a> {
    /// The value of the last `event` line; empty when there is none.
    pub name: &'a [u8],
    /// The values of the `data` lines, joined with LF.
    pub data: &'a [u8],
    /// The last event id of the stream so far; empty when there is none.
    pub id: &'a [u8],
}

/// An event is larger than the reader was allowed to gather.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an event of the stream is larger than {limit} bytes")]
pub struct EventTooLarge {
    /// The limit in bytes.
    pub limit: usize,
}

/// Splits a stream into events. Lines end at LF, CR or CRLF and at nothing else; comments make no event; one
/// BOM at the start is dropped.
///
/// Holds bytes only of an event that has begun in one chunk and not ended in it: at most the limit. An event
/// that lies within one chunk and has one `data` line is handed out without a copy.
#[derive(Debug)]
pub struct Reader {
    limit: usize,
    /// The bytes of the current event that came in earlier chunks.
    pending: Vec<u8>,
    line: Line,
    /// Whether the current event has a line that is not a comment.
    has_fields: bool,
    /// Whether the last byte was a CR, whose LF may still follow.
    after_cr: bool,
    /// Whether the current event is the stream's first, which a BOM may precede.
    first: bool,
    fields: Fields,
    whole_len: usize,
}

/// What the current line is, by its first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    Empty,
    Comment,
    Field,
}

impl Reader {
    /// Starts at the beginning of a stream; an event may have `limit` bytes, line ends included.
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            pending: Vec::new(),
            line: Line::Empty,
            has_fields: false,
            after_cr: false,
            first: true,
            fields: Fields::default(),
            whole_len: 0,
        }
    }

    /// Tells whether the bytes so far end between two events, so that something may be inserted here.
    ///
    /// After a comment line this holds as well. After a CR that ended an event it holds although its LF may
    /// follow: that LF then reads as one more blank line, which means nothing.
    pub fn at_boundary(&self) -> bool {
        self.line == Line::Empty && !self.has_fields
    }

    /// Tells how many bytes of the last chunk come before the event or comment that it leaves unfinished; all of
    /// them when it leaves none.
    pub fn whole_len(&self) -> usize {
        self.whole_len
    }

    /// Takes the next bytes and hands each event that they complete to `each`, with the place in `chunk` where
    /// it begins (0 when it began in an earlier chunk). An error of `each` ends the walk and is returned.
    ///
    /// # Errors
    ///
    /// [`EventTooLarge`] as soon as an unfinished or finished event has more bytes than the limit. The reader
    /// is of no use afterwards.
    pub fn feed<E: From<EventTooLarge>>(
        &mut self,
        chunk: &[u8],
        mut each: impl FnMut(Event<'_>, usize) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut at = self.skip_lf(chunk);
        // Where the current event begins in this chunk.
        let mut start = if self.pending.is_empty() { at } else { 0 };
        while let Some(&byte) = chunk.get(at) {
            if self.line == Line::Empty && !matches!(byte, b'\r' | b'\n') {
                self.begin_line(byte);
            }
            let Some(length) = memchr2(b'\r', b'\n', &chunk[at..]) else { break };
            let line_end = at + length;
            at = self.past_line_end(chunk, line_end);
            match std::mem::replace(&mut self.line, Line::Empty) {
                Line::Empty => {
                    self.dispatch(&chunk[start..line_end], start, &mut each)?;
                    start = at;
                }
                // Comments before an event are forgotten, so that a flood of them costs no memory.
                Line::Comment if !self.has_fields => {
                    self.first = false;
                    self.pending.clear();
                    start = at;
                }
                Line::Comment | Line::Field => {}
            }
        }
        self.whole_len = start;
        // Nor does a comment line before an event, however long.
        if self.line != Line::Comment || self.has_fields {
            self.keep(&chunk[start..])?;
        }
        Ok(())
    }

    /// Hands out the event that the stream's end leaves without its blank line, if it has data: upstreams end
    /// like this (§12.1 of the wire formats; browsers would drop it).
    ///
    /// # Errors
    ///
    /// Those of `each`.
    pub fn finish<E>(&mut self, each: impl FnOnce(Event<'_>) -> Result<(), E>) -> Result<(), E> {
        let raw = std::mem::take(&mut self.pending);
        self.line = Line::Empty;
        self.has_fields = false;
        match self.fields.parse(&raw, std::mem::replace(&mut self.first, false)) {
            Some(event) => each(event),
            None => Ok(()),
        }
    }

    /// Steps over an LF that belongs to the CR at the end of the chunk before.
    fn skip_lf(&mut self, chunk: &[u8]) -> usize {
        let Some(&byte) = chunk.first() else { return 0 };
        usize::from(std::mem::take(&mut self.after_cr) && byte == b'\n')
    }

    fn begin_line(&mut self, first_byte: u8) {
        if first_byte == b':' {
            self.line = Line::Comment;
        } else {
            self.line = Line::Field;
            self.has_fields = true;
        }
    }

    /// Gives the place after the line end at `line_end`.
    fn past_line_end(&mut self, chunk: &[u8], line_end: usize) -> usize {
        if chunk[line_end] == b'\n' {
            return line_end + 1;
        }
        match chunk.get(line_end + 1) {
            Some(b'\n') => line_end + 2,
            Some(_) => line_end + 1,
            None => {
                self.after_cr = true;
                line_end + 1
            }
        }
    }

    fn dispatch<E: From<EventTooLarge>>(
        &mut self,
        rest: &[u8],
        start: usize,
        each: &mut impl FnMut(Event<'_>, usize) -> Result<(), E>,
    ) -> Result<(), E> {
        self.has_fields = false;
        let first = std::mem::replace(&mut self.first, false);
        if self.pending.is_empty() {
            self.check(rest.len())?;
            return match self.fields.parse(rest, first) {
                Some(event) => each(event, start),
                None => Ok(()),
            };
        }
        self.keep(rest)?;
        let mut raw = std::mem::take(&mut self.pending);
        let result = match self.fields.parse(&raw, first) {
            Some(event) => each(event, start),
            None => Ok(()),
        };
        // A stream keeps no large buffer for the sake of one large event.
        if raw.capacity() <= KEPT_CAPACITY {
            raw.clear();
            self.pending = raw;
        }
        result
    }

    fn keep(&mut self, rest: &[u8]) -> Result<(), EventTooLarge> {
        self.check(self.pending.len() + rest.len())?;
        self.pending.extend_from_slice(rest);
        Ok(())
    }

    fn check(&self, length: usize) -> Result<(), EventTooLarge> {
        if length > self.limit { Err(EventTooLarge { limit: self.limit }) } else { Ok(()) }
    }
}

/// What parsing the lines of an event needs to own.
#[derive(Debug, Default)]
struct Fields {
    /// The data of an event with several `data` lines.
    joined: Vec<u8>,
    last_id: Vec<u8>,
}

impl Fields {
    /// Reads the lines of one event; none when it has no `data` line.
    fn parse<'a>(&'a mut self, raw: &'a [u8], first: bool) -> Option<Event<'a>> {
        let raw = if first { raw.strip_prefix(BOM).unwrap_or(raw) } else { raw };
        let mut name: &[u8] = b"";
        let mut data: Option<&[u8]> = None;
        let mut several = false;
        let mut at = 0;
        while at < raw.len() {
            let (line, next) = split_line(raw, at);
            at = next;
            let (field, value) = split_field(&raw[line]);
            match field {
                b"data" => match data {
                    None => data = Some(value),
                    Some(before) => {
                        if !several {
                            several = true;
                            self.joined.clear();
                            self.joined.shrink_to(KEPT_CAPACITY);
                            self.joined.extend_from_slice(before);
                        }
                        self.joined.push(b'\n');
                        self.joined.extend_from_slice(value);
                    }
                },
                b"event" => name = value,
                b"id" if !value.contains(&0) => {
                    self.last_id.clear();
                    self.last_id.extend_from_slice(value);
                }
                // `retry` is for reconnecting, and unknown fields are to be ignored.
                _ => {}
            }
        }
        let data = data?;
        Some(Event { name, data: if several { &self.joined } else { data }, id: &self.last_id })
    }
}

/// Gives the line that begins at `at` without its end, and where the next begins.
fn split_line(raw: &[u8], at: usize) -> (Range<usize>, usize) {
    let Some(length) = memchr2(b'\r', b'\n', &raw[at..]) else { return (at..raw.len(), raw.len()) };
    let end = at + length;
    let next = if raw[end] == b'\r' && raw.get(end + 1) == Some(&b'\n') { end + 2 } else { end + 1 };
    (at..end, next)
}

/// Splits at the first colon and drops one space after it. A comment's field is empty.
fn split_field(line: &[u8]) -> (&[u8], &[u8]) {
    match memchr::memchr(b':', line) {
        None => (line, b""),
        Some(colon) => {
            let value = &line[colon + 1..];
            (&line[..colon], value.strip_prefix(b" ").unwrap_or(value))
        }
    }
}

//! Passes server-sent events on whole, so that an error event of ours never lands inside one.

use super::source::HeldChunks;
use bytes::Bytes;
use memchr::memmem;

/// How much of an unfinished event is held back; larger ones flow.
const LIMIT: usize = 64 * 1024;

/// The unfinished event at the end of what came.
#[derive(Default)]
pub(super) struct Partial {
    chunks: Vec<Bytes>,
    bytes: usize,
    /// A part of the unfinished event has been passed on.
    flowing: bool,
}

impl Partial {
    pub(super) fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// Tells whether what was passed on ends inside an event.
    pub(super) fn is_flowing(&self) -> bool {
        self.flowing
    }

    /// Takes a chunk and passes on what is whole. `boundary` tells that the chunk ends with an event's end.
    pub(super) fn pass(&mut self, mut chunk: Bytes, boundary: bool, out: &mut HeldChunks) {
        if boundary {
            self.flush(out);
            out.push(chunk);
            self.flowing = false;
            return;
        }
        if let Some(end) = self.last_end(&chunk) {
            self.flush(out);
            out.push(chunk.split_to(end));
            self.flowing = false;
        }
        self.bytes += chunk.len();
        if !chunk.is_empty() {
            self.chunks.push(chunk);
        }
        if self.bytes > LIMIT || self.flowing {
            self.flush(out);
            self.flowing = true;
        }
    }

    /// Passes on what is held, as nothing follows it.
    pub(super) fn flush(&mut self, out: &mut HeldChunks) {
        for chunk in self.chunks.drain(..) {
            out.push(chunk);
        }
        self.bytes = 0;
    }

    /// Forgets what is held: the event will never be whole.
    pub(super) fn discard(&mut self) {
        self.chunks.clear();
        self.bytes = 0;
    }

    /// Finds where the last whole event of `chunk` ends.
    fn last_end(&self, chunk: &[u8]) -> Option<usize> {
        let lf = memmem::rfind(chunk, b"\n\n").map(|at| at + 2);
        let crlf = memmem::rfind(chunk, b"\n\r\n").map(|at| at + 3);
        lf.max(crlf).or_else(|| self.end_across(chunk))
    }

    /// Finds the end of a blank line that lies across two chunks.
    fn end_across(&self, chunk: &[u8]) -> Option<usize> {
        let held = self.chunks.last()?;
        let ends: &[&[u8]] = if held.ends_with(b"\n") {
            &[b"\n", b"\r\n"]
        } else if held.ends_with(b"\r") {
            &[b"\n\r\n"]
        } else {
            &[]
        };
        ends.iter().find(|end| chunk.starts_with(end)).map(|end| end.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passed(chunks: &[(&'static str, bool)]) -> Vec<String> {
        let (mut partial, mut out) = (Partial::default(), HeldChunks::default());
        for (chunk, boundary) in chunks {
            partial.pass(Bytes::from_static(chunk.as_bytes()), *boundary, &mut out);
        }
        out.into_iter().map(|chunk| String::from_utf8_lossy(&chunk).into_owned()).collect()
    }

    #[test]
    fn whole_events_pass_at_once_and_as_they_came() {
        assert_eq!(
            passed(&[("data: 1\n\n", true), ("data: 2\n\ndata: 3\n\n", true)]),
            ["data: 1\n\n", "data: 2\n\ndata: 3\n\n"]
        );
    }

    #[test]
    fn an_unfinished_event_waits_for_its_end() {
        assert_eq!(passed(&[("data: 1\n\nda", false)]), ["data: 1\n\n"]);
        assert_eq!(
            passed(&[("data: 1\n\nda", false), ("ta: 2\n\n", true)]),
            ["data: 1\n\n", "da", "ta: 2\n\n"]
        );
        assert_eq!(passed(&[("data: 1\n", false), ("\ndata: 2", false)]), ["data: 1\n", "\n"]);
        assert_eq!(passed(&[("data: 1\r\n", false), ("\r\ndata: 2", false)]), ["data: 1\r\n", "\r\n"]);
        assert_eq!(passed(&[("data: 1\r", false), ("\n\r\ndata: 2", false)]), ["data: 1\r", "\n\r\n"]);
    }

    #[test]
    fn a_large_event_flows() {
        let large = "x".repeat(LIMIT + 1);
        let (mut partial, mut out) = (Partial::default(), HeldChunks::default());
        partial.pass(Bytes::from(large), false, &mut out);
        assert!(partial.is_flowing());
        partial.pass(Bytes::from_static(b"y"), false, &mut out);
        assert_eq!(out.len(), LIMIT + 2);
        partial.pass(Bytes::from_static(b"\n\n"), true, &mut out);
        assert!(!partial.is_flowing());
    }
}

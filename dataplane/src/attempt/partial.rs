//! Passes a stream's events on whole, so that an error of ours never lands inside one.

use super::source::HeldChunks;
use bytes::Bytes;

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

    /// Gives how many bytes are held back.
    pub(super) fn len(&self) -> usize {
        self.bytes
    }

    /// Takes a chunk and passes on what is whole: the chunk's first `whole` bytes, with what was held back of an
    /// event that ends in them.
    pub(super) fn pass(&mut self, mut chunk: Bytes, whole: usize, out: &mut HeldChunks) {
        if whole > 0 {
            self.flush(out);
            out.push(chunk.split_to(whole));
            self.flowing = false;
        }
        if chunk.is_empty() {
            return;
        }
        self.bytes += chunk.len();
        self.chunks.push(chunk);
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
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passed(chunks: &[(&'static str, usize)]) -> Vec<String> {
        let (mut partial, mut out) = (Partial::default(), HeldChunks::default());
        for (chunk, whole) in chunks {
            partial.pass(Bytes::from_static(chunk.as_bytes()), *whole, &mut out);
        }
        out.into_iter().map(|chunk| String::from_utf8_lossy(&chunk).into_owned()).collect()
    }

    #[test]
    fn whole_events_pass_at_once_and_as_they_came() {
        assert_eq!(
            passed(&[("data: 1\n\n", 9), ("data: 2\n\ndata: 3\n\n", 18)]),
            ["data: 1\n\n", "data: 2\n\ndata: 3\n\n"]
        );
    }

    #[test]
    fn an_unfinished_event_waits_for_its_end() {
        assert_eq!(passed(&[("data: 1\n\nda", 9), ("ta", 0)]), ["data: 1\n\n"]);
        assert_eq!(passed(&[("data: 1\n\nda", 9), ("ta: 2\n\nd", 7)]), ["data: 1\n\n", "da", "ta: 2\n\n"]);
    }

    #[test]
    fn a_large_event_flows_up_to_its_end() {
        let large = "x".repeat(LIMIT + 1);
        let (mut partial, mut out) = (Partial::default(), HeldChunks::default());
        partial.pass(Bytes::from(large), 0, &mut out);
        assert!(partial.is_flowing());
        partial.pass(Bytes::from_static(b"y"), 0, &mut out);
        assert_eq!((out.len(), partial.len()), (LIMIT + 2, 0));
        partial.pass(Bytes::from_static(b"\n\nd"), 2, &mut out);
        assert!(!partial.is_flowing());
        assert_eq!((out.len(), partial.len()), (LIMIT + 4, 1));
    }
}

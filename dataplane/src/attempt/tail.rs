//! Reads the usage of an answer that is too large to be gathered: it stands near its end.

use bytes::Bytes;
use cliproxy_dialects::usage::{Counts, estimate};
use cliproxy_domain::{AttemptError, Dialect, Failure, Operation, TokenUsage};
use memchr::memmem;

/// How much of the end is kept.
const KEPT: usize = 16 * 1024;

/// The end of a large answer.
pub(super) struct Tail {
    dialect: Dialect,
    operation: Operation,
    kept: Vec<u8>,
    seen: usize,
}

impl Tail {
    pub(super) fn new(dialect: Dialect, operation: Operation, held: &Bytes) -> Self {
        let mut tail = Self { dialect, operation, kept: Vec::new(), seen: 0 };
        tail.push(held);
        tail
    }

    /// Estimates the tokens of an answer that reports none: four bytes a token.
    pub(super) fn estimate(operation: Operation, request_bytes: usize, reply_bytes: usize) -> TokenUsage {
        estimate(operation, request_bytes, (reply_bytes / 4) as u64)
    }

    pub(super) fn push(&mut self, chunk: &[u8]) {
        self.seen += chunk.len();
        let chunk = &chunk[chunk.len().saturating_sub(KEPT)..];
        // Dropping the front in halves keeps the copying linear.
        if self.kept.len() + chunk.len() > 2 * KEPT {
            let surplus = (self.kept.len() + chunk.len()).saturating_sub(KEPT).min(self.kept.len());
            self.kept.drain(..surplus);
        }
        self.kept.extend_from_slice(chunk);
    }

    /// Complains of an answer that does not end as a JSON object does.
    pub(super) fn check(&self) -> Option<AttemptError> {
        let last = self.kept.iter().rev().find(|byte| !byte.is_ascii_whitespace());
        (last != Some(&b'}'))
            .then(|| AttemptError::new(Failure::StreamBroken, "the provider's answer ended before its end"))
    }

    pub(super) fn usage(&self, request_bytes: usize) -> TokenUsage {
        let guess = Self::estimate(self.operation, request_bytes, self.seen);
        let name: &[u8] = if self.dialect == Dialect::Gemini { b"\"usageMetadata\"" } else { b"\"usage\"" };
        let counts = memmem::rfind(&self.kept, name).and_then(|at| {
            let rest = &self.kept[at + name.len()..];
            let object = &rest[memchr::memchr(b'{', rest)?..];
            let mut values =
                serde_json::Deserializer::from_slice(object).into_iter::<&serde_json::value::RawValue>();
            Counts::read(self.dialect, values.next()?.ok()?.get())
        });
        counts.unwrap_or_default().total(self.dialect, guess)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_is_read_off_the_end_of_a_large_answer() {
        let mut tail = Tail::new(Dialect::OpenAiChat, Operation::Embed, &Bytes::from(vec![b'1'; 100_000]));
        for _ in 0..50 {
            tail.push(&[b'2'; 1_000]);
        }
        tail.push(br#"],"usage":{"prompt_tokens":7,"total_tokens":7}}"#);
        let usage = tail.usage(4);
        assert_eq!((usage.input, usage.output), (7, 0));
        assert!(tail.kept.len() <= 2 * KEPT);
        assert!(tail.check().is_none());
    }

    #[test]
    fn an_answer_cut_short_is_noticed() {
        let tail = Tail::new(Dialect::OpenAiChat, Operation::Generate, &Bytes::from_static(b"{\"a\":[1,2"));
        assert_eq!(tail.check().unwrap().failure, Failure::StreamBroken);
        assert!(tail.usage(400).estimated > 0);
    }
}

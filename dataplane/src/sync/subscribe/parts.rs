//! The parts of a whole set, until the last has come.

use super::super::connect::SessionError;
use cliproxy_proto::v1::{Change, SnapshotChunk};

const MOST_PARTS: u32 = 1_024;

/// The parts that have come so far.
#[derive(Default)]
pub(super) struct Parts {
    line: i32,
    version: u64,
    chunks: Vec<Option<Vec<Change>>>,
}

/// A whole set.
pub(super) struct Whole {
    pub(super) line: i32,
    pub(super) version: u64,
    pub(super) hash: u64,
    pub(super) nonce: String,
    pub(super) changes: Vec<Change>,
}

impl Parts {
    /// Adds a part; gives the set when it was the last.
    pub(super) fn add(&mut self, chunk: SnapshotChunk) -> Result<Option<Whole>, SessionError> {
        if chunk.count == 0 || chunk.count > MOST_PARTS || chunk.index >= chunk.count {
            return Err(SessionError::Protocol(format!("part {} of {}", chunk.index, chunk.count)));
        }
        let count = chunk.count as usize;
        if (self.line, self.version, self.chunks.len()) != (chunk.line, chunk.version, count) {
            *self = Self { line: chunk.line, version: chunk.version, chunks: vec![None; count] };
        }
        self.chunks[chunk.index as usize] = Some(chunk.changes);
        if self.chunks.iter().any(Option::is_none) {
            return Ok(None);
        }
        let changes = std::mem::take(&mut self.chunks).into_iter().flatten().flatten().collect();
        let SnapshotChunk { line, version, hash, nonce, .. } = chunk;
        Ok(Some(Whole { line, version, hash, nonce, changes }))
    }
}

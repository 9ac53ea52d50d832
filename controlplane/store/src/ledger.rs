//! What `apply_batches` computes, the same for every store: which batches are taken, under which minute they
//! are counted, and where the cursors end.
//!
//! A store reads the cursors, calls [`settle`], and writes what it gives in the same transaction.

mod sums;
#[cfg(test)]
mod tests;

pub use sums::{CELL_MAX, COUNTERS, Sums};

use crate::{Cursor, NodeBatches};
use cliproxy_domain::{Batch, Incarnation, LedgerKey, NodeId, Seq, WallTime};
use std::{collections::BTreeMap, time::Duration};
use xxhash_rust::xxh3::xxh3_64;

/// How far a window may lie from the control plane's own clock before it is counted as if it lay there.
pub const MAX_SKEW: Duration = Duration::from_secs(5 * 60);

/// Into how many cells the nodes spread one key's minute, so that they do not all write the same row.
pub const SHARDS: u8 = 4;

const MINUTE_MS: i64 = 60_000;

/// Who has a cursor.
pub type CursorKey = (NodeId, Incarnation);

/// What one cell of the usage table is counted under. Sorted as the table is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CellKey {
    /// When the minute begins.
    pub minute: WallTime,
    /// What is counted.
    pub ledger: LedgerKey,
    /// Which of the [`SHARDS`].
    pub shard: u8,
}

/// What one transaction of `apply_batches` writes and answers.
#[derive(Debug, Default)]
pub struct Settled {
    /// What to add to each cell, sorted by key.
    pub cells: BTreeMap<CellKey, Sums>,
    /// The cursors that moved, and to where.
    pub cursors: BTreeMap<CursorKey, Seq>,
    /// The answers, one for each input, in order.
    pub answers: Vec<Cursor>,
}

/// Decides what of `nodes` is taken when `committed` are the cursors in the store.
///
/// Of each input the contiguous run after the cursor is taken; a node may stand in several inputs, which are
/// taken one after the other. A batch that names another incarnation than its input is left out: it has
/// another cursor.
pub fn settle(nodes: &[NodeBatches], committed: &BTreeMap<CursorKey, Seq>, now: WallTime) -> Settled {
    let mut settled = Settled::default();
    for input in nodes {
        let key = (input.node.clone(), input.incarnation);
        let known = settled.cursors.get(&key).or_else(|| committed.get(&key)).copied();
        let run = Run::after(known, input);
        let shard = shard_of(&input.node);
        for batch in &run.batches {
            settled.add(batch, shard, now);
        }
        if !run.batches.is_empty() {
            settled.cursors.insert(key, run.last);
        }
        settled.answers.push(Cursor {
            node: input.node.clone(),
            incarnation: input.incarnation,
            last: run.last,
            need_from: run.need_from,
        });
    }
    settled
}

impl Settled {
    fn add(&mut self, batch: &Batch, shard: u8, now: WallTime) {
        let minute = minute_of(batch.window_start, now);
        for row in &batch.rows {
            let key = CellKey { minute, ledger: row.key.clone(), shard };
            self.cells.entry(key).or_default().add(&Sums::of(row));
        }
    }
}

/// The batches of one input that follow on from its cursor.
struct Run<'a> {
    batches: Vec<&'a Batch>,
    last: Seq,
    need_from: Option<Seq>,
}

impl<'a> Run<'a> {
    fn after(known: Option<Seq>, input: &'a NodeBatches) -> Self {
        let mut last = known.unwrap_or(Seq(input.oldest_unacked.0.saturating_sub(1)));
        let mut offered: Vec<&Batch> =
            input.batches.iter().filter(|batch| batch.incarnation == input.incarnation).collect();
        offered.sort_by_key(|batch| batch.seq);

        let mut batches = Vec::new();
        let mut need_from = None;
        for batch in offered {
            if batch.seq <= last {
                continue;
            }
            if batch.seq != last.next() {
                need_from = Some(last.next());
                break;
            }
            last = batch.seq;
            batches.push(batch);
        }
        Self { batches, last, need_from }
    }
}

/// Gives the beginning of the minute under which a window is counted.
///
/// Clocks of nodes may be wrong: a window further than [`MAX_SKEW`] from `now` is counted at that distance.
pub fn minute_of(window_start: WallTime, now: WallTime) -> WallTime {
    let clamped = window_start.clamp(now.minus(MAX_SKEW), now.plus(MAX_SKEW));
    WallTime(clamped.0.div_euclid(MINUTE_MS).saturating_mul(MINUTE_MS))
}

/// Gives the shard of a node, the same in every process and every version.
pub fn shard_of(node: &NodeId) -> u8 {
    let shard = xxh3_64(node.as_str().as_bytes()) % u64::from(SHARDS);
    // Less than SHARDS, which is a u8.
    shard as u8
}

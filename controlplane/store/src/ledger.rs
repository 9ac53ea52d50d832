//! What `apply_batches` and `tidy` compute, the same for every store: which batches are taken, under which minute they
//! are counted, where the cursors end, and what is rolled up and forgotten.
//!
//! A store reads what [`Books`] hold, calls [`settle`], and writes what it gives in the same transaction. What keeps
//! the sums of minutes, hours and days equal is one mark: all minutes before [`Marks::rolled_to`] are in the tables of
//! hours and days. `tidy` adds the minutes up to a later mark and moves it; `apply_batches` adds to hours and days what
//! it counts before the mark; and whoever reads adds the minutes after the mark to the hours or days.

mod books;
pub mod rolling;
mod run;
mod sums;
#[cfg(test)]
mod tests;

pub use books::{Books, CellKey, CursorKey, Marks, PeriodKey, Position};
pub use sums::{CELL_MAX, COUNTERS, Sums};

use crate::{Cursor, NodeBatches, UsagePeriod};
use cliproxy_domain::{Batch, LedgerRow, NodeId, WallTime};
use run::Run;
use std::{collections::BTreeMap, time::Duration};
use xxhash_rust::xxh3::xxh3_64;

/// How far a window may lie from the control plane's own clock before it is counted as if it lay there.
pub const MAX_SKEW: Duration = Duration::from_secs(5 * 60);

/// Into how many cells the nodes spread one key's minute, so that they do not all write the same row.
pub const SHARDS: u8 = 4;

/// What one transaction of `apply_batches` writes and answers. What it adds is sorted by key, so that two transactions
/// lock rows in the same order.
#[derive(Debug, Default)]
pub struct Settled {
    /// What to add to each cell of the minutes.
    pub cells: BTreeMap<CellKey, Sums>,
    /// What to add to the hours: what belongs to minutes that are rolled up.
    pub hours: BTreeMap<PeriodKey, Sums>,
    /// What to add to the days, as to the hours.
    pub days: BTreeMap<PeriodKey, Sums>,
    /// What to add, by the hour that `now` is in, to what is not counted as it may have been counted before.
    pub late: BTreeMap<PeriodKey, Sums>,
    /// The cursors that moved, and to where.
    pub cursors: BTreeMap<CursorKey, Position>,
    /// The answers, one for each input, in order.
    pub answers: Vec<Cursor>,
}

/// Decides what of `nodes` is taken.
///
/// Of each input the contiguous run after the cursor is taken; a node may stand in several inputs, which are
/// taken one after the other. A batch that names another incarnation than its input is left out: it has
/// another cursor.
pub fn settle(nodes: &[NodeBatches], books: &Books, now: WallTime) -> Settled {
    let mut settled = Settled::default();
    for input in nodes {
        let key = (input.node.clone(), input.incarnation);
        let known = settled.cursors.get(&key).or_else(|| books.cursors.get(&key)).copied();
        let position = known.unwrap_or_else(|| books.marks.first_position(input.oldest_unacked));
        let run = Run::after(position.last, input);
        let (mut late, mut skewed) = (0, 0);
        for batch in &run.batches {
            if position.late_before.is_some_and(|before| batch.window_start < before) {
                late += 1;
                settled.set_aside(batch, now);
            } else {
                skewed += u64::from(is_skewed(batch.window_start, now));
                settled.add(batch, shard_of(&input.node), &books.marks, now);
            }
        }
        if !run.batches.is_empty() {
            settled.cursors.insert(key, Position { last: run.last, ..position });
        }
        settled.answers.push(Cursor {
            node: input.node.clone(),
            incarnation: input.incarnation,
            last: run.last,
            need_from: run.need_from,
            late,
            skewed,
        });
    }
    settled
}

impl Settled {
    fn add(&mut self, batch: &Batch, shard: u8, marks: &Marks, now: WallTime) {
        let minute = minute_of(batch.window_start, now);
        for row in &batch.rows {
            if minute >= marks.minutes_from {
                let key = CellKey { minute, ledger: row.key.clone(), shard };
                self.cells.entry(key).or_default().add(&Sums::of(row));
            }
            if minute < marks.rolled_to {
                add_to(&mut self.hours, UsagePeriod::Hour.start_of(minute), row);
                add_to(&mut self.days, UsagePeriod::Day.start_of(minute), row);
            }
        }
    }

    fn set_aside(&mut self, batch: &Batch, now: WallTime) {
        let hour = UsagePeriod::Hour.start_of(now);
        batch.rows.iter().for_each(|row| add_to(&mut self.late, hour, row));
    }
}

fn add_to(periods: &mut BTreeMap<PeriodKey, Sums>, at: WallTime, row: &LedgerRow) {
    let key = PeriodKey { at, ledger: row.key.clone() };
    periods.entry(key).or_default().add(&Sums::of(row));
}

/// Gives the beginning of the minute under which a window is counted.
///
/// Clocks of nodes may be wrong: a window further than [`MAX_SKEW`] from `now` is counted at that distance.
pub fn minute_of(window_start: WallTime, now: WallTime) -> WallTime {
    let clamped = window_start.clamp(now.minus(MAX_SKEW), now.plus(MAX_SKEW));
    UsagePeriod::Minute.start_of(clamped)
}

fn is_skewed(window_start: WallTime, now: WallTime) -> bool {
    window_start < now.minus(MAX_SKEW) || window_start > now.plus(MAX_SKEW)
}

/// Gives the shard of a node, the same in every process and every version.
pub fn shard_of(node: &NodeId) -> u8 {
    let shard = xxh3_64(node.as_str().as_bytes()) % u64::from(SHARDS);
    // Less than SHARDS, which is a u8.
    shard as u8
}

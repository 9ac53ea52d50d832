//! What `settle` has to know of a store.

use super::MAX_SKEW;
use cliproxy_domain::{Incarnation, NodeId, Seq, UsageKey, WallTime};
use std::collections::BTreeMap;

/// Who has a cursor.
pub type CursorKey = (NodeId, Incarnation);

/// What one cell of the minutes is counted under. Sorted as the table is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CellKey {
    /// When the minute begins.
    pub minute: WallTime,
    /// What is counted.
    pub ledger: UsageKey,
    /// Which of the [`SHARDS`](super::SHARDS).
    pub shard: u8,
}

/// What one row of the hours, the days, and of what came late is counted under. Sorted as the tables are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PeriodKey {
    /// When the hour or day begins.
    pub at: WallTime,
    /// What is counted.
    pub ledger: UsageKey,
}

/// How far the ledger of one incarnation is committed, as it is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// Everything up to here is.
    pub last: Seq,
    /// Windows that begin before this may have been counted under an earlier cursor, which is forgotten. `None` when
    /// none was, when this one was made.
    pub late_before: Option<WallTime>,
}

/// How far usage is rolled up and forgotten. Both times are 1970 in a new database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// All minutes that begin before this are in the hours and days. The beginning of an hour.
    pub rolled_to: WallTime,
    /// Minutes before this are forgotten. The beginning of an hour, not after `rolled_to`.
    pub minutes_from: WallTime,
    /// All cursors that were ever forgotten had moved for the last time by then; `None` when none was.
    pub purged_to: Option<WallTime>,
}

impl Marks {
    /// Gives where an incarnation starts that has no cursor: at the lowest number that it can still send. It may have
    /// had one, which is forgotten; then whatever it covered had begun by [`Marks::purged_to`], give or take what clocks
    /// differ.
    pub fn first_position(&self, oldest_unacked: Seq) -> Position {
        let late_before = self.purged_to.map(|purged_to| purged_to.plus(MAX_SKEW));
        Position { last: Seq(oldest_unacked.0.saturating_sub(1)), late_before }
    }
}

/// What `settle` needs to know, read in the transaction that writes what it gives. The marks are locked against `tidy`
/// until then, the cursors against whoever reports for the same incarnation.
#[derive(Clone, Debug, Default)]
pub struct Books {
    /// The cursors of those who report, where they have one.
    pub cursors: BTreeMap<CursorKey, Position>,
    /// How far usage is rolled up and forgotten.
    pub marks: Marks,
}

//! What `tidy` rolls up and forgets, and when.

use super::Marks;
use crate::{RETAINED_HOURS, RETAINED_MINUTES, RETAINED_NODES, UsagePeriod};
use cliproxy_domain::WallTime;
use std::time::Duration;

/// How long after its end an hour is rolled up: what comes later is counted twice over, in its minute and in its hour
/// and day, which is right but dearer. Longer than [`MAX_SKEW`](super::MAX_SKEW), by as much as the clocks of replicas
/// may differ.
pub const ROLL_UP_AFTER: Duration = Duration::from_secs(10 * 60);

/// How many hours with usage one transaction rolls up at most: after a long pause none may keep the ledger waiting for
/// long. An hour of 400 keys, spread over [`SHARDS`](super::SHARDS), is some 100,000 rows to read and 800 to write.
pub const MAX_ROLLED_HOURS: usize = 6;

/// Gives the time up to which hours are to be rolled up at `now`. It is the new [`Marks::rolled_to`], unless there are
/// more than [`MAX_ROLLED_HOURS`] with usage: then the end of the last of these is. Not before the old mark, whatever
/// the clock.
pub fn roll_to(now: WallTime, marks: &Marks) -> WallTime {
    UsagePeriod::Hour.start_of(now.minus(ROLL_UP_AFTER)).max(marks.rolled_to)
}

/// Gives the new [`Marks::minutes_from`], where `marks` hold the new `rolled_to`: minutes are forgotten by whole hours,
/// and not before they are in the hours and days.
pub fn minutes_from(now: WallTime, marks: &Marks) -> WallTime {
    let horizon = UsagePeriod::Hour.start_of(now.minus(RETAINED_MINUTES));
    horizon.min(marks.rolled_to).max(marks.minutes_from)
}

/// Gives the time before which hours are forgotten, and what came late.
pub fn hours_from(now: WallTime) -> WallTime {
    UsagePeriod::Hour.start_of(now.minus(RETAINED_HOURS))
}

/// Gives since when nodes must have been heard of to stay, and cursors must have moved, unless their incarnation of the
/// node was heard of since.
pub fn heard_since(now: WallTime) -> WallTime {
    now.minus(RETAINED_NODES)
}

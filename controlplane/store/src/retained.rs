//! How long and how much of everything is kept.

use std::time::Duration;

/// How long urgent events are kept, counted back from the time at which the newest were recorded.
pub const RETAINED_EVENTS: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// How long the records of requests are kept, counted back from the time at which the newest were recorded.
pub const RETAINED_REQUESTS: Duration = Duration::from_secs(24 * 60 * 60);

/// How many records of requests are kept at most, the newest.
pub const MAX_REQUESTS: u32 = 100_000;

/// How long audit entries are kept, counted back from the newest.
pub const RETAINED_AUDIT: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// How long the counts of checks are kept, counted back from the newest minute that is recorded.
pub const RETAINED_CHECKS: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// How long the outcome of an operator's call is remembered, so that a repeated call does nothing.
pub const RETAINED_OUTCOMES: Duration = Duration::from_secs(24 * 60 * 60);

/// How long usage by the minute is kept, counted back from the time given.
pub const RETAINED_MINUTES: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// How long usage by the hour is kept. Usage by the day is kept for ever.
pub const RETAINED_HOURS: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// How long the cursor of an incarnation, and a node, are kept after they were last heard of.
pub const RETAINED_NODES: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// How long the periods of budgets are kept after they ended, with who had what of them: for what nodes say late. Nobody
/// reads them otherwise, and there may be one for each second.
pub const RETAINED_WINDOWS: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// How long the shares of rates are kept after they ended, if nobody claims of their rate: by then they say nothing any
/// more.
pub const RETAINED_SHARES: Duration = Duration::from_secs(24 * 60 * 60);

/// How many posts are kept, the newest: a replica that misses more reads the rest of the state anew. Three replicas that
/// have nothing to say make as many in ten minutes, and in a storm in ten seconds. Those of a busy cluster have some
/// 100 KiB each.
pub const RETAINED_POSTS: u64 = 2_000;

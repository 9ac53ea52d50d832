//! What the control plane needs of a database, as whole transactions.
//!
//! [`Store`] is the only way in. Every implementation passes the same contract suite (`contract`, behind the
//! feature of that name), so the control plane does not know which one it has. [`memory`] is the one for tests
//! and simulation, with faults on demand. What a method computes rather than keeps stands in [`ledger`] and
//! [`hints`], so that all stores compute alike.
#![deny(missing_docs)]

#[cfg(any(test, feature = "contract"))]
pub mod contract;
pub mod hints;
pub mod ledger;
pub mod memory;

pub use memory::MemoryStore;

use cliproxy_domain::{
    Batch, ConfigId, Cooldown, HintVersion, HistoryId, Incarnation, LedgerRow, NodeId, ProviderName, Seq,
    UrgentEvent, WallTime,
};
use std::{collections::BTreeMap, future::Future, ops::Range, pin::Pin, time::Duration};

/// How long urgent events are kept, counted back from the time at which the newest were recorded.
pub const RETAINED_EVENTS: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// What a store method gives: boxed, so that the control plane can hold any store behind one pointer.
pub type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// Why a store method failed. Nothing of it was done, except after [`StoreError::CommitUnknown`].
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database did not answer, or is read-only, full or locked by another process.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// The connection broke during the commit: it may have been done or not. Whoever asked asks again; every
    /// method is safe to repeat.
    #[error("the store did not say whether it committed: {0}")]
    CommitUnknown(String),
    /// The database holds something that no version of this program wrote.
    #[error("the store holds something it should not: {0}")]
    Corrupt(String),
}

/// One resource of a configuration, by content. The content itself, which holds keys, stays out of the database.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConfigEntry {
    /// What it is, as the number of its kind on the wire.
    pub kind: i32,
    /// Its name within its kind.
    pub key: String,
    /// The hash of its content.
    pub hash: u64,
}

/// A numbered configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredConfig {
    /// Its number.
    pub id: ConfigId,
    /// The hash of the whole set.
    pub hash: u64,
    /// Its resources, sorted.
    pub entries: Vec<ConfigEntry>,
}

/// A configuration to be numbered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewConfig {
    /// The hash of the whole set.
    pub hash: u64,
    /// Its resources, in any order.
    pub entries: Vec<ConfigEntry>,
    /// Who made it, as `file` or an operator's name.
    pub author: String,
    /// Why, for people.
    pub reason: String,
    /// When, by the control plane's clock.
    pub at: WallTime,
}

impl NewConfig {
    /// Gives the entries sorted, one for each kind and key: of several the last.
    pub fn into_sorted_entries(self) -> Vec<ConfigEntry> {
        let by_name: BTreeMap<(i32, String), u64> =
            self.entries.into_iter().map(|entry| ((entry.kind, entry.key), entry.hash)).collect();
        by_name.into_iter().map(|((kind, key), hash)| ConfigEntry { kind, key, hash }).collect()
    }
}

/// What one incarnation of a node reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeBatches {
    /// The node.
    pub node: NodeId,
    /// Its incarnation.
    pub incarnation: Incarnation,
    /// The lowest number it can still send. A store that has no cursor for this incarnation starts here.
    pub oldest_unacked: Seq,
    /// The batches, in any order, with gaps and repetitions.
    pub batches: Vec<Batch>,
}

/// How far the ledger of one incarnation is committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The node.
    pub node: NodeId,
    /// Its incarnation.
    pub incarnation: Incarnation,
    /// Everything up to here is committed; 0 when nothing is.
    pub last: Seq,
    /// The number that is missing, when what came did not follow on.
    pub need_from: Option<Seq>,
}

/// A change on the hint line, as it was numbered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HintChange {
    /// Its number; numbers have no gaps.
    pub version: HintVersion,
    /// The value after merging.
    pub cooldown: Cooldown,
}

/// A data-plane node as it last presented itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeRecord {
    /// The node.
    pub node: NodeId,
    /// Its incarnation.
    pub incarnation: Incarnation,
    /// The version of its program.
    pub build: String,
    /// Where it listens for clients.
    pub listen: String,
    /// When it was last heard of.
    pub last_seen: WallTime,
}

impl NodeRecord {
    /// Tells whether this record replaces `older`: records may arrive late, those of a process that has ended
    /// even after those of its successor.
    pub fn replaces(&self, older: &NodeRecord) -> bool {
        (self.incarnation, self.last_seen) >= (older.incarnation, older.last_seen)
    }
}

/// The one authority on state. Each method is one transaction, and safe to repeat.
pub trait Store: Send + Sync + 'static {
    /// Names the history of this database: made once, when the database is.
    fn history(&self) -> StoreFuture<'_, HistoryId>;

    /// Fails when the store cannot commit now; changes nothing that anyone sees.
    fn ping(&self) -> StoreFuture<'_, ()>;

    /// Gives the configuration with the highest number.
    fn active_config(&self) -> StoreFuture<'_, Option<StoredConfig>>;

    /// Gives the configuration of that number.
    fn config(&self, id: ConfigId) -> StoreFuture<'_, Option<StoredConfig>>;

    /// Numbers a configuration and makes it the active one. The number is one above the highest; when the active
    /// one has the same hash, nothing is written and its number is given.
    fn put_config(&self, new: NewConfig) -> StoreFuture<'_, ConfigId>;

    /// Adds ledger batches to the usage tables and moves the cursors, all in one transaction.
    ///
    /// Of each node the contiguous run that follows its cursor is taken; what was taken before is skipped; what
    /// does not follow on is left out and asked for by `need_from`. The answer has one cursor for each input, in
    /// order. Usage is counted under the minute of each batch's `window_start`, clamped to ±5 minutes of `now`.
    fn apply_batches(&self, nodes: Vec<NodeBatches>, now: WallTime) -> StoreFuture<'_, Vec<Cursor>>;

    /// Sums usage by key over the minutes that begin within `minutes`. Sorted by key.
    fn usage(&self, minutes: Range<WallTime>) -> StoreFuture<'_, Vec<LedgerRow>>;

    /// Of the minutes within `minutes` in which a provider was called, gives the share, 0 to 1, in which it
    /// answered at least once. Providers that were not called are left out. A refusal (4xx, 429) is an answer;
    /// a call that its client cancelled is not a call: it says nothing of the provider.
    fn answered_share(&self, minutes: Range<WallTime>) -> StoreFuture<'_, BTreeMap<ProviderName, f64>>;

    /// Records urgent events, each id once, and forgets those older than [`RETAINED_EVENTS`].
    fn record_events(&self, events: Vec<UrgentEvent>, now: WallTime) -> StoreFuture<'_, ()>;

    /// Merges cooldowns into the current ones and numbers those that changed anything, in order. Gives the
    /// numbered changes with their merged values; empty when nothing changed. The newest
    /// [`hints::RETAINED_CHANGES`] changes are kept.
    fn merge_cooldowns(&self, cooldowns: Vec<Cooldown>) -> StoreFuture<'_, Vec<HintChange>>;

    /// Gives the newest hint version and all cooldowns that end after `now`, sorted by key.
    fn cooldowns(&self, now: WallTime) -> StoreFuture<'_, (HintVersion, Vec<Cooldown>)>;

    /// Gives the changes after `version` in order, at most `limit`; `None` when they are no longer all there, or
    /// when `version` is not one of this history as it is higher than the newest.
    fn changes_since(&self, version: HintVersion, limit: u32) -> StoreFuture<'_, Option<Vec<HintChange>>>;

    /// Writes down a node, replacing what an earlier incarnation or an earlier time said of it; what is itself
    /// earlier changes nothing.
    fn see_node(&self, node: NodeRecord) -> StoreFuture<'_, ()>;

    /// Gives all nodes ever seen, sorted by name.
    fn nodes(&self) -> StoreFuture<'_, Vec<NodeRecord>>;
}

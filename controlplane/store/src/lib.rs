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
    AttemptCounts, AuditEntry, AuditQuery, Batch, ConfigId, CredentialName, Fence, Hint, HintVersion,
    HistoryId, Incarnation, Lease, LeaseName, LedgerRow, ModelName, NodeId, ProviderName, ReplicaId, Seq,
    TokenUsage, UrgentEvent, WallTime,
};
use std::{collections::BTreeMap, future::Future, ops::Range, pin::Pin, time::Duration};
use tokio::sync::watch;

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

/// How many posts are kept, the newest: a replica that misses more reads the rest of the state anew.
pub const RETAINED_POSTS: u64 = 10_000;

/// What a store method gives: boxed, so that the control plane can hold any store behind one pointer.
pub type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// Why a store method failed. Nothing of it was done, except after [`StoreError::CommitUnknown`].
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database did not answer, or is read-only, full or locked by another process.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// The connection broke during the commit: it may have been done or not. Whoever asked asks again; every
    /// method but [`Store::record_checks`] is safe to repeat.
    #[error("the store did not say whether it committed: {0}")]
    CommitUnknown(String),
    /// The database holds something that no version of this program wrote.
    #[error("the store holds something it should not: {0}")]
    Corrupt(String),
    /// Whoever wrote does not hold the lease any more that the write was made under. Repeating it is no use.
    #[error("the lease {0} is held by another")]
    Fenced(String),
    /// Another configuration is the newest than the one that this was to follow.
    #[error("configuration {newest} is the newest, not the one that was to be replaced")]
    Superseded {
        /// The newest.
        newest: ConfigId,
    },
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
    /// The text that it was made of, for the other replicas. `None` where a text may hold keys.
    pub text: Option<String>,
    /// The configuration that it must follow: another newest one is [`StoreError::Superseded`]. `None`: whichever is
    /// the newest.
    pub follows: Option<ConfigId>,
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
    pub hint: Hint,
}

/// What changes in one transaction: values of the hint line, and the entries that say who changed them and why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// Values to merge, in order. Those of kinds that are not stored ([`Hint::is_stored`]) are passed over; durations
    /// are kept to the millisecond.
    pub hints: Vec<Hint>,
    /// Entries for the audit log; an id that is there already is not written again.
    pub audit: Vec<AuditEntry>,
    /// The id of an operator's call and its outcome, to be remembered. A call that is remembered changes nothing a
    /// second time, whatever else is in the change: nothing of others belongs in it.
    pub outcome: Option<Outcome>,
    /// The lease under which it is written; without it nothing of the change is done ([`StoreError::Fenced`]).
    pub fence: Option<Fence>,
}

/// What one replica tells the others through the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Post {
    /// Its number; numbers have no gaps, and rise in the order of the commits.
    pub number: u64,
    /// Who says it.
    pub replica: ReplicaId,
    /// What, in a form that only the control plane reads.
    pub body: Vec<u8>,
}

/// By what usage is told apart. What is not told apart is summed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UsageBy {
    /// By provider.
    pub provider: bool,
    /// By credential, which implies by provider.
    pub credential: bool,
    /// By the upstream's name of the model.
    pub model: bool,
}

/// How long each period is that usage is summed over, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UsagePeriod {
    /// Minutes; kept for [`RETAINED_MINUTES`].
    Minute,
    /// Hours; kept for [`RETAINED_HOURS`].
    Hour,
    /// Days; kept for ever.
    Day,
}

/// Which usage is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageQuery {
    /// Periods that begin within this range.
    pub within: Range<WallTime>,
    /// How long each is.
    pub period: UsagePeriod,
    /// By what it is told apart.
    pub by: UsageBy,
    /// Only of this provider.
    pub provider: Option<ProviderName>,
    /// Only of this model.
    pub model: Option<ModelName>,
    /// How many sums at most, the newest first.
    pub limit: u32,
}

/// Usage of one period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageSum {
    /// When the period begins.
    pub at: WallTime,
    /// Of which provider; `None` where all are summed.
    pub provider: Option<ProviderName>,
    /// Of which credential; `None` where all are summed.
    pub credential: Option<CredentialName>,
    /// Of which model; `None` where all are summed.
    pub model: Option<ModelName>,
    /// How the attempts ended.
    pub attempts: AttemptCounts,
    /// The tokens they took.
    pub tokens: TokenUsage,
}

/// The outcome of an operator's call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The id that the operator gave the call.
    pub request_id: String,
    /// What was answered, as text that only the caller reads.
    pub answer: String,
    /// When.
    pub at: WallTime,
}

/// How many checks of a provider were made within a minute, and how many it passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckCount {
    /// When the minute begins.
    pub minute: WallTime,
    /// The provider.
    pub provider: ProviderName,
    /// All checks.
    pub checks: u64,
    /// Those that it passed.
    pub passed: u64,
}

/// The record of one request, as text that only people and programs outside read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRequest {
    /// The request's id.
    pub id: String,
    /// When it came.
    pub at: WallTime,
    /// The record.
    pub body: String,
}

/// A numbered configuration as the list of them shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigSummary {
    /// Its number.
    pub id: ConfigId,
    /// The hash of the whole set.
    pub hash: u64,
    /// Who made it.
    pub author: String,
    /// Why.
    pub reason: String,
    /// When.
    pub at: WallTime,
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

/// The one authority on state. Each method is one transaction, and safe to repeat where it does not say otherwise.
pub trait Store: Send + Sync + 'static {
    /// Names the history of this database: made once, when the database is, and anew when commits of it were lost, as
    /// when a standby took over that lagged behind.
    fn history(&self) -> StoreFuture<'_, HistoryId>;

    /// Gives what rings when another process may have committed what concerns all replicas: a change of the hint line, a
    /// configuration, a post, a lease that was given up. It may ring without reason, and may stay silent: whoever waits
    /// looks each second as well. `None` where no other process can.
    fn doorbell(&self) -> Option<watch::Receiver<u64>> {
        None
    }

    /// Takes a lease that is free or past its end, or renews one's own, for `ttl` from now by the store's clock; gives
    /// it as it is afterwards, whoever holds it.
    fn lead(&self, lease: LeaseName, holder: String, ttl: Duration) -> StoreFuture<'_, Lease> {
        let _ = (lease, holder, ttl);
        Box::pin(async { Err(StoreError::Unavailable("not in this store".to_owned())) })
    }

    /// Gives a lease up, if it is still held, so that another can take it at once.
    fn resign(&self, fence: Fence) -> StoreFuture<'_, ()> {
        let _ = fence;
        Box::pin(async { Err(StoreError::Unavailable("not in this store".to_owned())) })
    }

    /// Tells all replicas something, and gives its number. Forgets all but the newest [`RETAINED_POSTS`].
    fn post(&self, replica: ReplicaId, body: Vec<u8>) -> StoreFuture<'_, u64> {
        let _ = (replica, body);
        Box::pin(async { Err(StoreError::Unavailable("not in this store".to_owned())) })
    }

    /// Gives the number of the newest post; 0 when there is none.
    fn newest_post(&self) -> StoreFuture<'_, u64> {
        Box::pin(async { Ok(0) })
    }

    /// Gives the posts after `number` in order, at most `limit`; `None` when they are no longer all there.
    fn posts_since(&self, number: u64, limit: u32) -> StoreFuture<'_, Option<Vec<Post>>> {
        let _ = (number, limit);
        Box::pin(async { Ok(Some(Vec::new())) })
    }

    /// Gives the text that a configuration was made of, where it was kept.
    fn config_text(&self, id: ConfigId) -> StoreFuture<'_, Option<String>> {
        let _ = id;
        Box::pin(async { Ok(None) })
    }

    /// Sums usage by period: the newest period first, within one sorted by provider, credential and model. Hours and
    /// days are sums of all that was counted, rolled up or not.
    fn usage_by(&self, query: UsageQuery) -> StoreFuture<'_, Vec<UsageSum>> {
        let _ = query;
        Box::pin(async { Ok(Vec::new()) })
    }

    /// Adds up minutes to hours and hours to days, once they can change no more, and forgets what is past its time:
    /// minutes, hours, nodes, and cursors of incarnations that were not heard of for long. Safe to repeat, and to break
    /// off: what was rolled up is noted in the same transaction.
    fn tidy(&self, now: WallTime, fence: Option<Fence>) -> StoreFuture<'_, ()> {
        let _ = (now, fence);
        Box::pin(async { Ok(()) })
    }

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

    /// Merges hints into the current ones, numbers those that changed anything, in order, and writes the audit
    /// entries and the outcome, all in one transaction. Gives the numbered changes with their merged values; empty
    /// when no hint changed. Where an outcome of that call is remembered already, nothing of it is done. The newest [`hints::RETAINED_CHANGES`] changes are kept; audit entries older than
    /// [`RETAINED_AUDIT`] and outcomes older than [`RETAINED_OUTCOMES`] are forgotten.
    fn change(&self, change: Change) -> StoreFuture<'_, Vec<HintChange>>;

    /// Gives the newest hint version and all hints, sorted by key.
    fn hints(&self) -> StoreFuture<'_, (HintVersion, Vec<Hint>)>;

    /// Forgets cooldowns of epoch 0 that ended before `ended_before`: nothing hangs on them any more. Changes no
    /// version.
    fn forget_cooldowns(&self, ended_before: WallTime, fence: Option<Fence>) -> StoreFuture<'_, ()>;

    /// Gives what an operator's call was answered, when it is remembered.
    fn outcome(&self, request_id: String) -> StoreFuture<'_, Option<String>>;

    /// Gives audit entries, the newest first.
    fn audit(&self, query: AuditQuery) -> StoreFuture<'_, Vec<AuditEntry>>;

    /// Adds checks to what was counted of their minutes, no count passing [`ledger::CELL_MAX`], and forgets minutes
    /// older than [`RETAINED_CHECKS`]. The one method that counts twice when it is repeated: after
    /// [`StoreError::CommitUnknown`] whoever asked lets the checks go, one observation of many.
    fn record_checks(&self, checks: Vec<CheckCount>, fence: Option<Fence>) -> StoreFuture<'_, ()>;

    /// Sums the checks of each provider over the minutes that begin within `minutes`: all, and those passed.
    fn checks(&self, minutes: Range<WallTime>) -> StoreFuture<'_, BTreeMap<ProviderName, (u64, u64)>>;

    /// Keeps records of requests, each id once; forgets those older than [`RETAINED_REQUESTS`] and all but the newest
    /// [`MAX_REQUESTS`].
    fn record_requests(&self, requests: Vec<StoredRequest>, now: WallTime) -> StoreFuture<'_, ()>;

    /// Gives the record of a request.
    fn request(&self, id: String) -> StoreFuture<'_, Option<String>>;

    /// Lists the newest configurations, the newest first, at most `limit`.
    fn configs(&self, limit: u32) -> StoreFuture<'_, Vec<ConfigSummary>>;

    /// Gives the changes after `version` in order, at most `limit`; `None` when they are no longer all there, or
    /// when `version` is not one of this history as it is higher than the newest.
    fn changes_since(&self, version: HintVersion, limit: u32) -> StoreFuture<'_, Option<Vec<HintChange>>>;

    /// Writes down a node, replacing what an earlier incarnation or an earlier time said of it; what is itself
    /// earlier changes nothing.
    fn see_node(&self, node: NodeRecord) -> StoreFuture<'_, ()>;

    /// Gives all nodes ever seen, sorted by name.
    fn nodes(&self) -> StoreFuture<'_, Vec<NodeRecord>>;
}

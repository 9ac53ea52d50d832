//! What the control plane needs of a database, as whole transactions.
//!
//! [`Store`] is the only way in. Every implementation passes the same contract suite (`contract`, behind the
//! feature of that name), so the control plane does not know which one it has. [`memory`] is the one for tests
//! and simulation, with faults on demand. What a method computes rather than keeps stands in [`ledger`],
//! [`hints`], [`leases`] and [`leasing`], so that all stores compute alike.
#![deny(missing_docs)]

mod change;
mod config;
#[cfg(any(test, feature = "contract"))]
pub mod contract;
pub mod hints;
pub mod leases;
pub mod leasing;
pub mod ledger;
pub mod memory;
mod records;
mod reports;
mod retained;
mod usage;

pub use change::{Change, HintChange, Outcome, Post};
pub use cliproxy_domain::{UsageBy, UsagePeriod};
pub use config::{ConfigEntry, ConfigSummary, NewConfig, StoredConfig};
pub use leasing::{
    BudgetTerms, Crossed, EscrowLease, Learning, LeaseBooks, Leased, Leasing, RateTerms, Recall,
    ReleaseEscrow, Released, ShareLease, THRESHOLDS, Terms, WindowLeases,
};
pub use memory::MemoryStore;
pub use records::{CheckCount, StoredRequest};
pub use reports::{Cursor, NodeBatches, NodeRecord};
pub use retained::{
    MAX_REQUESTS, RETAINED_AUDIT, RETAINED_CHECKS, RETAINED_EVENTS, RETAINED_HOURS, RETAINED_MINUTES,
    RETAINED_NODES, RETAINED_OUTCOMES, RETAINED_POSTS, RETAINED_REQUESTS, RETAINED_SHARES, RETAINED_WINDOWS,
};
pub use usage::{UsageOf, UsageQuery, UsageSum};

use cliproxy_domain::{
    AuditEntry, AuditQuery, ConfigId, Fence, Hint, HintVersion, HistoryId, Lease, LeaseName, LedgerRow,
    ProviderName, ReplicaId, UrgentEvent, WallTime,
};
use std::{collections::BTreeMap, future::Future, ops::Range, pin::Pin, time::Duration};
use tokio::sync::watch;

/// What a store method gives: boxed, so that the control plane can hold any store behind one pointer.
pub type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// Why a store method failed. Nothing of it was done, except after [`StoreError::CommitUnknown`].
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database did not answer, or is read-only, full or locked by another process.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// The connection broke during the commit: it may have been done or not. Whoever asked asks again; every
    /// method but [`Store::record_checks`] and [`Store::post`] is safe to repeat.
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

/// The one authority on state. Each method is one transaction, and safe to repeat where it does not say otherwise.
pub trait Store: Send + Sync + 'static {
    /// Names the history of this database: made once, when the database is, and anew when commits of it were lost, as
    /// when a standby took over that lagged behind.
    fn history(&self) -> StoreFuture<'_, HistoryId>;

    /// Gives the store's own time, which all replicas go by; `None` where the store has no other clock than this process.
    fn time(&self) -> StoreFuture<'_, Option<WallTime>>;

    /// Gives what rings when another process may have committed what concerns all replicas: a change of the hint line, a
    /// configuration, a post, a lease that was given up. It may ring without reason, and may stay silent: whoever waits
    /// looks each second as well. `None` where no other process can.
    fn doorbell(&self) -> Option<watch::Receiver<u64>> {
        None
    }

    /// Takes a lease that is free or past its end, or renews one's own, for `ttl` from now by the store's clock; gives
    /// it as it is afterwards, whoever holds it. Its epoch is 1 at first and grows whenever it goes to another, or to
    /// anyone after it was given up; a holder who is late, while nobody else came, keeps the epoch.
    fn lead(&self, lease: LeaseName, holder: String, ttl: Duration) -> StoreFuture<'_, Lease>;

    /// Gives a lease up, if it is still held under that fence, so that another can take it at once. Nothing is done
    /// under the fence from then on.
    fn resign(&self, fence: Fence) -> StoreFuture<'_, ()>;

    /// Tells all replicas something, and gives its number. Forgets all but the newest [`RETAINED_POSTS`]. A repeated
    /// post is another one: who must not hear it twice puts a number of its own into it.
    fn post(&self, replica: ReplicaId, body: Vec<u8>) -> StoreFuture<'_, u64>;

    /// Gives the number of the newest post; 0 when there is none.
    fn newest_post(&self) -> StoreFuture<'_, u64>;

    /// Gives the posts after `number` in order, at most `limit`; `None` when they are no longer all there, or when
    /// `number` is not one of this history as it is higher than the newest.
    fn posts_since(&self, number: u64, limit: u32) -> StoreFuture<'_, Option<Vec<Post>>>;

    /// Fails when the store cannot commit now; changes nothing that anyone sees.
    fn ping(&self) -> StoreFuture<'_, ()>;

    /// Gives the configuration with the highest number.
    fn active_config(&self) -> StoreFuture<'_, Option<StoredConfig>>;

    /// Gives the configuration of that number.
    fn config(&self, id: ConfigId) -> StoreFuture<'_, Option<StoredConfig>>;

    /// Gives the text that a configuration was made of, where it was kept.
    fn config_text(&self, id: ConfigId) -> StoreFuture<'_, Option<String>>;

    /// Numbers a configuration and makes it the active one. The number is one above the highest, or above what it names;
    /// when the active one has the same hash and no lower number than that, its number is given, whatever it was to follow.
    /// Its text is replaced then by the new one, if there is one and it was to follow no other: comments change a text and
    /// not what it says.
    ///
    /// # Errors
    /// Beside those of every method [`StoreError::Superseded`], when another is the newest than it was to follow.
    fn put_config(&self, new: NewConfig) -> StoreFuture<'_, ConfigId>;

    /// Adds ledger batches to the usage tables and moves the cursors, all in one transaction.
    ///
    /// Of each node the contiguous run that follows its cursor is taken; what was taken before is skipped; what
    /// does not follow on is left out and asked for by `need_from`. The answer has one cursor for each input, in
    /// order. Usage is counted under the minute of each batch's `window_start`, clamped to ±5 minutes of `now`; when
    /// that minute was rolled up already, also in its hour and day.
    ///
    /// A batch that may have been counted under a cursor that is forgotten by now is set aside, as
    /// [`Store::late_usage`] tells.
    fn apply_batches(&self, nodes: Vec<NodeBatches>, now: WallTime) -> StoreFuture<'_, Vec<Cursor>>;

    /// Sums usage by key over the minutes that begin within `minutes`. Where minutes are forgotten, the hours stand in
    /// that begin within the range. Sorted by key.
    fn usage(&self, minutes: Range<WallTime>) -> StoreFuture<'_, Vec<LedgerRow>>;

    /// Sums usage by period: the newest period first, within one sorted by provider, credential, model, client and price. Hours and
    /// days are sums of all that was counted, rolled up or not.
    fn usage_by(&self, query: UsageQuery) -> StoreFuture<'_, Vec<UsageSum>>;

    /// Sums by key what was taken but not counted, as it may have been counted before: batches of an incarnation whose
    /// cursor is forgotten ([`RETAINED_NODES`]), of windows from before that. Tells of those that came within the hours
    /// that begin within `hours`; kept for [`RETAINED_HOURS`]. Sorted by key.
    fn late_usage(&self, hours: Range<WallTime>) -> StoreFuture<'_, Vec<LedgerRow>>;

    /// Adds up to hours and days the minutes that are complete, and forgets what is past its time: minutes, hours,
    /// nodes, and cursors of incarnations that were not heard of for long. What is rolled up is noted in the same
    /// transaction, so it is safe to repeat and to break off. After a long pause it takes several calls until all is
    /// rolled up; what is not yet is counted nevertheless, and not forgotten.
    fn tidy(&self, now: WallTime, fence: Option<Fence>) -> StoreFuture<'_, ()>;

    /// Of the minutes within `minutes` in which a provider was called, gives the share, 0 to 1, in which it
    /// answered at least once. Providers that were not called are left out. A refusal (4xx, 429) is an answer;
    /// a call that its client cancelled is not a call: it says nothing of the provider.
    fn answered_share(&self, minutes: Range<WallTime>) -> StoreFuture<'_, BTreeMap<ProviderName, f64>>;

    /// Records urgent events, each id once, and forgets those older than [`RETAINED_EVENTS`].
    fn record_events(&self, events: Vec<UrgentEvent>, now: WallTime) -> StoreFuture<'_, ()>;

    /// Merges hints into the current ones, numbers those that changed anything, in order, and writes the audit
    /// entries and the outcome, all in one transaction. Gives the numbered changes with their merged values; empty
    /// when no hint changed. Where an outcome of that call is remembered already, nothing of it is done. The newest
    /// [`hints::RETAINED_CHANGES`] changes are kept; audit entries older than [`RETAINED_AUDIT`] and outcomes older than
    /// [`RETAINED_OUTCOMES`] are forgotten.
    fn change(&self, change: Change) -> StoreFuture<'_, Vec<HintChange>>;

    /// Gives the newest hint version and all hints, sorted by key.
    fn hints(&self) -> StoreFuture<'_, (HintVersion, Vec<Hint>)>;

    /// Forgets cooldowns of epoch 0 that ended before `ended_before`, and clients' keys of which nothing has hung on their
    /// record since then ([`cliproxy_domain::KeyRecord::settled_at`]). Changes no version.
    fn forget_cooldowns(&self, ended_before: WallTime, fence: Option<Fence>) -> StoreFuture<'_, ()>;

    /// Gives what an operator's call was answered, when it is remembered.
    fn outcome(&self, request_id: String) -> StoreFuture<'_, Option<String>>;

    /// Gives audit entries, the newest first.
    fn audit(&self, query: AuditQuery) -> StoreFuture<'_, Vec<AuditEntry>>;

    /// Adds checks to what was counted of their minutes, no count passing [`ledger::CELL_MAX`], and forgets minutes
    /// older than [`RETAINED_CHECKS`]. It counts twice when it is repeated: after
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

    /// Books what nodes say that they spent and gave back of budgets and what they hold of rates, and grants them what they
    /// claim, by the terms, all in one transaction: of a budget never more than what is left of its limit. That a part of a
    /// limit is spent by now is in the audit log with it. Nothing of it is to be told before it is committed. Safe to repeat: what was granted and not heard of is in the next answer again,
    /// and counts as given; after [`StoreError::CommitUnknown`] the next claims tell. Shares of rates go by the store's own clock.
    fn lease(&self, leasing: Leasing) -> StoreFuture<'_, Leased>;

    /// Gives what is granted at `now`: the periods of budgets that have not ended, each with all who hold or held
    /// anything of it, and the shares of rates.
    fn leases(&self, now: WallTime) -> StoreFuture<'_, LeaseBooks>;

    /// Takes what a node has of a budget back without its word, in all periods that have not ended: it can be granted to
    /// others at once. A process that lives nevertheless takes what it has out again with its next claim; what it spends
    /// until then may be spent twice. Gives what was taken of each process and period, sorted; empty when the node has
    /// none of that budget.
    fn release_escrow(&self, release: ReleaseEscrow) -> StoreFuture<'_, Vec<Released>>;

    /// Writes down a node, replacing what an earlier incarnation or an earlier time said of it; what is itself
    /// earlier changes nothing.
    fn see_node(&self, node: NodeRecord) -> StoreFuture<'_, ()>;

    /// Gives all nodes ever seen, sorted by name.
    fn nodes(&self) -> StoreFuture<'_, Vec<NodeRecord>>;
}

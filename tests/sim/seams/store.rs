//! The database as one control plane sees it, with an eye on who leads and what is written under which lease.

use crate::{
    truth::{Led, Truth},
    world::Overtaking,
};
use cliproxy_domain::{
    AuditEntry, AuditQuery, ConfigId, Fence, Hint, HintVersion, HistoryId, Lease, LeaseName, LedgerRow,
    ProviderName, ReplicaId, UrgentEvent, WallTime,
};
use cliproxy_store::{
    Change, CheckCount, ConfigSummary, Cursor, HintChange, LeaseBooks, Leased, Leasing, MemoryStore,
    NewConfig, NodeBatches, NodeRecord, Post, ReleaseEscrow, Released, Store, StoreError, StoreFuture,
    StoredConfig, StoredRequest, UsageQuery, UsageSum,
};
use std::{
    collections::BTreeMap,
    ops::Range,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::sync::watch;

/// A connection to the database that writes down what is done under leases. Where a leader is overtaken, what was asked of
/// the database is carried out also when whoever asked waits no more: when somebody else leads.
pub struct WatchedStore {
    /// The connection.
    pub store: MemoryStore,
    /// Where it is written down.
    pub truth: Arc<Mutex<Truth>>,
    /// What is to become of whoever leads.
    pub overtaking: Overtaking,
}

impl WatchedStore {
    /// Writes under a lease, and writes that down when it was done.
    fn write<T: Send + 'static>(
        &self,
        under: Option<Fence>,
        what: impl FnOnce(&MemoryStore) -> StoreFuture<'_, T> + Send + 'static,
    ) -> StoreFuture<'_, T> {
        let (store, truth) = (self.store.clone(), Arc::clone(&self.truth));
        let writing = async move {
            let answer = what(&store).await;
            if let (Some(Fence { holder, epoch, .. }), Ok(_)) = (under, &answer) {
                truth.lock().expect("no panic").led.push(Led { holder, epoch, wrote: true });
            }
            answer
        };
        if self.overtaking.is_under_way() {
            return Box::pin(async { tokio::spawn(writing).await.expect("it is not cancelled") });
        }
        Box::pin(writing)
    }

    /// Writes down who holds a lease.
    fn led(&self, asker: &str, answer: Result<Lease, StoreError>) -> Result<Lease, StoreError> {
        if let Ok(lease) = &answer {
            let led = Led { holder: lease.holder.clone(), epoch: lease.epoch, wrote: false };
            self.truth.lock().expect("no panic").led.push(led);
            if lease.holder == asker {
                self.overtaking.leads(&self.store);
            }
        }
        answer
    }
}

impl Store for WatchedStore {
    fn history(&self) -> StoreFuture<'_, HistoryId> {
        self.store.history()
    }

    fn time(&self) -> StoreFuture<'_, Option<WallTime>> {
        self.store.time()
    }

    fn doorbell(&self) -> Option<watch::Receiver<u64>> {
        self.store.doorbell()
    }

    fn lead(&self, lease: LeaseName, holder: String, ttl: Duration) -> StoreFuture<'_, Lease> {
        Box::pin(async move {
            let asker = holder.clone();
            self.led(&asker, self.store.lead(lease, holder, ttl).await)
        })
    }

    fn resign(&self, fence: Fence) -> StoreFuture<'_, ()> {
        self.store.resign(fence)
    }

    fn post(&self, replica: ReplicaId, body: Vec<u8>) -> StoreFuture<'_, u64> {
        self.store.post(replica, body)
    }

    fn newest_post(&self) -> StoreFuture<'_, u64> {
        self.store.newest_post()
    }

    fn posts_since(&self, number: u64, limit: u32) -> StoreFuture<'_, Option<Vec<Post>>> {
        self.store.posts_since(number, limit)
    }

    fn ping(&self) -> StoreFuture<'_, ()> {
        self.store.ping()
    }

    fn active_config(&self) -> StoreFuture<'_, Option<StoredConfig>> {
        self.store.active_config()
    }

    fn config(&self, id: ConfigId) -> StoreFuture<'_, Option<StoredConfig>> {
        self.store.config(id)
    }

    fn config_text(&self, id: ConfigId) -> StoreFuture<'_, Option<String>> {
        self.store.config_text(id)
    }

    fn put_config(&self, new: NewConfig) -> StoreFuture<'_, ConfigId> {
        self.store.put_config(new)
    }

    fn apply_batches(&self, nodes: Vec<NodeBatches>, now: WallTime) -> StoreFuture<'_, Vec<Cursor>> {
        self.store.apply_batches(nodes, now)
    }

    fn usage(&self, minutes: Range<WallTime>) -> StoreFuture<'_, Vec<LedgerRow>> {
        self.store.usage(minutes)
    }

    fn usage_by(&self, query: UsageQuery) -> StoreFuture<'_, Vec<UsageSum>> {
        self.store.usage_by(query)
    }

    fn late_usage(&self, hours: Range<WallTime>) -> StoreFuture<'_, Vec<LedgerRow>> {
        self.store.late_usage(hours)
    }

    fn tidy(&self, now: WallTime, fence: Option<Fence>) -> StoreFuture<'_, ()> {
        self.write(fence.clone(), move |store| store.tidy(now, fence))
    }

    fn answered_share(&self, minutes: Range<WallTime>) -> StoreFuture<'_, BTreeMap<ProviderName, f64>> {
        self.store.answered_share(minutes)
    }

    fn record_events(&self, events: Vec<UrgentEvent>, now: WallTime) -> StoreFuture<'_, ()> {
        self.store.record_events(events, now)
    }

    fn change(&self, change: Change) -> StoreFuture<'_, Vec<HintChange>> {
        self.write(change.fence.clone(), move |store| store.change(change))
    }

    fn hints(&self) -> StoreFuture<'_, (HintVersion, Vec<Hint>)> {
        self.store.hints()
    }

    fn forget_cooldowns(&self, ended_before: WallTime, fence: Option<Fence>) -> StoreFuture<'_, ()> {
        self.write(fence.clone(), move |store| store.forget_cooldowns(ended_before, fence))
    }

    fn outcome(&self, request_id: String) -> StoreFuture<'_, Option<String>> {
        self.store.outcome(request_id)
    }

    fn audit(&self, query: AuditQuery) -> StoreFuture<'_, Vec<AuditEntry>> {
        self.store.audit(query)
    }

    fn record_checks(&self, checks: Vec<CheckCount>, fence: Option<Fence>) -> StoreFuture<'_, ()> {
        self.write(fence.clone(), move |store| store.record_checks(checks, fence))
    }

    fn checks(&self, minutes: Range<WallTime>) -> StoreFuture<'_, BTreeMap<ProviderName, (u64, u64)>> {
        self.store.checks(minutes)
    }

    fn record_requests(&self, requests: Vec<StoredRequest>, now: WallTime) -> StoreFuture<'_, ()> {
        self.store.record_requests(requests, now)
    }

    fn request(&self, id: String) -> StoreFuture<'_, Option<String>> {
        self.store.request(id)
    }

    fn configs(&self, limit: u32) -> StoreFuture<'_, Vec<ConfigSummary>> {
        self.store.configs(limit)
    }

    fn changes_since(&self, version: HintVersion, limit: u32) -> StoreFuture<'_, Option<Vec<HintChange>>> {
        self.store.changes_since(version, limit)
    }

    fn lease(&self, leasing: Leasing) -> StoreFuture<'_, Leased> {
        self.store.lease(leasing)
    }

    fn leases(&self, now: WallTime) -> StoreFuture<'_, LeaseBooks> {
        self.store.leases(now)
    }

    fn release_escrow(&self, release: ReleaseEscrow) -> StoreFuture<'_, Vec<Released>> {
        self.store.release_escrow(release)
    }

    fn see_node(&self, node: NodeRecord) -> StoreFuture<'_, ()> {
        self.store.see_node(node)
    }

    fn nodes(&self) -> StoreFuture<'_, Vec<NodeRecord>> {
        self.store.nodes()
    }
}

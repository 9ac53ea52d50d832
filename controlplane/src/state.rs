//! What is true now: a fold of the store and of what nodes report.

mod calendar;
mod checks;
mod era;
pub(crate) mod fleet;
mod hints;
mod leading;
mod learning;
mod meter;
mod nodes;
mod outbox;
mod quotas;
mod recalls;
mod reports;
mod rotated;
#[cfg(test)]
pub(crate) mod sample;
mod spending;
mod traffic;

pub(crate) use calendar::Calendar;
pub(crate) use checks::Checks;
pub(crate) use era::Era;
pub(crate) use fleet::Fleet;
pub(crate) use hints::{Hints, News, REMEMBERED, is_configured};
pub(crate) use leading::{Leading, Term};
pub(crate) use learning::Learning;
pub(crate) use meter::{Meter, TargetKey};
pub(crate) use nodes::{Node, Nodes, Refusal};
pub(crate) use outbox::{Outbox, evidence};
pub(crate) use quotas::{Quotas, Used};
pub(crate) use recalls::Recalls;
pub(crate) use reports::{Heard, Reports};
pub(crate) use rotated::Rotated;
pub(crate) use spending::Spending;
pub(crate) use traffic::Traffic;

use arc_swap::ArcSwapOption;
use cliproxy_domain::{
    AttemptCounts, Batch, ConfigId, HistoryId, LedgerRow, NodeId, ProbeReport, ProviderName, Snapshot,
    WallTime,
};
use cliproxy_engine::{Outlook, health::Evidence};
use cliproxy_host::Clock;
use cliproxy_proto::convert::config::EntrySet;
use cliproxy_store::{Store, StoreError, ledger::minute_of};
use era::Eras;
use parking_lot::Mutex;
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::sync::watch;

/// A numbered configuration with its content, encoded once for all nodes.
#[derive(Debug)]
pub(crate) struct ActiveConfig {
    pub(crate) id: ConfigId,
    pub(crate) snapshot: Snapshot,
    pub(crate) entries: EntrySet,
}

/// What is true now. Each part has its own lock, held for the length of one look or one change.
pub(crate) struct State {
    pub(crate) clock: Arc<dyn Clock>,
    /// The same clock, as what is set by the store's.
    pub(crate) calendar: Arc<Calendar>,
    pub(crate) store: Arc<dyn Store>,
    eras: Eras,
    /// The configuration that nodes are offered; `None` until one was handed in, as the store keeps no keys, and while
    /// this replica cannot make the newest one from its text.
    pub(crate) config: watch::Sender<Option<Arc<ActiveConfig>>>,
    /// The configuration that decisions and answers go by.
    pub(crate) in_force: ArcSwapOption<ActiveConfig>,
    /// The configuration that cannot be made here, and why.
    pub(crate) unmade: Mutex<Option<(ConfigId, String)>>,
    /// Whether the store answered when it was last asked.
    pub(crate) database: watch::Sender<bool>,
    pub(crate) hints: Hints,
    pub(crate) traffic: Mutex<Traffic>,
    pub(crate) meter: Meter,
    pub(crate) quotas: Quotas,
    /// Held over a commit of the ledger and its folding into the state, and over a reading of sums that folding goes
    /// on from: nothing of this replica's is counted twice or left out between the two.
    pub(crate) ledger: tokio::sync::Mutex<()>,
    /// Whether this replica does what one does for all.
    pub(crate) leading: Leading,
    /// What the other replicas are to be told.
    pub(crate) outbox: Outbox,
    /// The streams by which nodes claim limits.
    pub(crate) recalls: Arc<Recalls>,
    /// Whether what nodes hold of limits is to be heard before more is granted.
    pub(crate) learning: Learning,
    /// What was heard of providers and not judged yet.
    pub(crate) reports: Reports,
    pub(crate) checks: Checks,
    pub(crate) rotated: Rotated,
    pub(crate) nodes: Nodes,
    pub(crate) fleet: Fleet,
}

impl State {
    /// Reads from the store what can be rebuilt: the hints, the nodes, and the traffic of the minute that runs.
    pub(crate) async fn load(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        let calendar = Arc::new(Calendar::over(clock));
        calendar.follow(&*store).await?;
        let clock: Arc<dyn Clock> = calendar.clone();
        let history = store.history().await?;
        let (version, hints) = store.hints().await?;
        let nodes = store.nodes().await?;
        let traffic = running_minute(&*store, clock.wall()).await?;
        let learning = Learning::new(clock.now());
        Ok(Self {
            clock,
            calendar,
            store,
            eras: Eras::new(history),
            config: watch::Sender::new(None),
            in_force: ArcSwapOption::empty(),
            unmade: Mutex::default(),
            database: watch::Sender::new(true),
            hints: Hints::new(version, hints),
            traffic: Mutex::new(traffic),
            meter: Meter::default(),
            quotas: Quotas::default(),
            ledger: tokio::sync::Mutex::default(),
            leading: Leading::default(),
            outbox: Outbox::default(),
            recalls: Arc::default(),
            learning,
            reports: Reports::default(),
            checks: Checks::default(),
            rotated: Rotated::default(),
            nodes: Nodes::new(nodes),
            fleet: Fleet::default(),
        })
    }

    /// Folds one committed batch into what is true now. Called with [`State::ledger`] held.
    pub(crate) fn fold(&self, node: &NodeId, batch: &Batch, now: WallTime) {
        let end = batch.window_start.plus(batch.window);
        self.fold_sums(&batch.rows, end, minute_of(batch.window_start, now), now);
        self.outbox.usage(batch, now);
        let Some(active) = self.active() else { return };
        let mut calls: BTreeMap<&ProviderName, AttemptCounts> = BTreeMap::new();
        for row in batch.rows.iter().filter(|row| active.snapshot.providers.contains_key(&row.key.provider)) {
            *calls.entry(&row.key.provider).or_default() += row.attempts;
        }
        let heard = calls.into_iter().filter_map(|(provider, attempts)| {
            let evidence = Evidence::traffic(node.clone(), end.min(now), &attempts)?;
            self.outbox.traffic(provider, &evidence);
            Some(Heard::Traffic(provider.clone(), evidence))
        });
        self.reports.push(heard.collect::<Vec<_>>());
    }

    /// Folds sums of windows that ended at `end`, and that the store counts under `minute`, whoever committed them.
    pub(crate) fn fold_sums(&self, rows: &[LedgerRow], end: WallTime, minute: WallTime, now: WallTime) {
        self.traffic.lock().fold(rows, end, now);
        let Some(active) = self.active() else { return };
        self.quotas.fold(rows, minute, &active.snapshot);
        let configured = |row: &&LedgerRow| active.snapshot.providers.contains_key(&row.key.provider);
        self.meter.fold(rows.iter().filter(configured), end, now);
    }

    /// Takes probes that one of this replica's nodes reports, each with the time at which it ended.
    pub(crate) fn probed(&self, probes: Vec<(ProbeReport, WallTime)>) {
        probes.iter().for_each(|(report, at)| self.outbox.probe(report, *at));
        self.hear_probes(probes);
    }

    /// Takes probes, whoever's node reports them.
    pub(crate) fn hear_probes(&self, probes: Vec<(ProbeReport, WallTime)>) {
        probes.iter().for_each(|(report, at)| self.checks.heard(&report.provider, *at));
        self.reports.push(probes.into_iter().map(|(report, at)| Heard::Probe(report, at)));
    }

    /// Goes on with a store that has another history: what is counted is counted as it has it, and all streams end.
    /// Called with [`State::ledger`] held.
    pub(crate) async fn begin_era(&self, history: HistoryId) -> Result<(), StoreError> {
        let traffic = running_minute(&*self.store, self.clock.wall()).await?;
        let nodes = self.store.nodes().await?;
        *self.traffic.lock() = traffic;
        self.nodes.remember(nodes);
        self.fleet.begin_era();
        // Before anybody goes by the new history: what it forgot must not be granted again.
        self.learning.begin(self.clock.now());
        self.eras.begin(history);
        Ok(())
    }

    /// Gives the era that lasts: the store's history, and what tells when it is another.
    pub(crate) fn era(&self) -> Arc<Era> {
        self.eras.current()
    }

    /// Names the store's history.
    pub(crate) fn history(&self) -> HistoryId {
        self.era().history.clone()
    }

    /// Gives the configuration in force.
    pub(crate) fn active(&self) -> Option<Arc<ActiveConfig>> {
        self.in_force.load_full()
    }

    /// Gives the number of the configuration that nodes are offered; 0 when they are offered none.
    pub(crate) fn offered(&self) -> ConfigId {
        self.config.borrow().as_ref().map_or(ConfigId(0), |offered| offered.id)
    }

    /// Gives what is known of every provider of the configuration in force, as the hints say it; of no provider before
    /// there is one. Costs little while no hint changes.
    pub(crate) fn outlook(&self) -> Arc<Outlook> {
        match self.active() {
            Some(active) => self.hints.outlook(active.id, &active.snapshot),
            None => Arc::default(),
        }
    }

    /// Tells what keeps this replica from serving; `None` when nothing does.
    pub(crate) fn not_ready(&self) -> Option<&'static str> {
        if !*self.database.borrow() {
            return Some("the store does not answer");
        }
        if self.unmade.lock().is_some() {
            return Some("the newest configuration cannot be made here");
        }
        self.config.borrow().is_none().then_some("no configuration was applied yet")
    }
}

/// Reads the traffic of the minute that runs.
async fn running_minute(store: &dyn Store, now: WallTime) -> Result<Traffic, StoreError> {
    let minute = WallTime(now.0.div_euclid(60_000) * 60_000);
    let rows = store.usage(minute..minute.plus(Duration::from_secs(60))).await?;
    let mut traffic = Traffic::default();
    // All of it ended in this minute; counting it from the minute's beginning lets it go rather too early.
    traffic.fold(&rows, minute, now);
    Ok(traffic)
}

//! What the node knows now: the configuration in force, and what the cluster and the node itself found out about the
//! providers.
//!
//! Requests read it without locks. [`sync`](crate::sync) replaces it; a node always has a value once it had one.

mod board;
mod budgets;
mod callers;
mod failures;
mod known;
mod lease_watch;
mod limit_metrics;
mod limits;
mod load;
mod measured;
mod permits;

pub use budgets::Budgets;
pub use callers::{Callers, KeyFault};
pub use known::{Known, Priced, Resolved};
pub use lease_watch::LeaseWatch;
pub use limit_metrics::{LimitMetrics, Reserved};
pub use limits::{
    Allowance, Allowances, Budget, Ground, Held, HeldRate, LAST_WAIT, LeaseNews, Limits, MOST_WAIT,
};
pub use load::OpenCall;
pub use permits::Probing;

use crate::{purse::Purse, upstream::Upstreams};
use arc_swap::{ArcSwap, ArcSwapOption};
use board::Board;
use cliproxy_domain::{
    ConfigId, Cooldown, CooldownKey, Health, Hint, HintKey, LedgerRow, NodeId, ProbeAssignment, Snapshot,
    WallTime,
};
use cliproxy_engine::cooldown;
use failures::{Windows, excuses};
use load::Gauges;
use parking_lot::Mutex;
use permits::Permits;
use std::sync::{
    Arc, Weak,
    atomic::{AtomicBool, Ordering},
};
use tokio::sync::watch;

/// The node's knowledge.
pub struct Live {
    known: ArcSwapOption<Known>,
    /// Of the configuration in force; none as long as there is none.
    callers: ArcSwapOption<Callers>,
    upstreams: Upstreams,
    first_ticket: u64,
    /// Locked while a configuration is put in force, so that all hear of them in the same order.
    listeners: Mutex<Vec<Listener>>,
    /// Locked when something was found out, never on the way of a request that succeeds.
    state: Mutex<State>,
    windows: Windows,
    permits: Permits,
    limits: ArcSwap<Limits>,
    ground: Ground,
    lease_news: LeaseNews,
    cut_off: AtomicBool,
    changes: watch::Sender<u64>,
}

type Listener = Box<dyn Fn(&Snapshot) + Send + Sync>;

#[derive(Default)]
struct State {
    board: Board,
    gauges: Gauges,
    /// The configuration in force, and older ones that requests still run on: those must hear of rests as well.
    laid_out: Vec<Weak<Known>>,
}

/// Configurations at most that are kept up to date for requests that began on them.
const MAX_LAID_OUT: usize = 8;

impl Live {
    /// Starts with nothing known, as a node that is cut off. `first_ticket` differs from node to node, so that a
    /// cluster's turns are even.
    pub fn new(upstreams: Upstreams, first_ticket: u64) -> Self {
        // Far from overflow, however many requests follow.
        let first_ticket = first_ticket >> 1;
        Self {
            known: ArcSwapOption::empty(),
            callers: ArcSwapOption::empty(),
            upstreams,
            first_ticket,
            listeners: Mutex::default(),
            state: Mutex::default(),
            windows: Windows::default(),
            permits: Permits::default(),
            limits: ArcSwap::default(),
            ground: Ground::default(),
            lease_news: LeaseNews::default(),
            cut_off: AtomicBool::new(true),
            changes: watch::Sender::new(0),
        }
    }

    /// Gives the configuration in force, if there is one.
    pub fn known(&self) -> Option<Arc<Known>> {
        self.known.load_full()
    }

    /// Gives who may ask, by the configuration in force and what was said of keys since; none without a configuration.
    pub fn callers(&self) -> Option<Arc<Callers>> {
        self.callers.load_full()
    }

    /// Calls `listener` with the configuration in force, if there is one, and with each later one just before that
    /// is put in force: no request can name a provider that it has not heard of. It must neither block nor adopt.
    pub fn on_adopt(&self, listener: impl Fn(&Snapshot) + Send + Sync + 'static) {
        let mut listeners = self.listeners.lock();
        if let Some(known) = self.known() {
            listener(&known.snapshot);
        }
        listeners.push(Box::new(listener));
    }

    /// Puts a configuration in force, as a whole. Connections to providers that stay the same are kept, and so is what
    /// was found out about them.
    ///
    /// # Errors
    /// When a provider cannot be called as configured; the configuration in force stays.
    pub fn adopt(&self, config: ConfigId, snapshot: Snapshot) -> Result<(), crate::upstream::UpstreamError> {
        let listeners = self.listeners.lock();
        let upstreams = self.upstreams.of(&snapshot)?;
        let before = self.known();
        let mut state = self.state.lock();
        let known = Arc::new(Known {
            config,
            upstreams,
            resolved: papaya::HashMap::new(),
            first_ticket: self.first_ticket,
            outlook: ArcSwap::from_pointee(state.board.lay_out(&snapshot)),
            open_calls: state.gauges.lay_out(&snapshot),
            budgets: Budgets::of(&snapshot.policy.retries, before.as_ref().map(|before| &before.budgets)),
            snapshot,
        });
        state.laid_out.retain(|known| known.strong_count() > 0);
        let surplus = (state.laid_out.len() + 1).saturating_sub(MAX_LAID_OUT);
        state.laid_out.drain(..surplus);
        state.laid_out.push(Arc::downgrade(&known));
        self.windows.retain(|provider| known.snapshot.providers.contains_key(provider));
        self.limits.store(Arc::new(Limits::of(&known.snapshot, &self.limits.load(), &self.ground)));
        listeners.iter().for_each(|listener| listener(&known.snapshot));
        // First, so that nobody is served on a configuration who could not ask by it.
        self.callers.store(Some(Arc::new(Callers::of(&known.snapshot.clients, state.board.key_records()))));
        // Before the state is free again, so that no hint is laid out for the old one alone.
        self.known.store(Some(known));
        drop(state);
        self.changed();
        self.lease_news.want();
        Ok(())
    }

    /// Merges a hint into what is known. Tells whether that changed.
    pub fn hint(&self, hint: Hint, now: WallTime) -> bool {
        self.hint_all([hint], now)
    }

    /// Merges hints into what is known, and lays it out once. Tells whether anything of it changed.
    pub fn hint_all(&self, hints: impl IntoIterator<Item = Hint>, now: WallTime) -> bool {
        let mut well = Vec::new();
        let changed = self.update(|board| {
            let mut changed = false;
            for hint in hints {
                let word = match (&hint, board.get(&hint.key())) {
                    (Hint::Cooldown(rest), known) if excuses(rest, known) => Some(rest.key.provider.clone()),
                    _ => None,
                };
                if board.merge(hint, now) {
                    changed = true;
                    well.extend(word);
                }
            }
            changed
        });
        // What was counted before speaks no more.
        well.iter().for_each(|provider| self.windows.clear(provider));
        changed
    }

    /// Puts an operator's word in force on this node; where there is a control plane, the word is that one's to give.
    pub fn say(&self, word: Cooldown, now: WallTime) -> bool {
        self.hint(Hint::Cooldown(word), now)
    }

    /// Ends a rest since a probe that was sent in its epoch and round was answered. Gives the word that ends it, for
    /// the control plane; none when something was said since.
    pub fn clear(
        &self,
        key: &CooldownKey,
        seen: (u64, u32),
        node: &NodeId,
        now: WallTime,
    ) -> Option<Cooldown> {
        let mut cleared = None;
        self.update(|board| {
            let Some(Hint::Cooldown(known)) = board.get(&HintKey::Cooldown(key.clone())) else {
                return false;
            };
            cleared = cooldown::clear(known, seen, node, now);
            cleared.clone().is_some_and(|rest| board.merge(Hint::Cooldown(rest), now))
        });
        if cleared.as_ref().is_some_and(|rest| excuses(rest, None)) {
            self.windows.clear(&key.provider);
        }
        cleared
    }

    /// Takes in what one window of the ledger measured, and forgets what nobody repeated. Called once a second.
    pub fn tick(&self, rows: &[LedgerRow], now: WallTime) {
        let Some(window) = self.known().map(|known| known.snapshot.policy.latency_window) else { return };
        self.update(|board| {
            let forgot = board.forget(now);
            board.measured(rows, window, now) | forgot
        });
    }

    /// Gives all hints that are worth saving: those that a store keeps.
    pub fn hints(&self) -> Vec<Hint> {
        self.state.lock().board.hints().filter(|hint| hint.is_stored()).cloned().collect()
    }

    /// Gives what is known of one thing.
    pub fn hint_of(&self, key: &HintKey) -> Option<Hint> {
        self.state.lock().board.get(key).cloned()
    }

    /// Gives the assignments of probes that hold.
    pub fn assignments(&self) -> Vec<ProbeAssignment> {
        let state = self.state.lock();
        let assignments = state.board.hints().filter_map(|hint| match hint {
            Hint::Probe(assignment) => Some(assignment.clone()),
            _ => None,
        });
        assignments.collect()
    }

    /// Gives the cluster's word on each provider's health.
    pub fn healths(&self) -> Vec<Health> {
        let state = self.state.lock();
        let healths = state.board.hints().filter_map(|hint| match hint {
            Hint::Health(health) => Some(health.clone()),
            _ => None,
        });
        healths.collect()
    }

    /// Gives a signal that changes with each change of what is known, and with each configuration.
    pub fn subscribe_hints(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Notes whether the control plane is away: then nobody else hands out permits to probe.
    pub fn set_cut_off(&self, cut_off: bool) {
        self.cut_off.store(cut_off, Ordering::Relaxed);
    }

    /// Gives the limits of the configuration in force, with what is held of each.
    pub fn limits(&self) -> Arc<Limits> {
        self.limits.load_full()
    }

    /// Gives what those hear of each other that wait for a part of a limit and that fetch it.
    pub fn lease_news(&self) -> &LeaseNews {
        &self.lease_news
    }

    /// Forgets budgets that are not configured any more, and of which nothing is left to say.
    pub fn forget_budgets(&self, settled: impl Fn(&Purse) -> bool) {
        let _one_at_a_time = self.listeners.lock();
        let limits = self.limits.load_full();
        if limits.leaving().any(|purse| settled(purse)) {
            self.limits.store(Arc::new(limits.without(settled)));
        }
    }

    /// Keeps what is held of limits on this ground. Use it before anything is adopted.
    pub fn on(self, ground: Ground) -> Self {
        Self { ground, ..self }
    }

    /// Tells whether the control plane is away.
    pub fn is_cut_off(&self) -> bool {
        self.cut_off.load(Ordering::Relaxed)
    }

    /// Changes what is known; lays it out for every configuration in use when it did change.
    fn update(&self, change: impl FnOnce(&mut Board) -> bool) -> bool {
        let mut state = self.state.lock();
        let changed = change(&mut state.board);
        if state.board.take_key_news()
            && let Some(known) = self.known()
        {
            let callers = Callers::of(&known.snapshot.clients, state.board.key_records());
            self.callers.store(Some(Arc::new(callers)));
        }
        if changed {
            for known in state.laid_out.iter().filter_map(Weak::upgrade) {
                known.outlook.store(Arc::new(state.board.lay_out(&known.snapshot)));
            }
        }
        drop(state);
        if changed {
            self.changed();
        }
        changed
    }

    fn changed(&self) {
        self.changes.send_modify(|number| *number = number.wrapping_add(1));
    }
}

#[cfg(test)]
mod tests;

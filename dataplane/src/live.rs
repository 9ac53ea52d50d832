//! What the node knows now: the configuration in force, and what the cluster and the node itself found out about the
//! providers.
//!
//! Requests read it without locks. [`sync`](crate::sync) replaces it; a node always has a value once it had one.

mod board;
mod budgets;
mod failures;
mod load;
mod measured;
mod permits;

pub use budgets::Budgets;
pub use load::OpenCall;
pub use permits::Probing;

use crate::upstream::{Upstream, Upstreams};
use arc_swap::{ArcSwap, ArcSwapOption};
use board::Board;
use cliproxy_domain::{
    ConfigId, Cooldown, CooldownCause, CooldownKey, Dialect, Health, Hint, HintKey, LedgerRow, ModelName,
    NodeId, Operation, ProbeAssignment, ProviderName, Snapshot, WallTime,
};
use cliproxy_engine::{
    CandidateSet, Load, Outlook, ResolveError,
    cooldown::{self, Stage},
    resolve,
};
use failures::Windows;
use load::{Gauges, OpenCalls};
use parking_lot::Mutex;
use permits::Permits;
use std::{
    collections::HashMap,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};
use tokio::sync::watch;

/// One configuration with what is derived from it.
pub struct Known {
    /// Its number; 0 when it came from a file and no control plane numbered it.
    pub config: ConfigId,
    /// The configuration itself.
    pub snapshot: Snapshot,
    /// The way to each provider.
    upstreams: HashMap<ProviderName, Arc<Upstream>>,
    resolved: papaya::HashMap<(ModelName, Dialect, Operation), Arc<Resolved>>,
    first_ticket: u64,
    /// Laid out for this very snapshot, and anew with each hint.
    outlook: ArcSwap<Outlook>,
    open_calls: OpenCalls,
    budgets: Arc<Budgets>,
}

/// What a model's name stands for, and how many requests asked for it.
pub struct Resolved {
    /// The targets.
    pub set: CandidateSet,
    ticket: AtomicU64,
}

impl Resolved {
    /// Draws the number of this request among those for the same name.
    pub fn draw_ticket(&self) -> u64 {
        self.ticket.fetch_add(1, Ordering::Relaxed)
    }
}

/// Names that are resolved once and kept. Clients choose names, so there must be a bound.
const MAX_RESOLVED: usize = 1_024;

impl Known {
    /// Finds the targets of a name, from memory when it was asked for before.
    ///
    /// # Errors
    /// When the name stands for nothing.
    pub fn resolve(
        &self,
        model: &ModelName,
        dialect: Dialect,
        operation: Operation,
    ) -> Result<Arc<Resolved>, ResolveError> {
        let key = (model.clone(), dialect, operation);
        let resolved = self.resolved.pin();
        if let Some(found) = resolved.get(&key) {
            return Ok(Arc::clone(found));
        }
        let set = resolve(&self.snapshot, model.as_str(), dialect, operation)?;
        let found = Arc::new(Resolved { set, ticket: AtomicU64::new(self.first_ticket) });
        if resolved.len() >= MAX_RESOLVED {
            return Ok(found);
        }
        Ok(Arc::clone(resolved.get_or_insert(key, found)))
    }

    /// Gives the way to a provider of this configuration.
    pub fn upstream(&self, provider: &ProviderName) -> Option<&Arc<Upstream>> {
        self.upstreams.get(provider)
    }

    /// Gives what is known of this configuration's providers.
    pub fn outlook(&self) -> Arc<Outlook> {
        self.outlook.load_full()
    }

    /// Gives how many calls are open, by the places of this configuration.
    pub fn load(&self) -> &impl Load {
        &self.open_calls
    }

    /// Gives what the node may still try beyond first calls.
    pub fn budgets(&self) -> &Budgets {
        &self.budgets
    }

    /// Counts a call with a credential as open until what it gives is dropped.
    pub fn open_call(&self, slot: usize, credential: usize) -> Option<OpenCall> {
        self.open_calls.open(slot, credential)
    }
}

/// The node's knowledge.
pub struct Live {
    known: ArcSwapOption<Known>,
    upstreams: Upstreams,
    first_ticket: u64,
    /// Locked while a configuration is put in force, so that all hear of them in the same order.
    listeners: Mutex<Vec<Listener>>,
    /// Locked when something was found out, never on the way of a request that succeeds.
    state: Mutex<State>,
    windows: Windows,
    permits: Permits,
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
            upstreams,
            first_ticket,
            listeners: Mutex::default(),
            state: Mutex::default(),
            windows: Windows::default(),
            permits: Permits::default(),
            cut_off: AtomicBool::new(true),
            changes: watch::Sender::new(0),
        }
    }

    /// Gives the configuration in force, if there is one.
    pub fn known(&self) -> Option<Arc<Known>> {
        self.known.load_full()
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
        listeners.iter().for_each(|listener| listener(&known.snapshot));
        // Before the state is free again, so that no hint is laid out for the old one alone.
        self.known.store(Some(known));
        drop(state);
        self.changed();
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
                let word = match &hint {
                    Hint::Cooldown(rest) if rest.cleared => Some(rest.key.provider.clone()),
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

    /// Tells whether the control plane is away.
    pub fn is_cut_off(&self) -> bool {
        self.cut_off.load(Ordering::Relaxed)
    }

    /// Tells why a provider is out, when it or all its credentials rest.
    pub fn provider_rests(&self, provider: &ProviderName, now: WallTime) -> Option<CooldownCause> {
        let outlook = self.known()?.outlook();
        let provider = outlook.provider(provider.as_str())?;
        let mut cause = None;
        for credential in &provider.credentials {
            // No model is named so: only words on the whole credential or provider count.
            match provider.governing(credential, "", now)? {
                (rest, Stage::Resting) => cause = Some(rest.cause),
                _ => return None,
            }
        }
        cause
    }

    /// Changes what is known; lays it out for every configuration in use when it did change.
    fn update(&self, change: impl FnOnce(&mut Board) -> bool) -> bool {
        let mut state = self.state.lock();
        let changed = change(&mut state.board);
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

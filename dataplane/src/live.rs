//! What the node knows now: the configuration in force, and which credentials rest.
//!
//! Requests read it without locks. [`sync`](crate::sync) replaces it; a node always has a value once it had one.

use crate::upstream::{Upstream, Upstreams};
use arc_swap::ArcSwapOption;
use cliproxy_domain::{
    ConfigId, Cooldown, CooldownCause, CooldownKey, CredentialName, Dialect, ModelName, Operation,
    ProviderName, Snapshot, Target, WallTime,
};
use cliproxy_engine::{CandidateSet, ResolveError, resolve};
use parking_lot::Mutex;
use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

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
}

/// The node's knowledge.
pub struct Live {
    known: ArcSwapOption<Known>,
    rests: papaya::HashMap<CooldownKey, Cooldown>,
    upstreams: Upstreams,
    first_ticket: u64,
    /// Locked while a configuration is put in force, so that all hear of them in the same order.
    listeners: Mutex<Vec<Listener>>,
}

type Listener = Box<dyn Fn(&Snapshot) + Send + Sync>;

impl Live {
    /// Starts with nothing known. `first_ticket` differs from node to node, so that a cluster's turns are even.
    pub fn new(upstreams: Upstreams, first_ticket: u64) -> Self {
        // Far from overflow, however many requests follow.
        let first_ticket = first_ticket >> 1;
        Self {
            known: ArcSwapOption::empty(),
            rests: papaya::HashMap::new(),
            upstreams,
            first_ticket,
            listeners: Mutex::default(),
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

    /// Puts a configuration in force, as a whole. Connections to providers that stay the same are kept.
    ///
    /// # Errors
    /// When a provider cannot be called as configured; the configuration in force stays.
    pub fn adopt(&self, config: ConfigId, snapshot: Snapshot) -> Result<(), crate::upstream::UpstreamError> {
        let listeners = self.listeners.lock();
        let upstreams = self.upstreams.of(&snapshot)?;
        let known = Known {
            config,
            snapshot,
            upstreams,
            resolved: papaya::HashMap::new(),
            first_ticket: self.first_ticket,
        };
        listeners.iter().for_each(|listener| listener(&known.snapshot));
        self.known.store(Some(Arc::new(known)));
        Ok(())
    }

    /// Merges a rest into what is known, and forgets those that are over. Tells whether anything changed.
    pub fn rest(&self, cooldown: Cooldown, now: WallTime) -> bool {
        let rests = self.rests.pin();
        let before = rests.get(&cooldown.key).cloned();
        let merged = match before.clone() {
            Some(known) => known.merge(cooldown),
            None => cooldown,
        };
        let changed = before.as_ref() != Some(&merged);
        if changed {
            rests.update_or_insert_with(
                merged.key.clone(),
                |known| known.clone().merge(merged.clone()),
                || merged.clone(),
            );
        }
        // A rest with an epoch is an operator's word, which outlives its end: older evidence must not undo it.
        rests.retain(|_, rest| rest.until > now || rest.epoch > 0);
        changed
    }

    /// Tells until when a credential rests.
    pub fn rests_until(&self, target: &Target, credential: &CredentialName) -> Option<WallTime> {
        self.resting(&target.provider, credential).map(|rest| rest.until)
    }

    /// Gives the rest of a credential, over or not.
    pub fn resting(&self, provider: &ProviderName, credential: &CredentialName) -> Option<Cooldown> {
        let rests = self.rests.pin();
        if rests.is_empty() {
            return None;
        }
        rests.get(&CooldownKey { provider: provider.clone(), credential: credential.clone() }).cloned()
    }

    /// Gives all rests that are not over.
    pub fn all_rests(&self, now: WallTime) -> Vec<Cooldown> {
        self.rests.pin().values().filter(|rest| rest.until > now).cloned().collect()
    }

    /// Tells why a provider is out, when all its credentials rest.
    pub fn provider_rests(&self, provider: &ProviderName, now: WallTime) -> Option<CooldownCause> {
        let known = self.known()?;
        let provider = known.snapshot.providers.get(provider)?;
        let mut cause = None;
        for credential in &provider.credentials {
            cause =
                Some(self.resting(&provider.name, &credential.name).filter(|rest| rest.until > now)?.cause);
        }
        cause
    }
}

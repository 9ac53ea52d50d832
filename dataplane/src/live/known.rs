//! One configuration with what is derived from it, as requests read it.

use super::{Budgets, OpenCall, load::OpenCalls};
use crate::upstream::Upstream;
use arc_swap::ArcSwap;
use cliproxy_domain::{
    ConfigId, Dialect, ModelName, Operation, Price, PriceVersion, ProviderName, Snapshot, Target, TokenUsage,
};
use cliproxy_engine::{CandidateSet, Load, Outlook, ResolveError, resolve};
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
    pub(super) upstreams: HashMap<ProviderName, Arc<Upstream>>,
    pub(super) resolved: papaya::HashMap<(ModelName, Dialect, Operation), Arc<Resolved>>,
    pub(super) first_ticket: u64,
    /// Laid out for this very snapshot, and anew with each hint.
    pub(super) outlook: ArcSwap<Outlook>,
    pub(super) open_calls: OpenCalls,
    pub(super) budgets: Arc<Budgets>,
}

/// What a model's name stands for, and how many requests asked for it.
pub struct Resolved {
    /// The targets.
    pub set: CandidateSet,
    /// What each of them costs, in the same order.
    prices: Vec<Option<Priced>>,
    ticket: AtomicU64,
}

/// A price, and the name of its figures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Priced {
    /// The price.
    pub price: Price,
    /// What the figures are called.
    pub version: PriceVersion,
}

impl Priced {
    /// Gives what `usage` costs, in billionths of a US dollar.
    pub fn cost(&self, usage: &TokenUsage) -> u64 {
        self.price.cost(usage)
    }
}

impl Resolved {
    /// Gives what the target at a place of the set costs; none where no price is known.
    pub fn price(&self, candidate: usize) -> Option<&Priced> {
        self.prices.get(candidate)?.as_ref()
    }

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
        let prices = set.candidates.iter().map(|candidate| self.price(&candidate.target)).collect();
        let found = Arc::new(Resolved { set, prices, ticket: AtomicU64::new(self.first_ticket) });
        if resolved.len() >= MAX_RESOLVED {
            return Ok(found);
        }
        Ok(Arc::clone(resolved.get_or_insert(key, found)))
    }

    fn price(&self, target: &Target) -> Option<Priced> {
        let entry = self.snapshot.providers.get(&target.provider)?.price_of(target.model.as_str())?;
        Some(Priced { price: entry.price, version: entry.version.clone() })
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

//! What is on the hint line now.

use cliproxy_domain::{
    BudgetId, ConfigId, Cooldown, CooldownKey, Health, Hint, HintKey, HintVersion, KeyRecord, LedgerKey,
    ProviderName, QuotaSignal, Snapshot, WallTime,
};
use cliproxy_engine::{Outlook, cooldown::RISE};
use cliproxy_store::{HintChange, hints::settled_at};
use parking_lot::Mutex;
use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

/// How long a rest is remembered that ended, unless it is an operator's word: longer than nodes remember one that was
/// not tried since.
pub(crate) const REMEMBERED: Duration = Duration::from_secs(25 * 60 * 60);

/// How many values are kept. Clients name models, so that rests of single models could be without number: beyond this,
/// those that are over are forgotten, and where none is, further ones of single models are not taken.
const KEEP: usize = 10_000;

/// The values of all keys, merged, with the newest number of the hint line.
///
/// A value is here before it is stored: it is a hint, and merging it again changes nothing. What is over stays for a
/// while, for people and since a later word has to follow on it.
pub(crate) struct Hints(Mutex<Inner>);

struct Inner {
    current: BTreeMap<HintKey, Hint>,
    version: HintVersion,
    /// Counts changes of values.
    changed: u64,
    laid_out: Option<LaidOut>,
    /// When each value that is never stored was last said.
    said: BTreeMap<HintKey, Instant>,
}

/// A value that another replica, or an operator through it, changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct News {
    pub(crate) before: Option<Hint>,
    pub(crate) after: Hint,
}

/// An outlook, and what it was made of.
struct LaidOut {
    config: ConfigId,
    changed: u64,
    outlook: Arc<Outlook>,
}

impl Hints {
    pub(super) fn new(version: HintVersion, hints: Vec<Hint>) -> Self {
        let current = hints.into_iter().map(|hint| (hint.key(), hint)).collect();
        let said = BTreeMap::new();
        Self(Mutex::new(Inner { current, version, changed: 0, laid_out: None, said }))
    }

    /// Merges one value and gives the merged one; `None` when nothing changed, and when there is no place for one
    /// more.
    pub(crate) fn merge(&self, hint: Hint, now: WallTime) -> Option<Hint> {
        let mut inner = self.0.lock();
        let key = hint.key();
        if is_of_a_model(&key) && inner.current.len() >= KEEP && !inner.current.contains_key(&key) {
            inner.forget(|rest| !rest.outlives_its_end() && rest.until.plus(RISE) < now);
            if inner.current.len() >= KEEP {
                return None;
            }
        }
        inner.merge(key, hint)
    }

    /// Takes over what the store numbered, and gives what of it was not known.
    pub(crate) fn numbered(&self, changes: &[HintChange]) -> Vec<News> {
        let mut inner = self.0.lock();
        let mut news = Vec::new();
        for change in changes {
            let key = change.hint.key();
            let before = inner.current.get(&key).cloned();
            if let Some(after) = inner.merge(key, change.hint.clone()) {
                news.push(News { before, after });
            }
            inner.version = inner.version.max(change.version);
        }
        news
    }

    /// Takes what the store has for all that is stored: what was said here and never committed is forgotten.
    pub(crate) fn restore(&self, version: HintVersion, hints: Vec<Hint>) {
        let mut inner = self.0.lock();
        inner.current.retain(|_, hint| !hint.is_stored());
        inner.current.extend(hints.into_iter().map(|hint| (hint.key(), hint)));
        inner.version = inner.version.max(version);
        inner.changed += 1;
    }

    /// Goes on with a store that has another history: under its number, with what it holds merged into what is known
    /// here. Gives what it does not hold, or not so far.
    pub(crate) fn rebase(&self, version: HintVersion, hints: Vec<Hint>) -> Vec<Hint> {
        let mut inner = self.0.lock();
        let stored: BTreeMap<HintKey, Hint> = hints.into_iter().map(|hint| (hint.key(), hint)).collect();
        for (key, hint) in &stored {
            inner.merge(key.clone(), hint.clone());
        }
        inner.version = version;
        let is_lost = |(key, hint): &(&HintKey, &Hint)| hint.is_stored() && stored.get(*key) != Some(*hint);
        inner.current.iter().filter(is_lost).map(|(_, hint)| hint.clone()).collect()
    }

    /// Notes that a value that is never stored was said at `now`, by whoever leads.
    pub(crate) fn said(&self, key: HintKey, now: Instant) {
        self.0.lock().said.insert(key, now);
    }

    /// Forgets values that are never stored and that nobody has said since `before`.
    pub(crate) fn forget_unsaid(&self, before: Instant) {
        let mut inner = self.0.lock();
        let Inner { current, said, changed, .. } = &mut *inner;
        said.retain(|key, at| {
            let holds = *at >= before;
            if !holds {
                *changed += u64::from(current.remove(key).is_some());
            }
            holds
        });
    }

    /// Gives the revision of a value that is never stored; `None` where there is none.
    pub(crate) fn revision(&self, key: &HintKey) -> Option<u64> {
        match self.0.lock().current.get(key)? {
            Hint::Probe(assignment) => Some(assignment.revision),
            Hint::Signal(signal) => Some(signal.revision),
            Hint::Quota(quota) => Some(quota.revision),
            Hint::Cooldown(_) | Hint::Health(_) | Hint::ClientKey(_) => None,
        }
    }

    /// Gives the word on a key.
    pub(crate) fn cooldown(&self, key: &CooldownKey) -> Option<Cooldown> {
        match self.0.lock().current.get(&HintKey::Cooldown(key.clone())) {
            Some(Hint::Cooldown(rest)) => Some(rest.clone()),
            _ => None,
        }
    }

    /// Gives the word on a provider's health.
    pub(crate) fn health(&self, provider: &ProviderName) -> Option<Health> {
        match self.0.lock().current.get(&HintKey::Health(provider.clone())) {
            Some(Hint::Health(health)) => Some(health.clone()),
            _ => None,
        }
    }

    /// Gives what is said of clients' keys, sorted by their names.
    pub(crate) fn client_keys(&self) -> Vec<KeyRecord> {
        let inner = self.0.lock();
        let records = inner.current.values().filter_map(|hint| match hint {
            Hint::ClientKey(record) => Some(record.clone()),
            _ => None,
        });
        records.collect()
    }

    /// Gives the word on what is left of a budget.
    pub(crate) fn quota(&self, budget: &BudgetId) -> Option<QuotaSignal> {
        match self.0.lock().current.get(&HintKey::Quota(budget.clone())) {
            Some(Hint::Quota(quota)) => Some(quota.clone()),
            _ => None,
        }
    }

    /// Gives the epoch in force for a call's provider, credential and model: the highest of all words that cover
    /// them; 0 when no operator spoke of them.
    pub(crate) fn epoch(&self, subject: &LedgerKey) -> u64 {
        let LedgerKey { provider, credential, model } = subject.clone();
        self.epoch_over(&CooldownKey::model(provider, credential, model))
    }

    /// Gives the epoch in force for what rests: the highest of all words that cover it, its own included; 0 when no
    /// operator spoke of it.
    pub(crate) fn epoch_over(&self, key: &CooldownKey) -> u64 {
        let whole = CooldownKey::provider(key.provider.clone());
        let credential = key.scope.credential().cloned();
        let credential = credential.map(|name| CooldownKey::credential(key.provider.clone(), name));
        let inner = self.0.lock();
        let epoch = |key| match inner.current.get(&HintKey::Cooldown(key)) {
            Some(Hint::Cooldown(rest)) => rest.epoch,
            _ => 0,
        };
        [Some(whole), credential, Some(key.clone())].into_iter().flatten().map(epoch).max().unwrap_or(0)
    }

    /// Gives the newest number of the hint line.
    pub(crate) fn version(&self) -> HintVersion {
        self.0.lock().version
    }

    /// Gives the newest number and all values that are stored, sorted by key.
    pub(crate) fn stored(&self) -> (HintVersion, Vec<Hint>) {
        let inner = self.0.lock();
        (inner.version, inner.current.values().filter(|hint| hint.is_stored()).cloned().collect())
    }

    /// Gives all values that are not stored, sorted by key.
    pub(crate) fn passing(&self) -> Vec<Hint> {
        self.0.lock().current.values().filter(|hint| !hint.is_stored()).cloned().collect()
    }

    /// Gives all rests, those that are over included, sorted by key.
    #[cfg(test)]
    pub(crate) fn cooldowns(&self) -> Vec<Cooldown> {
        self.cooldowns_that(|_| true)
    }

    /// Gives the rests that `wanted` holds of, sorted by key.
    pub(crate) fn cooldowns_that(&self, wanted: impl Fn(&Cooldown) -> bool) -> Vec<Cooldown> {
        let inner = self.0.lock();
        let rests = inner.current.values().filter_map(|hint| match hint {
            Hint::Cooldown(rest) if wanted(rest) => Some(rest.clone()),
            _ => None,
        });
        rests.collect()
    }

    /// Lays out all values for a configuration; the last layout again while nothing changed.
    pub(super) fn outlook(&self, config: ConfigId, snapshot: &Snapshot) -> Arc<Outlook> {
        let mut inner = self.0.lock();
        if let Some(known) = &inner.laid_out
            && (known.config, known.changed) == (config, inner.changed)
        {
            return Arc::clone(&known.outlook);
        }
        let outlook = Arc::new(Outlook::of(snapshot, inner.current.values()));
        let changed = inner.changed;
        inner.laid_out = Some(LaidOut { config, changed, outlook: Arc::clone(&outlook) });
        outlook
    }

    /// Forgets what is not said any more: only of kinds that are not stored.
    pub(crate) fn remove(&self, key: &HintKey) {
        let mut inner = self.0.lock();
        inner.said.remove(key);
        inner.changed += u64::from(inner.current.remove(key).is_some());
    }

    /// Forgets rests that ended before `ended_before`, save an operator's words, and clients' keys that were over long
    /// before.
    pub(crate) fn forget_ended(&self, ended_before: WallTime) {
        let mut inner = self.0.lock();
        let kept = inner.current.len();
        inner.current.retain(|_, hint| settled_at(hint).is_none_or(|settled| settled >= ended_before));
        inner.changed += u64::from(kept != inner.current.len());
    }

    /// Forgets what is said of providers and credentials that are not configured, save an operator's words and the
    /// providers' health: were they configured again, later words have to follow on these.
    pub(crate) fn forget_unconfigured(&self, snapshot: &Snapshot) {
        let mut inner = self.0.lock();
        inner.forget(|rest| !rest.outlives_its_end() && !is_configured(snapshot, &rest.key));
        let kept = inner.current.len();
        inner.current.retain(|_, hint| {
            let is_configured = |provider| snapshot.providers.contains_key(provider);
            match hint {
                Hint::Quota(quota) => snapshot.budget(&quota.budget).is_some(),
                other => other.is_stored() || other.provider().is_some_and(is_configured),
            }
        });
        inner.changed += u64::from(kept != inner.current.len());
    }
}

/// Tells whether there can be as many such keys as clients can name models; of all others there are as many as are
/// configured.
fn is_of_a_model(key: &HintKey) -> bool {
    match key {
        HintKey::Cooldown(key) => key.scope.model().is_some(),
        HintKey::Signal(..) => true,
        HintKey::Health(_) | HintKey::Probe(_) | HintKey::Quota(_) | HintKey::ClientKey(_) => false,
    }
}

/// Tells whether the configuration has the provider and the credential that a rest is about.
pub(crate) fn is_configured(snapshot: &Snapshot, key: &CooldownKey) -> bool {
    snapshot.providers.get(&key.provider).is_some_and(|provider| match key.scope.credential() {
        None => true,
        Some(name) => provider.credentials.iter().any(|credential| credential.name == *name),
    })
}

impl Inner {
    fn merge(&mut self, key: HintKey, hint: Hint) -> Option<Hint> {
        let merged = match self.current.get(&key) {
            None => hint,
            Some(known) => {
                let merged = known.clone().merge(hint);
                if merged == *known {
                    return None;
                }
                merged
            }
        };
        self.current.insert(key, merged.clone());
        self.changed += 1;
        Some(merged)
    }

    fn forget(&mut self, forgettable: impl Fn(&Cooldown) -> bool) {
        let kept = self.current.len();
        self.current.retain(|_, hint| !matches!(hint, Hint::Cooldown(rest) if forgettable(rest)));
        self.changed += u64::from(kept != self.current.len());
    }
}

#[cfg(test)]
mod tests;

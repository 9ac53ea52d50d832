//! Keeps the names that usage is counted under from being without number.
//!
//! Where a provider's models are a pattern, clients name them; and what nodes report is theirs. Names that the
//! configuration lists are always kept; of others so many a day; what is beyond counts under one name, so that the sums
//! stay right.

use crate::state::ActiveConfig;
use cliproxy_domain::{
    Batch, ConfigId, CredentialName, LedgerKey, LedgerRow, ModelName, ProviderName, WallTime,
};
use std::collections::{BTreeMap, BTreeSet};

/// How many keys that the configuration does not list are counted apart, from midnight to midnight. Beside what clients
/// name, those are of an earlier configuration, from nodes that were away.
const UNLISTED: usize = 1_000;
/// The longest name that is kept without being listed, in bytes.
const LONGEST: usize = 256;
/// What the rest is counted under. Nodes call models so that they have no place for.
const OTHER: &str = "other";
const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// The names that usage is counted under.
#[derive(Default)]
pub(super) struct Names {
    listed: Listed,
    /// The day, and what was counted apart in it without being listed.
    day: i64,
    unlisted: BTreeSet<LedgerKey>,
    /// Whether it was told that there is no place for more.
    told: bool,
}

/// What a configuration lists.
#[derive(Default)]
struct Listed {
    config: ConfigId,
    credentials: BTreeMap<ProviderName, BTreeSet<CredentialName>>,
    models: BTreeSet<(ProviderName, ModelName)>,
}

impl Names {
    /// Puts under one name what has no place of its own, by the configuration in force. Gives how many rows that were.
    pub(super) fn fold(
        &mut self,
        batches: &mut [Batch],
        active: Option<&ActiveConfig>,
        now: WallTime,
    ) -> u64 {
        self.begin(active, now);
        let mut folded = 0;
        for batch in batches {
            let own: Vec<LedgerKey> = batch.rows.iter().map(|row| self.place(&row.key)).collect();
            let moved = batch.rows.iter().zip(&own).filter(|(row, own)| row.key != **own).count();
            if moved == 0 {
                continue;
            }
            folded += moved as u64;
            batch.rows = summed(std::mem::take(&mut batch.rows).into_iter().zip(own));
        }
        if folded > 0 && !std::mem::replace(&mut self.told, true) {
            tracing::warn!(
                most = UNLISTED,
                "usage is reported under more names than these that the configuration does not list; what is new is \
                 counted as `{OTHER}` until midnight (UTC)"
            );
        }
        folded
    }

    fn begin(&mut self, active: Option<&ActiveConfig>, now: WallTime) {
        let day = now.0.div_euclid(DAY_MS);
        if day != self.day {
            (self.day, self.told) = (day, false);
            self.unlisted.clear();
        }
        if let Some(active) = active
            && active.id != self.listed.config
        {
            self.listed = Listed::of(active);
        }
    }

    /// Gives the key that something is counted under.
    fn place(&mut self, key: &LedgerKey) -> LedgerKey {
        if self.listed.has(key) || self.unlisted.contains(key) {
            return key.clone();
        }
        let names = [key.provider.as_str(), key.credential.as_str(), key.model.as_str()];
        if self.unlisted.len() < UNLISTED && names.iter().all(|name| name.len() <= LONGEST) {
            self.unlisted.insert(key.clone());
            return key.clone();
        }
        self.listed.nearest(key)
    }
}

impl Listed {
    fn of(active: &ActiveConfig) -> Self {
        let snapshot = &active.snapshot;
        let mut listed = Self { config: active.id, ..Self::default() };
        for (name, provider) in &snapshot.providers {
            let credentials = provider.credentials.iter().map(|credential| credential.name.clone());
            listed.credentials.insert(name.clone(), credentials.collect());
            let literals = provider.models.iter().filter_map(|pattern| pattern.literal());
            listed.models.extend(literals.map(|model| (name.clone(), ModelName::from(model))));
        }
        let targets = snapshot.models.values().flat_map(|alias| &alias.targets);
        let targets = targets.map(|target| (target.target.provider.clone(), target.target.model.clone()));
        listed.models.extend(targets);
        listed
    }

    fn has(&self, key: &LedgerKey) -> bool {
        self.has_credential(key) && self.models.contains(&(key.provider.clone(), key.model.clone()))
    }

    fn has_credential(&self, key: &LedgerKey) -> bool {
        self.credentials.get(&key.provider).is_some_and(|names| names.contains(&key.credential))
    }

    /// Gives a key that keeps what is listed.
    fn nearest(&self, key: &LedgerKey) -> LedgerKey {
        if !self.credentials.contains_key(&key.provider) {
            return LedgerKey { provider: OTHER.into(), credential: OTHER.into(), model: OTHER.into() };
        }
        let credential = if self.has_credential(key) { key.credential.clone() } else { OTHER.into() };
        let is_listed = self.models.contains(&(key.provider.clone(), key.model.clone()));
        let model = if is_listed { key.model.clone() } else { OTHER.into() };
        LedgerKey { provider: key.provider.clone(), credential, model }
    }
}

/// Adds up rows under the keys that they are given.
fn summed(rows: impl Iterator<Item = (LedgerRow, LedgerKey)>) -> Vec<LedgerRow> {
    let mut sums: BTreeMap<LedgerKey, LedgerRow> = BTreeMap::new();
    for (row, key) in rows {
        match sums.get_mut(&key) {
            Some(sum) => {
                sum.attempts += row.attempts;
                sum.tokens += row.tokens;
            }
            None => {
                sums.insert(key.clone(), LedgerRow { key, ..row });
            }
        }
    }
    sums.into_values().collect()
}

#[cfg(test)]
mod tests;

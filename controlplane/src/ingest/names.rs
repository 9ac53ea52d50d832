//! Keeps the names that usage is counted under from being without number.
//!
//! Where a provider's models are a pattern, clients name them; and what nodes report is theirs. Names that the
//! configuration lists are always kept; of others so many a day; what is beyond counts under one name, so that the sums
//! stay right.

use crate::state::ActiveConfig;
use cliproxy_domain::{
    Batch, ClientName, ConfigId, CredentialName, LedgerRow, ModelName, PriceVersion, ProviderName, UsageKey,
    WallTime,
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

/// A provider, its credential and its model.
type Called = (ProviderName, CredentialName, ModelName);

/// The names that usage is counted under.
#[derive(Default)]
pub(super) struct Names {
    listed: Listed,
    /// The day, and what was counted apart in it without being listed.
    day: i64,
    unlisted: BTreeSet<Called>,
    /// The prices of that day, and the clients that are not listed: nodes name those of a configuration, but it may be
    /// an earlier one.
    clients: BTreeSet<ClientName>,
    prices: BTreeSet<PriceVersion>,
    /// Whether it was told that there is no place for more.
    told: bool,
}

/// What a configuration lists.
#[derive(Default)]
struct Listed {
    config: ConfigId,
    credentials: BTreeMap<ProviderName, BTreeSet<CredentialName>>,
    models: BTreeSet<(ProviderName, ModelName)>,
    clients: BTreeSet<ClientName>,
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
            let own: Vec<UsageKey> = batch.rows.iter().map(|row| self.place(&row.key)).collect();
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
            self.clients.clear();
            self.prices.clear();
        }
        if let Some(active) = active
            && active.id != self.listed.config
        {
            self.listed = Listed::of(active);
        }
    }

    /// Gives the key that something is counted under.
    fn place(&mut self, key: &UsageKey) -> UsageKey {
        let listed = &self.listed.clients;
        let client = key.client.as_ref().map(|client| {
            if listed.contains(client) {
                client.clone()
            } else {
                name_of(&mut self.clients, client, client.as_str())
            }
        });
        let price = key.price.as_ref().map(|price| name_of(&mut self.prices, price, price.as_str()));
        let key = UsageKey { client, price, ..key.clone() };
        if self.listed.has(&key) {
            return key;
        }
        let called = (key.provider.clone(), key.credential.clone(), key.model.clone());
        if self.unlisted.contains(&called) {
            return key;
        }
        let names = [key.provider.as_str(), key.credential.as_str(), key.model.as_str()];
        if self.unlisted.len() < UNLISTED && names.iter().all(|name| name.len() <= LONGEST) {
            self.unlisted.insert(called);
            return key;
        }
        self.listed.nearest(key)
    }
}

/// Gives the name that something is counted under: its own while there is place for it.
fn name_of<N: Clone + Ord + From<&'static str>>(known: &mut BTreeSet<N>, name: &N, text: &str) -> N {
    if known.contains(name) {
        return name.clone();
    }
    if known.len() >= UNLISTED || text.len() > LONGEST {
        return OTHER.into();
    }
    known.insert(name.clone());
    name.clone()
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
        listed.clients.extend(snapshot.clients.keys().cloned());
        listed
    }

    fn has(&self, key: &UsageKey) -> bool {
        self.has_credential(key) && self.models.contains(&(key.provider.clone(), key.model.clone()))
    }

    fn has_credential(&self, key: &UsageKey) -> bool {
        self.credentials.get(&key.provider).is_some_and(|names| names.contains(&key.credential))
    }

    /// Gives a key that keeps what is listed.
    fn nearest(&self, key: UsageKey) -> UsageKey {
        if !self.credentials.contains_key(&key.provider) {
            return UsageKey { provider: OTHER.into(), credential: OTHER.into(), model: OTHER.into(), ..key };
        }
        let credential = if self.has_credential(&key) { key.credential.clone() } else { OTHER.into() };
        let is_listed = self.models.contains(&(key.provider.clone(), key.model.clone()));
        let model = if is_listed { key.model.clone() } else { OTHER.into() };
        UsageKey { credential, model, ..key }
    }
}

/// Adds up rows under the keys that they are given.
fn summed(rows: impl Iterator<Item = (LedgerRow, UsageKey)>) -> Vec<LedgerRow> {
    let mut sums: BTreeMap<UsageKey, LedgerRow> = BTreeMap::new();
    for (row, key) in rows {
        match sums.get_mut(&key) {
            Some(sum) => {
                sum.add(&row);
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

//! What is known of every provider of one configuration, laid out so that a decision finds it without a search.

use crate::{
    affinity::{credential_seed, provider_seed},
    cooldown::{Stage, rising, stage},
};
use cliproxy_domain::{
    Cooldown, CooldownCause, CooldownKey, CredentialName, Health, Hint, Measured, ModelName, ProviderName,
    QuotaUnit, Scope, Snapshot, WallTime,
};
use std::collections::BTreeMap;

/// What is known of every provider, in the order of the snapshot's.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outlook {
    /// One for each provider.
    pub providers: Vec<ProviderOutlook>,
}

/// What is known of one provider.
#[derive(Clone, Debug, PartialEq)]
pub struct ProviderOutlook {
    /// Its name.
    pub name: ProviderName,
    /// What the draws of sessions for it begin with.
    pub seed: u64,
    /// Its credentials, in the order of the configuration.
    pub credentials: Vec<CredentialOutlook>,
    /// The word on the whole of it.
    pub rest: Option<Cooldown>,
    /// Whether it answers.
    pub health: Option<Health>,
    /// Whether it is asked whether it answers: one that nobody asks could not come back, so it is not left out.
    pub is_checked: bool,
    /// What may still be used of it.
    pub quota: Option<QuotaOutlook>,
    /// What was measured, by model, sorted.
    pub measured: Vec<(ModelName, Measured)>,
}

/// What is known of one credential.
#[derive(Clone, Debug, PartialEq)]
pub struct CredentialOutlook {
    /// Its name.
    pub name: CredentialName,
    /// What the draws of sessions for it begin with.
    pub seed: u64,
    /// Its share among the provider's credentials.
    pub weight: u32,
    /// The word on it.
    pub rest: Option<Cooldown>,
    /// The words on it for single models, sorted.
    pub models: Vec<(ModelName, Cooldown)>,
}

/// What may still be used of a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuotaOutlook {
    /// All of it, in the unit.
    pub limit: u64,
    /// What is left.
    pub left: u64,
    /// What is counted.
    pub unit: QuotaUnit,
    /// When it begins anew; none before the control plane said so.
    pub resets_at: Option<WallTime>,
}

impl QuotaOutlook {
    /// Tells whether nothing of it may be used at `now`. Once it has begun anew what was used of the period before says
    /// nothing, also where the word on the new one is still on its way.
    pub fn is_used_up(&self, now: WallTime) -> bool {
        let runs = self.limit == 0 || self.resets_at.is_none_or(|resets_at| resets_at > now);
        self.left == 0 && runs
    }
}

impl Outlook {
    /// Lays out `hints` for `snapshot`. Hints for what is not configured are left out.
    pub fn of<'a>(snapshot: &Snapshot, hints: impl IntoIterator<Item = &'a Hint>) -> Self {
        let mut providers: Vec<ProviderOutlook> = Vec::with_capacity(snapshot.providers.len());
        let mut slots: BTreeMap<&str, usize> = BTreeMap::new();
        for provider in snapshot.providers.values() {
            slots.insert(provider.name.as_str(), providers.len());
            let credential = |credential: &cliproxy_domain::Credential| CredentialOutlook {
                name: credential.name.clone(),
                seed: credential_seed(provider.name.as_str(), credential.name.as_str()),
                weight: credential.weight.max(1),
                rest: None,
                models: Vec::new(),
            };
            providers.push(ProviderOutlook {
                name: provider.name.clone(),
                seed: provider_seed(provider.name.as_str()),
                credentials: provider.credentials.iter().map(credential).collect(),
                rest: None,
                health: None,
                is_checked: snapshot.policy.health_check.enabled && provider.health_check.enabled,
                quota: provider.quota.as_ref().map(|quota| QuotaOutlook {
                    limit: quota.limit,
                    left: quota.limit,
                    unit: quota.unit,
                    resets_at: None,
                }),
                measured: Vec::new(),
            });
        }
        for hint in hints {
            if let Some(slot) = hint.provider().and_then(|provider| slots.get(provider.as_str())) {
                providers[*slot].take(hint);
            }
        }
        for provider in &mut providers {
            provider.measured.sort_by(|a, b| a.0.cmp(&b.0));
            provider.credentials.iter_mut().for_each(|known| known.models.sort_by(|a, b| a.0.cmp(&b.0)));
        }
        Self { providers }
    }

    /// Finds a provider.
    pub fn provider(&self, name: &str) -> Option<&ProviderOutlook> {
        // In the order of a map's keys, hence sorted.
        let slot = self.providers.binary_search_by(|known| known.name.as_str().cmp(name)).ok()?;
        self.providers.get(slot)
    }
}

impl ProviderOutlook {
    fn take(&mut self, hint: &Hint) {
        match hint {
            Hint::Cooldown(cooldown) => self.take_cooldown(cooldown),
            Hint::Health(health) => self.health = Some(health.clone()),
            Hint::Signal(signal) => self.measured.push((signal.model.clone(), signal.measured.clone())),
            Hint::Quota(signal) => {
                if let Some(quota) = &mut self.quota {
                    quota.left = quota.limit.saturating_sub(signal.used);
                    quota.resets_at = Some(signal.resets_at);
                }
            }
            Hint::Probe(_) | Hint::ClientKey(_) => {}
        }
    }

    fn take_cooldown(&mut self, cooldown: &Cooldown) {
        let Some(name) = cooldown.key.scope.credential() else {
            self.rest = Some(cooldown.clone());
            return;
        };
        let Some(credential) = self.credentials.iter_mut().find(|known| known.name == *name) else { return };
        match cooldown.key.scope.model() {
            None => credential.rest = Some(cooldown.clone()),
            Some(model) => credential.models.push((model.clone(), cooldown.clone())),
        }
    }

    /// Tells whether it is left out for its health.
    pub fn is_down(&self) -> bool {
        self.is_checked && self.health.as_ref().is_some_and(|health| health.state.is_down())
    }

    /// Gives the part of its share that it takes: below 1 for a while after it was unhealthy.
    pub fn risen(&self, now: WallTime) -> f64 {
        match self
            .health
            .as_ref()
            .filter(|health| health.recovered)
            .map(|health| rising(now.since(health.since)))
        {
            Some(Stage::Rising(part)) => part,
            _ => 1.0,
        }
    }

    /// Finds a credential.
    pub fn credential(&self, name: &str) -> Option<&CredentialOutlook> {
        self.credentials.iter().find(|known| known.name.as_str() == name)
    }

    /// Gives what was measured of a model.
    pub fn measured(&self, model: &str) -> Option<&Measured> {
        let at = self.measured.binary_search_by(|(known, _)| known.as_str().cmp(model)).ok()?;
        self.measured.get(at).map(|(_, measured)| measured)
    }

    /// Gives the epoch in force for a credential and a model: the highest of all words that cover them.
    pub fn epoch(&self, credential: &CredentialOutlook, model: &str) -> u64 {
        let own = credential.rest.as_ref().map_or(0, |rest| rest.epoch);
        let for_model = credential.model(model).map_or(0, |rest| rest.epoch);
        self.rest.as_ref().map_or(0, |rest| rest.epoch).max(own).max(for_model)
    }

    /// Gives the highest epoch of all words within `scope`, and of those that cover it.
    pub fn highest_epoch(&self, scope: &Scope) -> u64 {
        let key = |scope| CooldownKey { provider: self.name.clone(), scope };
        let touches = |known: &Scope| scope.covers(known) || known.covers(scope);
        let mut highest = self.rest.as_ref().map_or(0, |rest| rest.epoch);
        for credential in &self.credentials {
            let all = credential.rest.iter().chain(credential.models.iter().map(|(_, rest)| rest));
            for rest in all.filter(|rest| touches(&rest.key.scope)) {
                debug_assert_eq!(key(rest.key.scope.clone()), rest.key);
                highest = highest.max(rest.epoch);
            }
        }
        highest
    }

    /// Gives the word that decides for a credential and a model at `now`, with its stage: of those in force the one
    /// that keeps most away. None when nothing does.
    ///
    /// A word on less than another covers is in force only while its epoch is not lower: what was said later of the
    /// whole provider has undone it.
    #[inline]
    pub fn governing<'a>(
        &'a self,
        credential: &'a CredentialOutlook,
        model: &str,
        now: WallTime,
    ) -> Option<(&'a Cooldown, Stage)> {
        if self.rest.is_none() && credential.rest.is_none() && credential.models.is_empty() {
            return None;
        }
        self.governing_of(credential, model, now)
    }

    fn governing_of<'a>(
        &'a self,
        credential: &'a CredentialOutlook,
        model: &str,
        now: WallTime,
    ) -> Option<(&'a Cooldown, Stage)> {
        let mut floor = 0;
        let mut strictest: Option<(&'a Cooldown, Stage)> = None;
        for rest in
            [self.rest.as_ref(), credential.rest.as_ref(), credential.model(model)].into_iter().flatten()
        {
            if rest.epoch < floor {
                continue;
            }
            floor = floor_of(rest);
            let stage = stage(rest, now);
            if stage != Stage::Over
                && strictest
                    .as_ref()
                    .is_none_or(|(known, of)| strictness(rest, &stage) > strictness(known, of))
            {
                strictest = Some((rest, stage));
            }
        }
        strictest
    }
}

/// Gives the epoch below which narrower words are undone. A rest that an operator asks for undoes nothing: what rests
/// for longer within it goes on when it is over.
fn floor_of(word: &Cooldown) -> u64 {
    let asks_for_rest = word.cause == CooldownCause::Manual && !word.cleared;
    if asks_for_rest { word.epoch.saturating_sub(1) } else { word.epoch }
}

impl CredentialOutlook {
    fn model(&self, model: &str) -> Option<&Cooldown> {
        let at = self.models.binary_search_by(|(known, _)| known.as_str().cmp(model)).ok()?;
        self.models.get(at).map(|(_, rest)| rest)
    }
}

/// Orders words by how much they keep away: what rests before what is tried before what rises, the later the end and
/// the smaller the part the more.
fn strictness(rest: &Cooldown, stage: &Stage) -> (u8, i64) {
    match stage {
        Stage::Resting => (3, rest.until.0),
        Stage::HalfOpen(_) => (2, rest.until.0),
        Stage::Rising(_) => (1, rest.until.0),
        Stage::Over => (0, 0),
    }
}

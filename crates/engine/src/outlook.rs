//! What is known of every provider of one configuration, laid out so that a decision finds it without a search.

use crate::{
    affinity::{credential_seed, provider_seed},
    cooldown::{Stage, rising, stage},
};
use cliproxy_domain::{
    Cooldown, CooldownCause, CooldownKey, CredentialName, Evidence, Health, Hint, LimitSubject, Measured,
    ModelName, NodeId, Permit, ProviderName, Quota, QuotaSignal, QuotaUnit, Scope, Snapshot, WallTime,
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
    /// The rest that follows from all of that being used up. Nobody's word: no operator's undoes it, and it is over at once
    /// when the quota begins anew.
    pub spent: Option<Cooldown>,
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
    /// What may still be used of it.
    pub quota: Option<QuotaOutlook>,
    /// The rest that follows from all of that being used up, as a provider's.
    pub spent: Option<Cooldown>,
    /// The words on it for single models, sorted.
    pub models: Vec<(ModelName, Cooldown)>,
}

/// What may still be used of a provider or of a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuotaOutlook {
    /// All of it, in the unit.
    pub limit: u64,
    /// What was used of it.
    pub used: u64,
    /// What nodes hold of it and have not spent.
    pub leased: u64,
    /// What is counted.
    pub unit: QuotaUnit,
    /// When it begins anew; none before the control plane said so.
    pub resets_at: Option<WallTime>,
}

impl QuotaOutlook {
    fn of(quota: &Quota) -> Self {
        Self { limit: quota.limit, used: 0, leased: 0, unit: quota.unit, resets_at: None }
    }

    /// Gives what nobody has used and no node holds.
    pub fn left(&self) -> u64 {
        self.limit.saturating_sub(self.used).saturating_sub(self.leased)
    }

    fn take(&mut self, signal: &QuotaSignal) {
        (self.used, self.leased, self.resets_at) = (signal.used, signal.leased, Some(signal.resets_at));
    }

    /// Tells whether nothing of it may be used at `now`. Once it has begun anew what was used of the period before says
    /// nothing, also where the word on the new one is still on its way.
    pub fn is_used_up(&self, now: WallTime) -> bool {
        let runs = self.limit == 0 || self.resets_at.is_none_or(|resets_at| resets_at > now);
        self.used >= self.limit && runs
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
                quota: credential.quota.as_ref().map(QuotaOutlook::of),
                spent: None,
                models: Vec::new(),
            };
            providers.push(ProviderOutlook {
                name: provider.name.clone(),
                seed: provider_seed(provider.name.as_str()),
                credentials: provider.credentials.iter().map(credential).collect(),
                rest: None,
                health: None,
                is_checked: snapshot.policy.health_check.enabled && provider.health_check.enabled,
                quota: provider.quota.as_ref().map(QuotaOutlook::of),
                spent: None,
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
            Hint::Quota(signal) => self.take_quota(signal),
            Hint::Probe(_) | Hint::ClientKey(_) => {}
        }
    }

    fn take_quota(&mut self, signal: &QuotaSignal) {
        let (quota, spent) = match &signal.budget.subject {
            LimitSubject::Provider(_) => (&mut self.quota, &mut self.spent),
            LimitSubject::Credential(_, name) => {
                let Some(known) = self.credentials.iter_mut().find(|known| known.name == *name) else {
                    return;
                };
                (&mut known.quota, &mut known.spent)
            }
            LimitSubject::Client(_) => return,
        };
        let Some(quota) = quota.as_mut().filter(|quota| quota.unit == signal.budget.unit) else { return };
        quota.take(signal);
        *spent = spent_rest(signal, quota);
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
        let is_spent = |spent: &&Cooldown| spent.until > now;
        let spent = credential.spent.as_ref().filter(is_spent).map(|spent| (spent, Stage::Resting));
        if self.rest.is_none() && credential.rest.is_none() && credential.models.is_empty() {
            return spent;
        }
        let word = self.governing_of(credential, model, now);
        let weight = |known: &(&Cooldown, Stage)| strictness(known.0, &known.1);
        [spent, word].into_iter().flatten().max_by_key(weight)
    }

    /// Gives the rest of the whole provider that follows from its quota being used up at `now`.
    pub fn spent(&self, now: WallTime) -> Option<&Cooldown> {
        self.spent.as_ref().filter(|spent| spent.until > now)
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

/// Makes the rest of what is used up; none while it is not.
fn spent_rest(signal: &QuotaSignal, quota: &QuotaOutlook) -> Option<Cooldown> {
    let key = match &signal.budget.subject {
        LimitSubject::Provider(provider) => CooldownKey::provider(provider.clone()),
        LimitSubject::Credential(provider, name) => CooldownKey::credential(provider.clone(), name.clone()),
        LimitSubject::Client(_) => return None,
    };
    (quota.used >= quota.limit).then(|| Cooldown {
        key,
        epoch: 0,
        round: 0,
        started_at: signal.spent_at.unwrap_or(signal.resets_at),
        until: signal.resets_at,
        cleared: false,
        cause: CooldownCause::QuotaExhausted,
        source: NodeId::from(""),
        permit: Permit::default(),
        streak: 0,
        evidence: Evidence { error_type: "quota".to_owned(), ..Evidence::default() },
    })
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

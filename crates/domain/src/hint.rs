//! The hint line: values that every node should have, merged by key, safe to receive twice or out of order.

use crate::{
    client::{KeyId, KeyRecord},
    cooldown::{Cooldown, CooldownKey},
    health::{Health, ProbeAssignment, QuotaSignal, Signal},
    limit::BudgetId,
    name::{ModelName, ProviderName},
};

/// One value on the hint line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hint {
    /// Something rests, or rested. Stored.
    Cooldown(Cooldown),
    /// Whether a provider answers. Stored.
    Health(Health),
    /// Who probes a provider. Not stored.
    Probe(ProbeAssignment),
    /// What was measured of a target. Not stored.
    Signal(Signal),
    /// What is left of a budget. Not stored.
    Quota(QuotaSignal),
    /// A client's key that was made, or revoked, while the gateway runs. Stored.
    ClientKey(KeyRecord),
}

/// What a hint is about. Values of one key merge.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HintKey {
    /// Of [`Hint::Cooldown`].
    Cooldown(CooldownKey),
    /// Of [`Hint::Health`].
    Health(ProviderName),
    /// Of [`Hint::Probe`].
    Probe(ProviderName),
    /// Of [`Hint::Signal`].
    Signal(ProviderName, ModelName),
    /// Of [`Hint::Quota`].
    Quota(BudgetId),
    /// Of [`Hint::ClientKey`].
    ClientKey(KeyId),
}

impl Hint {
    /// Gives what it is about.
    pub fn key(&self) -> HintKey {
        match self {
            Hint::Cooldown(cooldown) => HintKey::Cooldown(cooldown.key.clone()),
            Hint::Health(health) => HintKey::Health(health.provider.clone()),
            Hint::Probe(assignment) => HintKey::Probe(assignment.provider.clone()),
            Hint::Signal(signal) => HintKey::Signal(signal.provider.clone(), signal.model.clone()),
            Hint::Quota(quota) => HintKey::Quota(quota.budget.clone()),
            Hint::ClientKey(record) => HintKey::ClientKey(record.id.clone()),
        }
    }

    /// Gives the provider that it is about; none of a client's key or budget.
    pub fn provider(&self) -> Option<&ProviderName> {
        match self {
            Hint::Cooldown(cooldown) => Some(&cooldown.key.provider),
            Hint::Health(health) => Some(&health.provider),
            Hint::Probe(assignment) => Some(&assignment.provider),
            Hint::Signal(signal) => Some(&signal.provider),
            Hint::Quota(quota) => quota.budget.subject.provider(),
            Hint::ClientKey(_) => None,
        }
    }

    /// Tells whether the store keeps it. What it does not keep is sent without a number, and again to every node that
    /// connects.
    pub fn is_stored(&self) -> bool {
        matches!(self, Hint::Cooldown(_) | Hint::Health(_) | Hint::ClientKey(_))
    }

    /// Merges two values of one key: commutative, associative, idempotent. Values of different kinds do not merge;
    /// the first stays.
    pub fn merge(self, other: Hint) -> Hint {
        match (self, other) {
            (Hint::Cooldown(a), Hint::Cooldown(b)) => Hint::Cooldown(a.merge(b)),
            (Hint::Health(a), Hint::Health(b)) => Hint::Health(a.merge(b)),
            (Hint::Probe(a), Hint::Probe(b)) => Hint::Probe(a.max(b)),
            (Hint::Signal(a), Hint::Signal(b)) => Hint::Signal(a.max(b)),
            (Hint::Quota(a), Hint::Quota(b)) => Hint::Quota(a.max(b)),
            (Hint::ClientKey(a), Hint::ClientKey(b)) => Hint::ClientKey(a.merge(b)),
            (first, _) => first,
        }
    }
}

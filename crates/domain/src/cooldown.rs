//! Cooldowns as they travel between the planes, and what nodes report that decides on them.

use crate::{
    name::{CredentialName, ModelName, NodeId, ProviderName},
    time::WallTime,
    usage::LedgerKey,
};
use serde::{Deserialize, Serialize};
use std::{fmt, time::Duration};

#[cfg(test)]
mod tests;

/// How much of a provider rests.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// All of it.
    Provider,
    /// One of its credentials.
    Credential(CredentialName),
    /// One of its credentials, for one model.
    Model {
        /// The credential.
        credential: CredentialName,
        /// The model as the provider knows it.
        model: ModelName,
    },
}

impl Scope {
    /// Names the kind of scope: `provider`, `credential` or `model`.
    pub fn as_str(&self) -> &'static str {
        match self {
            Scope::Provider => "provider",
            Scope::Credential(_) => "credential",
            Scope::Model { .. } => "model",
        }
    }

    /// Gives the credential, where there is one.
    pub fn credential(&self) -> Option<&CredentialName> {
        match self {
            Scope::Provider => None,
            Scope::Credential(credential) | Scope::Model { credential, .. } => Some(credential),
        }
    }

    /// Gives the model, where there is one.
    pub fn model(&self) -> Option<&ModelName> {
        match self {
            Scope::Model { model, .. } => Some(model),
            _ => None,
        }
    }

    /// Tells whether `other` lies within this scope, or is it.
    pub fn covers(&self, other: &Scope) -> bool {
        match self {
            Scope::Provider => true,
            Scope::Credential(credential) => other.credential() == Some(credential),
            Scope::Model { .. } => self == other,
        }
    }
}

/// What rests.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CooldownKey {
    /// The provider.
    pub provider: ProviderName,
    /// How much of it.
    pub scope: Scope,
}

impl CooldownKey {
    /// Names a whole provider.
    pub fn provider(provider: ProviderName) -> Self {
        Self { provider, scope: Scope::Provider }
    }

    /// Names one credential of a provider.
    pub fn credential(provider: ProviderName, credential: CredentialName) -> Self {
        Self { provider, scope: Scope::Credential(credential) }
    }

    /// Names one credential for one model.
    pub fn model(provider: ProviderName, credential: CredentialName, model: ModelName) -> Self {
        Self { provider, scope: Scope::Model { credential, model } }
    }
}

/// Shown as `provider`, `provider/credential` or `provider/credential/model`.
impl fmt::Display for CooldownKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.provider.as_str())?;
        if let Some(credential) = self.scope.credential() {
            write!(f, "/{credential}")?;
        }
        if let Some(model) = self.scope.model() {
            write!(f, "/{model}")?;
        }
        Ok(())
    }
}

/// Why something rests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CooldownCause {
    /// The provider said 429, once with a wait or often without one.
    RateLimit,
    /// The provider said that a daily or spend limit is used up.
    QuotaExhausted,
    /// The provider refused the credential.
    CredentialRejected,
    /// Too many calls failed within the detection window.
    Error,
    /// An operator said so.
    Manual,
}

impl CooldownCause {
    /// Names the cause as operations show it.
    pub fn as_str(self) -> &'static str {
        match self {
            CooldownCause::RateLimit => "rate_limit",
            CooldownCause::QuotaExhausted => "quota_exhausted",
            CooldownCause::CredentialRejected => "credential_rejected",
            CooldownCause::Error => "error",
            CooldownCause::Manual => "manual",
        }
    }
}

/// What a rest was decided on.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Evidence {
    /// The status of the answer that tripped it; 0 when there was none.
    pub http_status: u16,
    /// The failure that tripped it, in the words of the metrics; empty for an operator's word.
    pub error_type: String,
    /// The wait that the provider named, before it was clamped.
    pub hint: Option<Duration>,
    /// Whether the rest is shorter or longer than the hint for the policy's sake.
    pub clamped: bool,
    /// How many errors were counted within the window; 0 when one was enough.
    pub errors: u32,
    /// The window that they were counted in; zero when one was enough.
    pub window: Duration,
    /// An operator's name, and the reason that he gave; else empty.
    pub by: String,
    /// See `by`.
    pub note: String,
}

/// The right to send the one request that finds out whether a rest goes on.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Permit {
    /// Grows with each grant; a node uses each number once. Of equal numbers the greater node has it.
    pub number: u32,
    /// Who has it. None: any node that is cut off from the control plane, and nobody else.
    pub node: Option<NodeId>,
}

/// How long something rests, and what comes after. Values of one key merge by [`Cooldown::merge`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cooldown {
    /// What rests.
    pub key: CooldownKey,
    /// Grows with each word of an operator; a higher epoch wins, and undoes what is within this key and has a lower.
    pub epoch: u64,
    /// Grows with each probe that succeeded; within an epoch the higher round wins. It undoes nothing but this key.
    pub round: u32,
    /// When the rest began.
    pub started_at: WallTime,
    /// When the rest ends; of a cleared one, when it was cleared.
    pub until: WallTime,
    /// It is known to be over: an operator said so, or a probe succeeded. What is past its end and not cleared takes
    /// one probe.
    pub cleared: bool,
    /// Why.
    pub cause: CooldownCause,
    /// The node that saw the cause; an operator's word comes from none, and is empty.
    pub source: NodeId,
    /// Who may probe at the end.
    pub permit: Permit,
    /// How many rests came one after the other without an answer between them, this one included.
    pub streak: u32,
    /// What it was decided on.
    pub evidence: Evidence,
}

impl Cooldown {
    /// Merges two values of one key: the higher epoch wins, then the higher round, then the later end; and of one epoch
    /// and round the latest grant holds the permit, whichever ends later. An end travels as what is left of it, so that
    /// a grant that came sooner than the word before it says an earlier end: it would else be lost, for good.
    /// Commutative, associative and idempotent, so that values may arrive twice and in any order.
    pub fn merge(self, other: Cooldown) -> Cooldown {
        let (mut merged, behind) = if other.rank() > self.rank() { (other, self) } else { (self, other) };
        if (behind.epoch, behind.round) == (merged.epoch, merged.round) {
            merged.permit = merged.permit.max(behind.permit);
        }
        merged
    }

    /// Tells whether it must be known after its end as well: an operator's word, which older evidence must not undo and
    /// which later words have to follow on. What nodes found out of single models afterwards carries his epoch too, but
    /// clients choose models, and his own word is there still.
    pub fn outlives_its_end(&self) -> bool {
        self.epoch > 0 && (self.key.scope.model().is_none() || self.cause == CooldownCause::Manual)
    }

    fn rank(&self) -> impl Ord + '_ {
        (
            (self.epoch, self.round, self.until, self.cleared),
            (self.cause, self.started_at, self.streak, &self.source, &self.evidence),
        )
    }
}

/// What a node reports of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UrgentKind {
    /// 429, with or without a wait.
    RateLimited,
    /// A limit or the money is used up.
    QuotaExhausted,
    /// 401 or 403.
    CredentialRejected,
    /// Another failure that speaks against the provider.
    Failed,
    /// The probe after a rest was answered.
    Recovered,
    /// A request would have used a key whose rest is past its end, and this node has no permit.
    PermitWanted,
}

/// Something that all nodes must learn at once. It is also counted in the ledger, which stays the only source
/// for numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UrgentEvent {
    /// Unique, ordered by time (UUID v7); a re-send has the same id.
    pub id: String,
    /// The node that saw it.
    pub node: NodeId,
    /// What happened.
    pub kind: UrgentKind,
    /// To what: the call's provider, credential and model.
    pub subject: LedgerKey,
    /// Whether the answer spoke of this model alone.
    pub about_model: bool,
    /// Of a probe's verdict and of a wish for a permit, the rest that it is about, with its round.
    pub rest: Option<(CooldownKey, u32)>,
    /// The provider's status; 0 when it gave none.
    pub http_status: u16,
    /// The failure in the words of the metrics; empty when nothing failed.
    pub error_type: String,
    /// The wait that the provider named, unclamped, counted from when it happened.
    pub hint: Option<Duration>,
    /// The epoch in force for the subject when its request started; an event older than an operator's word is
    /// ignored.
    pub seen_epoch: u64,
    /// How long before it was sent it happened.
    pub age: Duration,
}

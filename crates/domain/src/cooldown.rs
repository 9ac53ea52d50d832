//! Cooldowns as they travel between the planes, and the urgent events that cause them.

use crate::{
    name::{CredentialName, NodeId, ProviderName},
    time::WallTime,
};
use serde::Serialize;
use std::time::Duration;

/// What rests.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CooldownKey {
    /// The provider.
    pub provider: ProviderName,
    /// The credential.
    pub credential: CredentialName,
}

/// Why it rests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CooldownCause {
    /// The provider said 429 and when to come back.
    RateLimit,
    /// The provider said that a daily or spend limit is used up.
    QuotaExhausted,
    /// The provider refused the credential.
    CredentialRejected,
}

/// How long something rests. Values for one key merge by `engine::cooldown::merge`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cooldown {
    /// What rests.
    pub key: CooldownKey,
    /// Grows with each word of an operator; a higher epoch wins.
    pub epoch: u64,
    /// When the rest began.
    pub started_at: WallTime,
    /// When the rest ends.
    pub until: WallTime,
    /// Why.
    pub cause: CooldownCause,
    /// The node that saw the cause.
    pub source: NodeId,
}

impl Cooldown {
    /// Merges two values of one key: the higher epoch wins; within an epoch the later end. Commutative,
    /// associative and idempotent, so that values may arrive twice and in any order.
    pub fn merge(self, other: Cooldown) -> Cooldown {
        let rank = |c: &Cooldown| (c.epoch, c.until, c.cause, c.started_at, c.source.clone());
        if rank(&other) > rank(&self) { other } else { self }
    }
}

/// What an urgent event reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UrgentKind {
    /// A 429 with a wait.
    RateLimited,
    /// A limit or the money is used up.
    QuotaExhausted,
    /// 401.
    CredentialRejected,
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
    /// To what.
    pub key: CooldownKey,
    /// The provider's status.
    pub http_status: u16,
    /// How long the credential rests by the node's reckoning, counted from when the event was sent.
    pub rest: Duration,
    /// The epoch of the key when the request started; an event older than an operator's word is ignored.
    pub seen_epoch: u64,
}

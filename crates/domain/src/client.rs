//! Who may ask: clients, and the keys that prove them.

use crate::{
    balancing::Quota,
    limit::RateLimits,
    name::{ClientName, ProviderName, ReplicaId},
    pattern::ModelPattern,
    time::WallTime,
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt};

/// One of those that use the gateway: a team, a program, a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// Its name, the same as its key in the snapshot.
    pub name: ClientName,
    /// The keys that the configuration gives it; others are made while the gateway runs.
    pub keys: Vec<ClientKey>,
    /// The models that it may ask for, by the names that clients use; empty for all.
    pub models: Vec<ModelPattern>,
    /// The providers that may serve it; empty for all.
    pub providers: Vec<ProviderName>,
    /// What its use is told apart by beside its name, as `team: search`.
    pub tags: BTreeMap<String, String>,
    /// How fast it may ask.
    pub rate_limit: RateLimits,
    /// How much it may use; at most one of each unit.
    pub budgets: Vec<Quota>,
    /// Who goes first where there is not enough for all.
    pub priority: Priority,
}

/// A key that the configuration gives a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientKey {
    /// The hash of the key.
    pub hash: KeyHash,
    /// From when it is refused; none for never.
    pub expires_at: Option<WallTime>,
}

/// The SHA-256 of a client's key. A key has so much chance in it that nothing slower is needed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyHash(pub [u8; 32]);

impl KeyHash {
    /// Names the key for people: the first twelve hexadecimal digits.
    pub fn id(&self) -> KeyId {
        KeyId(self.0[..6].iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

/// Shows the name alone: the whole is not for logs.
impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyHash({}…)", self.id().0)
    }
}

/// Names a key: the first twelve hexadecimal digits of its hash.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyId(pub String);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is known of a key beside the configuration: it was made while the gateway ran, or was revoked. Stored, and on
/// the hint line.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyRecord {
    /// Grows with each word; the higher wins.
    pub revision: u64,
    /// Which.
    pub id: KeyId,
    /// Whose.
    pub client: ClientName,
    /// Its hash.
    pub hash: KeyHash,
    /// When it was made; none for a key of the configuration.
    pub created_at: Option<WallTime>,
    /// From when it is refused; none for never.
    pub expires_at: Option<WallTime>,
    /// When it was revoked; it is never valid again.
    pub revoked_at: Option<WallTime>,
    /// Which replica said this, to tell equal revisions apart.
    pub said_by: ReplicaId,
}

impl KeyRecord {
    /// Merges two records of one key: commutative, associative, idempotent. What was revoked stays so.
    pub fn merge(self, other: Self) -> Self {
        let revoked_at = match (self.revoked_at, other.revoked_at) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        Self { revoked_at, ..self.max(other) }
    }
}

/// Who goes first where there is not enough for all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// May use a credential's rates to 80 %.
    Low,
    /// To 95 %.
    #[default]
    Normal,
    /// In full.
    High,
}

impl Priority {
    /// All classes.
    pub const ALL: [Priority; 3] = [Priority::Low, Priority::Normal, Priority::High];

    /// Names the class as the configuration spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Normal => "normal",
            Self::High => "high",
        }
    }

    /// Gives the share of a credential's rates that this class may use, in percent.
    pub const fn share_percent(self) -> u64 {
        match self {
            Self::Low => 80,
            Self::Normal => 95,
            Self::High => 100,
        }
    }
}

//! Who may ask: clients, and the keys that prove them.

use crate::{
    balancing::Quota,
    limit::RateLimits,
    name::{ClientName, ProviderName, ReplicaId},
    pattern::ModelPattern,
    snapshot::Snapshot,
    time::WallTime,
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt, time::Duration};

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

impl Client {
    /// Tells whether it may ask for a model of this configuration, by the name that it asks for. With `provider/model`
    /// the model's own name counts as well: which providers may serve is said apart.
    pub fn may_ask_for(&self, model: &str, snapshot: &Snapshot) -> bool {
        let matches = |name: &str| self.models.iter().any(|pattern| pattern.matches(name));
        let pins = |provider: &str| snapshot.providers.contains_key(provider);
        let pinned = model.split_once('/').filter(|(provider, _)| pins(provider));
        self.models.is_empty() || matches(model) || pinned.is_some_and(|(_, model)| matches(model))
    }
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
        KeyId(hexadecimal(&self.0[..6]))
    }

    /// Writes all of it as 64 hexadecimal digits.
    pub fn to_hex(self) -> String {
        hexadecimal(&self.0)
    }

    /// Reads 64 hexadecimal digits.
    pub fn from_hex(text: &str) -> Option<Self> {
        let digits = text.as_bytes();
        if digits.len() != 64 {
            return None;
        }
        let mut hash = [0; 32];
        for (byte, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
            let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Some(Self(hash))
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
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

impl KeyId {
    /// How many digits there are.
    pub const DIGITS: usize = 12;

    /// Reads a name; none when this is not one, and may be a key.
    pub fn read(text: &str) -> Option<Self> {
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        (text.len() == Self::DIGITS && text.bytes().all(is_digit)).then(|| Self(text.to_owned()))
    }
}

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

/// How long a key that is over stays known: so that nodes and replicas that were away meanwhile hear that it is, and
/// people find it in lists.
pub const OVER_KEYS_KEPT: Duration = Duration::from_secs(30 * 24 * 60 * 60);

impl KeyRecord {
    /// Gives from when the key is refused; none when it is valid without end.
    pub fn over_at(&self) -> Option<WallTime> {
        match (self.revoked_at, self.expires_at) {
            (Some(revoked), Some(expires)) => Some(revoked.min(expires)),
            (revoked, expires) => revoked.or(expires),
        }
    }

    /// Tells whether the key is refused at `now`.
    pub fn is_over(&self, now: WallTime) -> bool {
        self.over_at().is_some_and(|over| over <= now)
    }

    /// Gives when nothing hangs on the record any more: without it the key is as little known as one that never was.
    /// None while the key is valid, and for a key of the configuration, which would be valid again.
    pub fn settled_at(&self) -> Option<WallTime> {
        self.created_at?;
        Some(self.over_at()?.plus(OVER_KEYS_KEPT))
    }

    /// Gives the next word on a key that is over and that the configuration names by now: it is the configuration's from
    /// here on, so that its end is kept for good. None where nothing is to be said.
    pub fn taken_up(&self, now: WallTime) -> Option<Self> {
        let is_to_be_forgotten = self.created_at.is_some() && self.is_over(now);
        is_to_be_forgotten.then(|| Self {
            revision: self.revision.saturating_add(1),
            created_at: None,
            ..self.clone()
        })
    }

    /// Merges two records of one key: commutative, associative, idempotent. What was revoked stays so.
    pub fn merge(self, other: Self) -> Self {
        let revoked_at = match (self.revoked_at, other.revoked_at) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        // Set in both before they are compared, so that it does not matter in which order many are merged.
        Self { revoked_at, ..self }.max(Self { revoked_at, ..other })
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

#[cfg(test)]
mod tests;

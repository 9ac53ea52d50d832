//! Clients and their keys: the answers of `/v0/operations/clients`.

use super::{BudgetStatus, Source};
use crate::{
    client::{KeyId, KeyRecord, Priority},
    limit::LossMode,
    name::{ClientName, ProviderName},
    secret::Secret,
    time::WallTime,
    version::HintVersion,
};
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;

/// The answer of `GET /v0/operations/clients`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ClientsStatus {
    /// Whose knowledge this is.
    pub source: Source,
    /// When it was true.
    pub as_of: WallTime,
    /// Those that are configured, and those that were and of whom keys are remembered.
    pub clients: BTreeMap<ClientName, ClientStatus>,
}

/// One client.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ClientStatus {
    /// Whether it is in the configuration: the keys of others are refused.
    pub configured: bool,
    /// What its use is told apart by.
    pub tags: BTreeMap<String, String>,
    /// What it may ask for; empty for everything.
    pub models: Vec<String>,
    /// Who may serve it; empty for all.
    pub providers: Vec<ProviderName>,
    /// Who goes first where there is not enough for all.
    pub priority: Priority,
    /// How fast it may ask; absent when there is no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<RateLimitStatus>,
    /// How much it may use.
    pub budgets: Vec<BudgetStatus>,
    /// Its keys: those that are valid first, of these the newest first.
    pub keys: Vec<ClientKeyStatus>,
}

/// How fast a client may ask.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RateLimitStatus {
    /// Requests within any minute; absent when there is no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests_per_minute: Option<u64>,
    /// Tokens within any minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens_per_minute: Option<u64>,
    /// Requests that are open at the same time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrent_requests: Option<u64>,
    /// What a node does that hears no control plane.
    pub on_loss: LossMode,
}

/// The answer of `GET /v0/operations/clients/{client}/keys`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClientKeysStatus {
    /// Whose knowledge this is.
    pub source: Source,
    /// When it was true.
    pub as_of: WallTime,
    /// Whose they are.
    pub client: ClientName,
    /// Its keys: those that are valid first, of these the newest first.
    pub keys: Vec<ClientKeyStatus>,
}

/// Whether a key is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyState {
    /// It is.
    Active,
    /// No more: its time is over.
    Expired,
    /// No more, and never again.
    Revoked,
}

/// Where a key comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyOrigin {
    /// The configuration names its hash.
    Configuration,
    /// An operator made it while the gateway ran.
    Operator,
}

/// One key, of which nothing but its name is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct ClientKeyStatus {
    /// The first twelve hexadecimal digits of its SHA-256.
    pub id: KeyId,
    /// Where it comes from.
    pub origin: KeyOrigin,
    /// Whether it is taken.
    pub state: KeyState,
    /// When it was made; absent for one of the configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<WallTime>,
    /// From when it is refused; absent for never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<WallTime>,
    /// When it was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<WallTime>,
}

impl ClientKeyStatus {
    /// Shows what is known of a key at `now`: by its record, or, where the configuration names it as well, by both.
    pub fn of(record: &KeyRecord, configured_end: Option<WallTime>, now: WallTime) -> Self {
        let expires_at = match (record.expires_at, configured_end) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        let state = if record.revoked_at.is_some() {
            KeyState::Revoked
        } else if expires_at.is_some_and(|end| end <= now) {
            KeyState::Expired
        } else {
            KeyState::Active
        };
        let origin = if record.created_at.is_some() { KeyOrigin::Operator } else { KeyOrigin::Configuration };
        Self {
            id: record.id.clone(),
            origin,
            state,
            created_at: record.created_at,
            expires_at,
            revoked_at: record.revoked_at,
        }
    }
}

/// The answer of the calls that change a client's keys.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct KeyChangeStatus {
    /// Whose knowledge this is.
    pub source: Source,
    /// When it was true.
    pub as_of: WallTime,
    /// Whose key it is.
    pub client: ClientName,
    /// The new key itself. It is shown this once; absent when no key was made, and when the call is repeated.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "shown")]
    pub key: Option<Secret>,
    /// What is known of it.
    pub details: ClientKeyStatus,
    /// The one that it replaces; absent when it replaces none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replaces: Option<ClientKeyStatus>,
    /// The number under which nodes know of it; 0 when nothing changed.
    pub hint_version: HintVersion,
    /// How many of the connected nodes know.
    pub applied_nodes: u32,
    /// How many are connected.
    pub total_nodes: u32,
    /// For people: what to do with it.
    pub note: String,
}

/// Shows a key to whoever made it.
#[expect(clippy::ref_option, reason = "serde hands in a reference to the field")]
fn shown<S: Serializer>(key: &Option<Secret>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(key.as_ref().map_or("", Secret::expose))
}

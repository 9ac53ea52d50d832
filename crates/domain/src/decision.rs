//! Why a request went where it went: what `explain` shows, for a request that might come, one that was, and all.

use crate::{
    balancing::Strategy,
    client::KeyId,
    cooldown::CooldownCause,
    name::{ClientName, CredentialName, ModelName, NodeId, PriceVersion, ProviderName},
    time::WallTime,
    version::ConfigId,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Why a target or a credential is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exclusion {
    /// An operator switched it off.
    Disabled,
    /// It rests.
    Cooldown,
    /// It does not answer.
    Unhealthy,
    /// What may be used of it is used.
    QuotaExhausted,
    /// As much is used of it as may be within a minute, or at the same time.
    RateLimited,
    /// It has no key.
    NoCredential,
    /// Its rest is past its end, and another request is finding out whether it goes on.
    CircuitHalfOpenBusy,
    /// It cannot do what the request needs.
    Capability,
    /// Whoever asks may not use its provider.
    NotAllowed,
    /// Nobody knows what it costs, and what it may cost is limited.
    NoPrice,
}

impl Exclusion {
    /// All reasons.
    pub const ALL: [Exclusion; 10] = [
        Exclusion::Disabled,
        Exclusion::Cooldown,
        Exclusion::Unhealthy,
        Exclusion::QuotaExhausted,
        Exclusion::RateLimited,
        Exclusion::NoCredential,
        Exclusion::CircuitHalfOpenBusy,
        Exclusion::Capability,
        Exclusion::NotAllowed,
        Exclusion::NoPrice,
    ];

    /// Tells whether waiting changes nothing: it is about who asks, for what, or how it is configured.
    pub fn is_lasting(self) -> bool {
        matches!(self, Exclusion::Capability | Exclusion::NotAllowed | Exclusion::NoPrice)
    }

    /// Names the reason as operations and `explain` show it.
    pub fn as_str(self) -> &'static str {
        match self {
            Exclusion::Disabled => "disabled",
            Exclusion::Cooldown => "cooldown",
            Exclusion::Unhealthy => "unhealthy",
            Exclusion::QuotaExhausted => "quota_exhausted",
            Exclusion::RateLimited => "rate_limited",
            Exclusion::NoCredential => "no_credential",
            Exclusion::CircuitHalfOpenBusy => "circuit_half_open_busy",
            Exclusion::Capability => "capability",
            Exclusion::NotAllowed => "not_allowed",
            Exclusion::NoPrice => "no_price",
        }
    }
}

/// One (target, credential) as a decision saw it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Considered {
    /// The provider.
    pub provider: ProviderName,
    /// The model as the provider knows it.
    pub model: ModelName,
    /// The credential; absent when the target as a whole was left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<CredentialName>,
    /// Its tier: lower goes first.
    pub priority: u32,
    /// Its share within the tier.
    pub weight: u32,
    /// Its place among those that are tried, from 1; absent when it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<u32>,
    /// Why it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub excluded: Option<Exclusion>,
    /// Why it rests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<CooldownCause>,
    /// When it is back, as far as that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<WallTime>,
    /// What the strategy goes by: milliseconds, US dollars for 1,000 tokens, or the quota that is left. Absent for
    /// round robin and where nothing is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<f64>,
    /// The part of its share that it takes after a rest, 0 to 1; absent when it takes all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rising: Option<f64>,
    /// For people, what else counted: `near the best`, `explored: too few answers lately`, `the session's own`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
}

/// One decision with its reasons.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// The configuration that it was made on.
    pub config: ConfigId,
    /// When.
    pub at: WallTime,
    /// The name that the client asked for.
    pub model: String,
    /// How one was chosen among equals.
    pub strategy: Strategy,
    /// What was considered: first those that are tried, in order, then those that are left out.
    pub candidates: Vec<Considered>,
    /// For people: one sentence that says what was chosen and why.
    pub reason: String,
    /// When the first of those that rest is back; absent when nothing rests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub soonest: Option<WallTime>,
    /// Whether it was made for a session that stays on one credential.
    pub session: bool,
    /// More than half of the targets are unhealthy, so that health was not looked at.
    pub health_ignored: bool,
}

/// One upstream call of a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AttemptRecord {
    /// The provider.
    pub provider: ProviderName,
    /// The model as the provider knows it.
    pub model: ModelName,
    /// The credential.
    pub credential: CredentialName,
    /// When it began, counted from the request's start.
    pub started_ms: u64,
    /// How long it took, to its end or its commit point.
    pub took_ms: u64,
    /// `success`, or the failure in the words of the metrics.
    pub outcome: String,
    /// The provider's status, when it gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_status: Option<u16>,
    /// The wait that the provider named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint_ms: Option<u64>,
    /// What it cost, in US dollars; absent where no price is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_usd: Option<f64>,
    /// The price that the cost is reckoned by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<PriceVersion>,
    /// The tokens that were reserved for it; absent where no limit applies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reserved_tokens: Option<u64>,
    /// Those that limits were charged for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spent_tokens: Option<u64>,
    /// What was decided next, for people: `the answer went to the client`, `next choice`, `gave up: no choice is
    /// left`.
    pub then: String,
}

/// One request that was: kept for all that failed and for a sample of the others. Holds nothing of its content.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RequestRecord {
    /// Its id.
    pub id: String,
    /// The node that served it.
    pub node: NodeId,
    /// When it came.
    pub at: WallTime,
    /// The client's API: `openai_chat`, `openai_responses`, `anthropic` or `gemini`.
    pub api: String,
    /// `success`, or the error in the words of the metrics.
    pub outcome: String,
    /// The code of a refusal of the gateway's own; absent otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// What was told with it, as of which limit; of an answer that was ended early, what there was no more of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// `backup` where another node answered in this one's place; it has the record of how.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub served_by: Option<String>,
    /// The status that the client got; 0 when it had gone.
    pub status: u16,
    /// How long it took.
    pub latency_ms: u64,
    /// Why it went where it went; absent when it was refused before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decision>,
    /// Who asked; absent for an anonymous caller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<ClientName>,
    /// By which key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<KeyId>,
    /// The client's tags.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// Its upstream calls.
    pub attempts: Vec<AttemptRecord>,
}

//! What limits whom: budgets, which are spent, and rates, which come back by themselves.

use crate::{
    balancing::QuotaUnit,
    name::{ClientName, CredentialName, ProviderName},
};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Whose use is limited.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LimitSubject {
    /// Everything that is sent to a provider.
    Provider(ProviderName),
    /// What is sent with one of its credentials.
    Credential(ProviderName, CredentialName),
    /// What a client asks for.
    Client(ClientName),
}

impl LimitSubject {
    /// Gives the provider whose limit it is, or one of whose credentials' it is; none of a client's.
    pub fn provider(&self) -> Option<&ProviderName> {
        match self {
            Self::Provider(provider) | Self::Credential(provider, _) => Some(provider),
            Self::Client(_) => None,
        }
    }
}

/// Shown as `provider claude`, `credential claude/main` and `client ci`.
impl fmt::Display for LimitSubject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Provider(provider) => write!(f, "provider {provider}"),
            Self::Credential(provider, credential) => write!(f, "credential {provider}/{credential}"),
            Self::Client(client) => write!(f, "client {client}"),
        }
    }
}

/// Names a budget: nobody has two of one unit.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BudgetId {
    /// Whose it is.
    pub subject: LimitSubject,
    /// What it counts.
    pub unit: QuotaUnit,
}

impl BudgetId {
    /// Names a budget of a whole provider.
    pub fn of_provider(provider: impl Into<ProviderName>, unit: QuotaUnit) -> Self {
        Self { subject: LimitSubject::Provider(provider.into()), unit }
    }
}

/// Shown as `provider claude (tokens)`.
impl fmt::Display for BudgetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.subject, self.unit.as_str())
    }
}

/// What a rate limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RateKind {
    /// Requests within any minute.
    RequestsPerMinute,
    /// Tokens within any minute.
    TokensPerMinute,
    /// Requests that are open at the same time.
    ConcurrentRequests,
}

impl RateKind {
    /// All kinds.
    pub const ALL: [RateKind; 3] =
        [RateKind::RequestsPerMinute, RateKind::TokensPerMinute, RateKind::ConcurrentRequests];

    /// Names the kind as the configuration spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RequestsPerMinute => "requests_per_minute",
            Self::TokensPerMinute => "tokens_per_minute",
            Self::ConcurrentRequests => "concurrent_requests",
        }
    }
}

/// Names a rate limit.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RateId {
    /// Whose it is.
    pub subject: LimitSubject,
    /// What it counts.
    pub kind: RateKind,
}

/// Shown as `client ci (requests_per_minute)`.
impl fmt::Display for RateId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.subject, self.kind.as_str())
    }
}

/// `rate_limit` of a credential or a client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RateLimits {
    /// Requests within any minute; at least 1.
    pub requests_per_minute: Option<u64>,
    /// Tokens within any minute; at least 1.
    pub tokens_per_minute: Option<u64>,
    /// Requests open at the same time; at least 1.
    pub concurrent_requests: Option<u64>,
    /// What a node does that hears no control plane.
    pub on_loss: LossMode,
}

impl RateLimits {
    /// Gives the limit of one kind.
    pub fn of(&self, kind: RateKind) -> Option<u64> {
        match kind {
            RateKind::RequestsPerMinute => self.requests_per_minute,
            RateKind::TokensPerMinute => self.tokens_per_minute,
            RateKind::ConcurrentRequests => self.concurrent_requests,
        }
    }

    /// Tells whether nothing is limited.
    pub fn is_empty(&self) -> bool {
        RateKind::ALL.iter().all(|kind| self.of(*kind).is_none())
    }
}

/// What a node does with a limit once it has used what it holds and hears no control plane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LossMode {
    /// It refuses. The default of budgets.
    Strict,
    /// It takes a fixed fair share of the limit. The default of rates; budgets cannot have it.
    #[default]
    Safe,
    /// It serves without that limit.
    Optimistic,
}

impl LossMode {
    /// All modes.
    pub const ALL: [LossMode; 3] = [LossMode::Strict, LossMode::Safe, LossMode::Optimistic];

    /// Names the mode as the configuration spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Strict => "strict",
            Self::Safe => "safe",
            Self::Optimistic => "optimistic",
        }
    }
}

/// What happens to running answers when a budget is used up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SpentPolicy {
    /// A stream that outgrows what is reserved for it, and for which nothing more can be had, ends as one that has
    /// reached its maximum of tokens.
    #[default]
    Stop,
    /// It goes on to its end; what it takes beyond is counted, and the budget passes its limit by that.
    Finish,
    /// It cannot outgrow what is reserved: a request that names no maximum reserves the most that its model can say.
    RejectNew,
}

impl SpentPolicy {
    /// All policies.
    pub const ALL: [SpentPolicy; 3] = [SpentPolicy::Stop, SpentPolicy::Finish, SpentPolicy::RejectNew];

    /// Names the policy as the configuration spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Finish => "finish",
            Self::RejectNew => "reject_new",
        }
    }
}

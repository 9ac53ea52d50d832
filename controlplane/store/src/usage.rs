//! Usage, summed as it is asked for.

use cliproxy_domain::{
    AttemptCounts, CredentialName, ModelName, ProviderName, TokenUsage, UsageBy, UsagePeriod, WallTime,
};
use std::ops::Range;

/// Which usage is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageQuery {
    /// Periods that begin within this range.
    pub within: Range<WallTime>,
    /// How long each is.
    pub period: UsagePeriod,
    /// By what it is told apart.
    pub by: UsageBy,
    /// Only of this provider.
    pub provider: Option<ProviderName>,
    /// Only of this model.
    pub model: Option<ModelName>,
    /// How many sums at most, the newest first.
    pub limit: u32,
}

/// Usage of one period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageSum {
    /// When the period begins.
    pub at: WallTime,
    /// Of which provider; `None` where all are summed.
    pub provider: Option<ProviderName>,
    /// Of which credential; `None` where all are summed.
    pub credential: Option<CredentialName>,
    /// Of which model; `None` where all are summed.
    pub model: Option<ModelName>,
    /// How the attempts ended.
    pub attempts: AttemptCounts,
    /// The tokens they took.
    pub tokens: TokenUsage,
}

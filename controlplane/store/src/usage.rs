//! Usage, summed as it is asked for.

use cliproxy_domain::{
    AttemptCounts, ClientName, CredentialName, ModelName, PriceVersion, ProviderName, TokenUsage, UsageBy,
    UsageKey, UsagePeriod, WallTime,
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
    /// Only of this client.
    pub client: Option<ClientName>,
    /// How many sums at most, the newest first.
    pub limit: u32,
}

/// Usage of one period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageSum {
    /// When the period begins.
    pub at: WallTime,
    /// What it is the sum of.
    pub of: UsageOf,
    /// How the attempts ended.
    pub attempts: AttemptCounts,
    /// The tokens they took.
    pub tokens: TokenUsage,
    /// What they cost, in billionths of a US dollar.
    pub cost_nanos: u64,
}

/// What a sum is told apart by. Sorted as answers are.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct UsageOf {
    /// Of which provider; `None` where all are summed.
    pub provider: Option<ProviderName>,
    /// Of which credential; `None` where all are summed.
    pub credential: Option<CredentialName>,
    /// Of which model; `None` where all are summed.
    pub model: Option<ModelName>,
    /// For which client; `None` where all are summed, and where nobody said who asked.
    pub client: Option<ClientName>,
    /// At which price; `None` where all are summed, and where no price was known.
    pub price: Option<PriceVersion>,
}

impl UsageOf {
    /// Keeps of a key what is told apart.
    pub fn told_apart(key: &UsageKey, by: UsageBy) -> Self {
        Self {
            provider: by.providers().then(|| key.provider.clone()),
            credential: by.credential.then(|| key.credential.clone()),
            model: by.model.then(|| key.model.clone()),
            client: key.client.clone().filter(|_| by.client),
            price: key.price.clone().filter(|_| by.price),
        }
    }
}

//! How load is spread, what counts as an error, and when a provider is asked whether it is well: the policy that
//! operators set.

use crate::limit::{LossMode, SpentPolicy};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How one target is chosen among equals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// Each in turn, by weight.
    #[default]
    RoundRobin,
    /// The one with the most quota left.
    QuotaAware,
    /// The one that answered fastest lately.
    Latency,
    /// The one whose tokens cost least.
    Cost,
}

impl Strategy {
    /// All strategies.
    pub const ALL: [Strategy; 4] =
        [Strategy::RoundRobin, Strategy::QuotaAware, Strategy::Latency, Strategy::Cost];

    /// Names the strategy as the configuration spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Strategy::RoundRobin => "round_robin",
            Strategy::QuotaAware => "quota_aware",
            Strategy::Latency => "latency",
            Strategy::Cost => "cost",
        }
    }
}

/// What keeps the requests of one session on one credential, so that the provider's prompt cache serves them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionAffinity {
    /// Nothing does.
    Off,
    /// What the client says: a session header, a conversation, a cache key, a user.
    #[default]
    Declared,
    /// What the client says, else the instructions and the first turn of the conversation.
    Opening,
}

impl SessionAffinity {
    /// All values.
    pub const ALL: [SessionAffinity; 3] =
        [SessionAffinity::Off, SessionAffinity::Declared, SessionAffinity::Opening];

    /// Names the value as the configuration spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            SessionAffinity::Off => "off",
            SessionAffinity::Declared => "declared",
            SessionAffinity::Opening => "opening",
        }
    }
}

/// `server.operations.cooldown`: what counts, and how much of it is too much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CooldownPolicy {
    /// Whether anything rests by itself. An operator's word holds either way.
    pub enabled: bool,
    /// The window in which errors are counted.
    pub detection_window: Duration,
    /// So many of them make a rest; at least 1.
    pub error_threshold: u32,
    /// Whether a provider's own word on how long to wait is believed, on the first error.
    pub honor_retry_after: bool,
    /// The longest wait that is believed; after that one request finds out whether it goes on.
    pub max_hint: Duration,
}

impl Default for CooldownPolicy {
    fn default() -> Self {
        Self {
            enabled: true,
            detection_window: Duration::from_secs(60),
            error_threshold: 5,
            honor_retry_after: true,
            max_hint: Duration::from_secs(60 * 60),
        }
    }
}

/// `providers.*.cooldown`: how long that provider rests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CooldownDurations {
    /// Whether it rests by itself.
    pub enabled: bool,
    /// After an operator's word without a duration, and after a credential was refused.
    pub default: Duration,
    /// After too many 429 without a wait.
    pub rate_limit: Duration,
    /// After too many other errors.
    pub error: Duration,
}

impl Default for CooldownDurations {
    fn default() -> Self {
        Self {
            enabled: true,
            default: Duration::from_secs(5 * 60),
            rate_limit: Duration::from_secs(10 * 60),
            error: Duration::from_secs(2 * 60),
        }
    }
}

/// `server.operations.health_check`: how often providers are asked whether they are well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HealthPolicy {
    /// Whether they are.
    pub enabled: bool,
    /// How often one provider is asked, over the whole cluster.
    pub interval: Duration,
    /// How long it has to answer.
    pub timeout: Duration,
    /// So many failures in a row make it unhealthy; at least 1.
    pub unhealthy_threshold: u32,
    /// So many successes in a row make it healthy again; at least 1.
    pub healthy_threshold: u32,
    /// So many probes a day of one provider at most, over the whole cluster; at least 1.
    pub daily_budget: u32,
}

impl Default for HealthPolicy {
    fn default() -> Self {
        Self {
            enabled: false,
            interval: Duration::from_secs(30),
            timeout: Duration::from_secs(10),
            unhealthy_threshold: 3,
            healthy_threshold: 2,
            daily_budget: 10_000,
        }
    }
}

/// `providers.*.health_check`: what that provider is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthCheck {
    /// Whether it is asked.
    pub enabled: bool,
    /// The URL; none for the provider's list of models, asked with a credential.
    pub endpoint: Option<String>,
    /// `GET`, `HEAD`, `POST` or `OPTIONS`.
    pub method: String,
}

impl Default for HealthCheck {
    fn default() -> Self {
        Self { enabled: true, endpoint: None, method: "GET".to_owned() }
    }
}

/// `server.operations.self_healing`: what is done for an unhealthy provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HealingPolicy {
    /// Whether anything is.
    pub enabled: bool,
    /// How often a round of recoveries begins.
    pub check_interval: Duration,
    /// Recoveries in one round; at least 1.
    pub max_attempts: u32,
    /// The pause after the first recovery; it doubles with each.
    pub backoff: Duration,
}

impl Default for HealingPolicy {
    fn default() -> Self {
        Self {
            enabled: false,
            check_interval: Duration::from_secs(60),
            max_attempts: 3,
            backoff: Duration::from_secs(30),
        }
    }
}

/// `server.retries`: how often a request is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retries {
    /// Upstream calls for one request at most, the first included; at least 1.
    pub max_attempts: u32,
    /// Upstream calls beyond the first, as a share of all requests.
    pub budget_percent: u32,
    /// A second call for a stream that does not begin; none when it is not wanted.
    pub hedge: Option<Hedge>,
}

impl Default for Retries {
    fn default() -> Self {
        Self { max_attempts: 3, budget_percent: 20, hedge: None }
    }
}

/// `server.retries.hedge`: a second call while the first has not begun to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hedge {
    /// How long the first call may take to its first event.
    pub after: Duration,
    /// Such calls, as a share of all requests.
    pub budget_percent: u32,
}

/// What a quota counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QuotaUnit {
    /// Prompt and generated tokens.
    #[default]
    Tokens,
    /// Upstream calls.
    Requests,
    /// Billionths of a US dollar, by the provider's price.
    Usd,
}

impl QuotaUnit {
    /// Shows an amount in tokens, requests or US dollars, of which billionths are counted.
    pub fn shown(self, units: u64) -> f64 {
        match self {
            Self::Usd => units as f64 / 1e9,
            Self::Tokens | Self::Requests => units as f64,
        }
    }

    /// All units.
    pub const ALL: [QuotaUnit; 3] = [QuotaUnit::Tokens, QuotaUnit::Requests, QuotaUnit::Usd];

    /// Names the unit as the configuration spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            QuotaUnit::Tokens => "tokens",
            QuotaUnit::Requests => "requests",
            QuotaUnit::Usd => "usd",
        }
    }
}

/// When a quota begins anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum QuotaReset {
    /// At each full hour.
    Hourly,
    /// At midnight.
    Daily,
    /// At midnight before Monday.
    Weekly,
    /// At midnight before this day of the month, 1 to 28.
    Monthly {
        /// The day.
        day: u8,
    },
    /// So long after the last time, counted from 1970.
    Every(Duration),
}

/// A budget: how much of a provider or of a credential, or by a client, may be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quota {
    /// How much, in the unit (US dollars: billionths).
    pub limit: u64,
    /// Of what.
    pub unit: QuotaUnit,
    /// When it begins anew.
    pub reset: QuotaReset,
    /// The name of the time zone that calendar resets go by, as `UTC` or `Europe/Berlin`.
    pub timezone: String,
    /// What a node does once it has used what it holds and hears no control plane; never [`LossMode::Safe`].
    pub on_loss: LossMode,
    /// What becomes of running answers when it is used up.
    pub policy: SpentPolicy,
    /// Generated tokens that are reserved for a request that names no maximum; at least 1.
    pub reserve_output: u64,
}

impl Quota {
    /// What is reserved for a request that names no maximum, where nobody says otherwise.
    pub const RESERVE_OUTPUT: u64 = 4_096;

    /// Makes a quota by the calendar of UTC, with the defaults for the rest.
    pub fn new(limit: u64, unit: QuotaUnit, reset: QuotaReset) -> Self {
        Self {
            limit,
            unit,
            reset,
            timezone: "UTC".to_owned(),
            on_loss: LossMode::Strict,
            policy: SpentPolicy::default(),
            reserve_output: Self::RESERVE_OUTPUT,
        }
    }
}

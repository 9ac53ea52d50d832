//! Whether a provider answers, who asks it, and what was measured of it.

use crate::{
    limit::BudgetId,
    name::{ModelName, NodeId, ProviderName},
    time::WallTime,
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Whether a provider answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HealthState {
    /// Nothing was asked of it yet. It takes traffic.
    #[default]
    Unknown,
    /// It answers.
    Healthy,
    /// It failed too often in a row.
    Unhealthy,
    /// It is unhealthy, and a whole round of recoveries did not help.
    Failed,
}

impl HealthState {
    /// Names the state as operations show it.
    pub fn as_str(self) -> &'static str {
        match self {
            HealthState::Unknown => "unknown",
            HealthState::Healthy => "healthy",
            HealthState::Unhealthy => "unhealthy",
            HealthState::Failed => "failed",
        }
    }

    /// Tells whether it should get no traffic.
    pub fn is_down(self) -> bool {
        matches!(self, HealthState::Unhealthy | HealthState::Failed)
    }
}

/// The cluster's word on one provider. Values of one provider merge by their revision.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Health {
    /// Grows with each word; the higher wins.
    pub revision: u64,
    /// The provider.
    pub provider: ProviderName,
    /// Whether it answers.
    pub state: HealthState,
    /// Since when it is in this state.
    pub since: WallTime,
    /// Whether it was down before and so takes a rising share of traffic from `since` on.
    pub recovered: bool,
    /// Counts recoveries: a node that sees it grow drops its connections to the provider and asks its name anew.
    pub recoveries: u64,
    /// For people: what it was decided on, as `3 probes in a row failed (503)`.
    pub why: String,
}

impl Health {
    /// Gives the newer of two values.
    pub fn merge(self, other: Health) -> Health {
        self.max(other)
    }
}

/// Who probes a provider. Values of one provider merge by their revision; a node forgets what was not repeated for
/// [`ASSIGNMENT_TTL`](crate::health::ASSIGNMENT_TTL).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ProbeAssignment {
    /// Grows with each word; the higher wins.
    pub revision: u64,
    /// The provider.
    pub provider: ProviderName,
    /// The nodes that probe it: one, or two where a second opinion is wanted.
    pub nodes: Vec<NodeId>,
    /// Counts probes that are wanted at once, beside those of the interval.
    pub at_once: u64,
    /// How many nodes are connected, so that each of them knows its part when the control plane is away.
    pub node_count: u32,
}

/// How long an assignment holds without being repeated.
pub const ASSIGNMENT_TTL: Duration = Duration::from_secs(15);

/// What a probe found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeReport {
    /// The node that asked.
    pub node: NodeId,
    /// What it asked.
    pub provider: ProviderName,
    /// Whether the answer counts as healthy.
    pub healthy: bool,
    /// The status; 0 when there was none.
    pub http_status: u16,
    /// The failure in the words of the metrics; empty when it is healthy.
    pub error_type: String,
    /// How long the answer took.
    pub took: Duration,
    /// How long before the report was sent the probe ended.
    pub age: Duration,
}

/// Means of one target over the latency window, over all nodes. Failures are not in them.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Measured {
    /// Answers in full that were streams.
    pub streams: u64,
    /// Mean time to their first event, in microseconds.
    pub first_event_us: u64,
    /// Answers in full that came as a whole.
    pub wholes: u64,
    /// Mean time of these, in microseconds.
    pub whole_us: u64,
    /// Prompt tokens.
    pub input_tokens: u64,
    /// Generated tokens.
    pub output_tokens: u64,
}

/// What balancing goes by, of one target. Never stored: it is a fold of the ledger.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Signal {
    /// Grows with each word; the higher wins.
    pub revision: u64,
    /// The provider.
    pub provider: ProviderName,
    /// The model as the provider knows it.
    pub model: ModelName,
    /// What was measured.
    pub measured: Measured,
}

/// What is left of a budget.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct QuotaSignal {
    /// Grows with each word; the higher wins.
    pub revision: u64,
    /// Which.
    pub budget: BudgetId,
    /// What was used in the period that runs, in the budget's unit (US dollars: billionths).
    pub used: u64,
    /// What nodes hold of it and have not spent.
    pub leased: u64,
    /// Since when it is used up, as far as that is known; none while it is not.
    pub spent_at: Option<WallTime>,
    /// When the period ends.
    pub resets_at: WallTime,
}

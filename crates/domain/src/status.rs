//! The answers of the operations endpoints. REST shows them as JSON in the guide's words; gRPC carries the same
//! fields.

mod clients;
mod limits;
mod prices;
mod usage;

pub use clients::{
    ClientKeyStatus, ClientKeysStatus, ClientStatus, ClientsStatus, KeyChangeStatus, KeyOrigin, KeyState,
    RateLimitStatus,
};
pub use limits::{
    BudgetStatus, HolderStatus, QuotaStatus, QuotasStatus, RateStatus, ReleaseStatus, ReleasedStatus,
    ShareStatus,
};
pub use prices::{PriceStatus, PricesStatus, ProviderPrices};
pub use usage::{UsageAttempts, UsageCounts, UsageEntry, UsageStatus, UsageTokens};

use crate::{
    audit::AuditEntry,
    balancing::{QuotaUnit, Strategy},
    cooldown::{Cooldown, CooldownCause},
    decision::{Decision, RequestRecord},
    health::HealthState,
    name::{ClientName, ModelName, NodeId, ProviderName},
    time::WallTime,
    version::{ConfigId, HintVersion, Incarnation},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Whose knowledge an answer is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The control plane's: all nodes together.
    #[default]
    Cluster,
    /// One node's own, as it cannot reach a control plane.
    Node,
}

/// The answer of `GET /v0/operations/providers/status`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ProvidersStatus {
    /// Whose knowledge this is.
    pub source: Source,
    /// When it was true.
    pub as_of: WallTime,
    /// One entry for each configured provider.
    pub providers: BTreeMap<ProviderName, ProviderStatus>,
}

/// One provider's state; the first seven fields are the guide's.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ProviderStatus {
    /// Whether it answers.
    pub status: HealthState,
    /// Whether all its credentials rest.
    pub in_cooldown: bool,
    /// When it was last heard of; absent before the first call.
    pub last_check: Option<WallTime>,
    /// Of the minutes of the last 24 h in which it was called, the share in which it answered at least once.
    /// 100 before the first call.
    pub uptime_percent: f64,
    /// Upstream calls that ended in the last 60 s.
    pub requests_last_minute: u64,
    /// Of these, those that speak against the provider.
    pub errors_last_minute: u64,
    /// Mean time of the calls of the last 60 s that were answered in full; 0 when there were none.
    pub average_latency_ms: u64,
    /// Why it rests, when it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cooldown_reason: Option<CooldownCause>,
    /// For people: what the status was decided on; empty before the first decision.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub why: String,
}

/// The answer of `GET /v0/operations/load_balancing/status`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct LoadBalancingStatus {
    /// Whose knowledge this is.
    pub source: Source,
    /// When it was true.
    pub as_of: WallTime,
    /// The number of the configuration in force.
    pub config: ConfigId,
    /// The strategy where an alias names no other.
    pub strategy: Strategy,
    /// One entry for each configured provider.
    pub providers: BTreeMap<ProviderName, ProviderShare>,
    /// One entry for each alias.
    pub models: BTreeMap<ModelName, AliasShares>,
}

/// How one provider takes part in balancing.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ProviderShare {
    /// Its tier.
    pub priority: u32,
    /// Its weight within the tier.
    pub weight: u32,
    /// Whether it is a candidate now.
    pub available: bool,
    /// Why it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub excluded: Option<String>,
    /// When it is back, as far as that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<WallTime>,
    /// Upstream calls that ended in the last 60 s.
    pub requests_last_minute: u64,
    /// Its part of all such calls, 0 to 100.
    pub share_percent: f64,
}

/// How an alias is served.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct AliasShares {
    /// How its targets are chosen.
    pub strategy: Strategy,
    /// Its targets in the order of the configuration.
    pub targets: Vec<TargetShare>,
    /// What would be decided now for a request without a session.
    pub decision: Decision,
}

/// One target of an alias.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TargetShare {
    /// The provider.
    pub provider: ProviderName,
    /// The model as the provider knows it.
    pub model: ModelName,
    /// Its tier.
    pub priority: u32,
    /// Its weight within the tier.
    pub weight: u32,
    /// Whether it is a candidate now.
    pub available: bool,
}

/// The answer of `GET /v0/operations/cooldown/status`; the first two fields are the guide's.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct CooldownStatus {
    /// Providers that take no request, as they or all of their credentials rest.
    pub providers_in_cooldown: Vec<ProviderName>,
    /// One entry for each of these.
    pub cooldown_periods: BTreeMap<ProviderName, CooldownPeriod>,
    /// Everything that rests or is being tried, by what rests, as `claude/main`.
    pub resting: BTreeMap<String, RestStatus>,
    /// The newest rests that are over, the newest first.
    pub history: Vec<RestStatus>,
    /// Whose knowledge this is.
    pub source: Source,
    /// When it was true.
    pub as_of: WallTime,
}

/// How long a provider is out, in the guide's words.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CooldownPeriod {
    /// When its rest began.
    pub started_at: WallTime,
    /// When it, or the first of its credentials, is back.
    pub ends_at: WallTime,
    /// What is left until then, rounded up.
    pub remaining_seconds: u64,
    /// Why: `rate_limit`, `quota_exhausted`, `credential_rejected`, `error`, or an operator's own words.
    pub reason: String,
}

/// One rest with its evidence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RestStatus {
    /// What rests, as `claude`, `claude/main` or `claude/main/claude-sonnet-4-5`.
    pub subject: String,
    /// How much of the provider: `provider`, `credential` or `model`.
    pub scope: String,
    /// `resting`, `half_open` (past its end, one request finds out), `rising` (traffic returns) or `over`.
    pub stage: String,
    /// Why.
    pub cause: CooldownCause,
    /// When it began.
    pub started_at: WallTime,
    /// When it ends or ended.
    pub ends_at: WallTime,
    /// What is left, rounded up.
    pub remaining_seconds: u64,
    /// The node that saw the cause; absent for an operator's word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reporter: Option<NodeId>,
    /// The operator who said so.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub by: String,
    /// The operator's reason.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// The status that tripped it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_status: Option<u16>,
    /// The failure that tripped it, in the words of the metrics.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub error_type: String,
    /// The wait that the provider named, as it came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint_seconds: Option<f64>,
    /// Whether the rest differs from that for the policy's sake.
    pub clamped: bool,
    /// How many errors tripped it; absent when one was enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errors: Option<u32>,
    /// The window that they were counted in, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window_seconds: Option<u64>,
    /// How many rests came one after the other.
    pub streak: u32,
    /// Who may find out whether it goes on, once it is past its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prober: Option<NodeId>,
    /// Grows with each word of an operator.
    pub epoch: u64,
}

impl RestStatus {
    /// Shows `rest` as it is at `now`, in the stage that the caller found.
    pub fn of(rest: &Cooldown, stage: &str, now: WallTime) -> Self {
        let evidence = &rest.evidence;
        let counted = evidence.errors > 0;
        Self {
            subject: rest.key.to_string(),
            scope: rest.key.scope.as_str().to_owned(),
            stage: stage.to_owned(),
            cause: rest.cause,
            started_at: rest.started_at,
            ends_at: rest.until,
            remaining_seconds: seconds_left(rest.until, now),
            reporter: (!rest.source.as_str().is_empty()).then(|| rest.source.clone()),
            by: evidence.by.clone(),
            note: evidence.note.clone(),
            http_status: (evidence.http_status > 0).then_some(evidence.http_status),
            error_type: evidence.error_type.clone(),
            hint_seconds: evidence.hint.map(|hint| hint.as_secs_f64()),
            clamped: evidence.clamped,
            errors: counted.then_some(evidence.errors),
            window_seconds: counted.then_some(evidence.window.as_secs()),
            streak: rest.streak,
            prober: rest.permit.node.clone(),
            epoch: rest.epoch,
        }
    }
}

/// Gives the seconds from `now` to `until`, rounded up.
pub fn seconds_left(until: WallTime, now: WallTime) -> u64 {
    u64::try_from(until.since(now).as_millis().div_ceil(1_000)).unwrap_or(u64::MAX)
}

/// The answer of `POST …/cooldown` and `POST …/recover`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChangeStatus {
    /// The provider.
    pub provider: ProviderName,
    /// What was asked to rest or to recover, as `claude` or `claude/main`.
    pub subject: String,
    /// What is now; absent when nothing rests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cooldown: Option<CooldownPeriod>,
    /// Whether it was only tried out.
    pub dry_run: bool,
    /// The number of the change; 0 when nothing was changed, or on a node alone.
    pub hint_version: HintVersion,
    /// How many of the connected nodes had it when this was answered, of how many.
    pub applied_nodes: u32,
    /// See `applied_nodes`.
    pub total_nodes: u32,
    /// Whose word this is.
    pub source: Source,
    /// When.
    pub as_of: WallTime,
}

/// The answer of `GET /v0/operations/explain`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explanation {
    /// Whose knowledge this is.
    pub source: Source,
    /// When it was true.
    pub as_of: WallTime,
    /// The client that would ask; absent where nobody in particular would.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<ClientName>,
    /// What would be decided.
    pub decision: Decision,
}

/// The answer of `GET /v0/operations/requests/{id}`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RequestStatus {
    /// Whose knowledge this is.
    pub source: Source,
    /// When it was true.
    pub as_of: WallTime,
    /// What is kept of the request.
    pub request: RequestRecord,
}

/// The answer of `GET /v0/operations/audit`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct AuditLog {
    /// Whose knowledge this is.
    pub source: Source,
    /// When it was true.
    pub as_of: WallTime,
    /// The entries, the newest first.
    pub entries: Vec<AuditEntry>,
}

/// The answer of `GET /v0/operations/alerts`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct AlertsStatus {
    /// Whose knowledge this is.
    pub source: Source,
    /// When it was true.
    pub as_of: WallTime,
    /// What needs somebody's attention now.
    pub alerts: Vec<Alert>,
}

/// Something that needs somebody's attention.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Alert {
    /// A word of a closed set, as `provider_failed`.
    pub name: &'static str,
    /// `warning` or `critical`.
    pub severity: &'static str,
    /// The provider that it is about, when it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<ProviderName>,
    /// Since when, as far as that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<WallTime>,
    /// The budget that it is about, when it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget: Option<SpentBudget>,
    /// For people: what is wrong.
    pub message: String,
}

/// A budget of which a good part is spent. Amounts are in tokens, requests or US dollars.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SpentBudget {
    /// Whose it is, as `provider claude`, `credential claude/main` or `client ci`.
    pub subject: String,
    /// What is counted.
    pub unit: QuotaUnit,
    /// The part that is spent, in percent: 50, 80 or 95.
    pub level: u32,
    /// What was spent in the period that runs.
    pub used: f64,
    /// All of it.
    pub limit: f64,
    /// When the period ends.
    pub resets_at: WallTime,
}

/// The answer of `GET /v0/operations/nodes`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct NodesStatus {
    /// Whose knowledge this is.
    pub source: Source,
    /// When it was true.
    pub as_of: WallTime,
    /// All nodes ever seen.
    pub nodes: BTreeMap<NodeId, NodeStatus>,
}

/// One node.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NodeStatus {
    /// Whether it is connected.
    pub connected: bool,
    /// Grows with each start of its process.
    pub incarnation: Incarnation,
    /// The version of its program.
    pub build: String,
    /// Where it listens for clients.
    pub listen: String,
    /// When it was last heard of.
    pub last_seen: WallTime,
    /// The configuration that it runs; 0 when that is not known.
    pub config: ConfigId,
    /// The newest change of the hint line that it has.
    pub hints: HintVersion,
    /// The configuration that it refused, with its reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

//! The nouns that both planes share: names, secrets, the configuration snapshot, failures, usage and the
//! answers of the operations endpoints.
//!
//! No clock, no I/O and no async here: whoever needs the time passes it in. A type moves here only when two
//! crates need it.
#![deny(missing_docs)]

pub mod ability;
pub mod api;
pub mod audit;
pub mod balancing;
pub mod client;
pub mod configuring;
pub mod cooldown;
pub mod decision;
pub mod escrow;
pub mod failure;
pub mod health;
pub mod hint;
pub mod lease;
pub mod leasing;
pub mod limit;
mod limited;
pub mod name;
pub mod operate;
pub mod pattern;
pub mod period;
pub mod price;
pub mod profile;
pub mod secret;
pub mod share;
pub mod snapshot;
pub mod status;
pub mod time;
pub mod usage;
pub mod version;

pub use ability::{Effort, ModelTraits, Need, Needs, Thinking, TraitsEntry};
pub use api::{Dialect, Operation, ProviderKind};
pub use audit::{AuditEntry, AuditQuery};
pub use balancing::{
    CooldownDurations, CooldownPolicy, HealingPolicy, HealthCheck, HealthPolicy, Hedge, Quota, QuotaReset,
    QuotaUnit, Retries, SessionAffinity, Strategy,
};
pub use client::{Client, ClientKey, KeyHash, KeyId, KeyRecord, OVER_KEYS_KEPT, Priority};
pub use cooldown::{Cooldown, CooldownCause, CooldownKey, Evidence, Permit, Scope, UrgentEvent, UrgentKind};
pub use decision::{AttemptRecord, Considered, Decision, Exclusion, RequestRecord};
pub use failure::{AttemptError, ErrorClass, Failure, TimeoutPhase};
pub use health::{Health, HealthState, Measured, ProbeAssignment, ProbeReport, QuotaSignal, Signal};
pub use hint::{Hint, HintKey};
pub use lease::{Fence, Lease, LeaseName};
pub use leasing::{BudgetClaim, BudgetGrant, NodeClaims, NodeGrants, RateClaim, RateGrant, UpstreamLimit};
pub use limit::{BudgetId, LimitSubject, LossMode, RateId, RateKind, RateLimits, SpentPolicy};
pub use name::{
    ClientName, CredentialName, ModelName, NodeId, PriceVersion, ProviderName, ReplicaId, RequestId,
};
pub use pattern::ModelPattern;
pub use period::{UsageBy, UsagePeriod};
pub use price::{Price, PriceEntry};
pub use profile::{ErrorRule, MaxTokensName, OnLoss, Profile, TranslationPolicy, UnsupportedTools};
pub use secret::Secret;
pub use snapshot::{Alias, AliasTarget, Credential, Policy, Provider, Snapshot, Target, Timeouts};
pub use time::WallTime;
pub use usage::{AttemptCounts, Batch, LedgerKey, LedgerRow, TokenUsage, UsageKey};
pub use version::{ConfigId, HintVersion, HistoryId, Incarnation, Seq};

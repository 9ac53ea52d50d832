//! What rests after a failure, for how long, and what happens at the end of it.
//!
//! Both planes decide by the same functions: a node on what it sees itself, the control plane on what all nodes
//! report. What they find merges by `Cooldown::merge`, so that it does not matter who was first.

mod decide;
mod operator;
mod stage;
#[cfg(test)]
mod tests;
mod window;

pub use decide::{SHORTEST_REST, at_once, continued, failed_probe, key_at_once};
pub use operator::{clear, force, recover};
pub use stage::{RISE, Stage, granted, rising, stage};
pub use window::Window;

use crate::quota::period;
use cliproxy_domain::{
    CooldownCause, CooldownDurations, CooldownPolicy, CredentialName, Failure, LedgerKey, NodeId, Provider,
    Snapshot, UrgentKind, WallTime,
};
use std::time::Duration;

/// How a failure speaks against a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Blame {
    /// It was asked too often.
    RateLimit,
    /// A limit or the money is used up.
    Spent,
    /// It refused the credential.
    Rejected,
    /// It failed.
    Error,
}

/// Tells how `failure` speaks against the provider. None for what the client did or left, and for an answer that we
/// could not read although the provider says it is whole: where we translate, the mistake may be our own.
pub fn blame(failure: Failure, translated: bool) -> Option<Blame> {
    match failure {
        Failure::RateLimited { .. } => Some(Blame::RateLimit),
        Failure::LimitSpent { .. } | Failure::Billing => Some(Blame::Spent),
        Failure::CredentialRejected | Failure::Permission => Some(Blame::Rejected),
        Failure::MalformedReply if translated => None,
        failure => failure.counts_against_provider().then_some(Blame::Error),
    }
}

impl Blame {
    /// Names it as an urgent event does.
    pub fn kind(self) -> UrgentKind {
        match self {
            Blame::RateLimit => UrgentKind::RateLimited,
            Blame::Spent => UrgentKind::QuotaExhausted,
            Blame::Rejected => UrgentKind::CredentialRejected,
            Blame::Error => UrgentKind::Failed,
        }
    }

    /// Reads it from an urgent event; none where the event reports no failure.
    pub fn of_kind(kind: UrgentKind) -> Option<Self> {
        match kind {
            UrgentKind::RateLimited => Some(Blame::RateLimit),
            UrgentKind::QuotaExhausted => Some(Blame::Spent),
            UrgentKind::CredentialRejected => Some(Blame::Rejected),
            UrgentKind::Failed => Some(Blame::Error),
            UrgentKind::Recovered | UrgentKind::PermitWanted => None,
        }
    }

    fn cause(self) -> CooldownCause {
        match self {
            Blame::RateLimit => CooldownCause::RateLimit,
            Blame::Spent => CooldownCause::QuotaExhausted,
            Blame::Rejected => CooldownCause::CredentialRejected,
            Blame::Error => CooldownCause::Error,
        }
    }
}

/// What holds for one provider at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// What holds for all.
    pub policy: CooldownPolicy,
    /// How long this one rests.
    pub durations: CooldownDurations,
    /// How many credentials it has.
    pub credentials: usize,
    /// When the quota begins anew that was spent: the credential's own, where it has one, else the provider's.
    pub quota_resets_at: Option<WallTime>,
}

impl Rules {
    /// Gives the rules of a provider for what happened at `at` to one of its credentials: what was spent just before a quota began anew does not
    /// rest until the next time, however late it is told.
    pub fn of(snapshot: &Snapshot, provider: &Provider, credential: &CredentialName, at: WallTime) -> Self {
        let of_credential = provider.credentials.iter().find(|known| known.name == *credential);
        let own = of_credential.and_then(|known| known.quota.as_ref());
        let quota_resets_at = own.or(provider.quota.as_ref()).map(|quota| period(quota, at).ends_at);
        Self {
            policy: snapshot.policy.cooldown,
            durations: provider.cooldown,
            credentials: provider.credentials.len(),
            quota_resets_at,
        }
    }

    fn enabled(&self) -> bool {
        self.policy.enabled && self.durations.enabled
    }

    /// Gives the wait that a failure names, where it is to be believed.
    fn believed(&self, report: &Report) -> Option<Duration> {
        report.hint.filter(|_| self.policy.honor_retry_after)
    }
}

/// A failure that speaks against a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// How.
    pub blame: Blame,
    /// Against whom.
    pub subject: LedgerKey,
    /// Whether the provider spoke of this model alone.
    pub about_model: bool,
    /// The wait that the provider named.
    pub hint: Option<Duration>,
    /// The status; 0 when there was none.
    pub http_status: u16,
    /// The failure in the words of the metrics.
    pub error_type: String,
    /// The epoch in force for the subject when its request started.
    pub seen_epoch: u64,
    /// Who saw it.
    pub node: NodeId,
    /// When.
    pub at: WallTime,
}

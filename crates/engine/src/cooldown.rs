//! What rests after a failure, for how long, and what happens at the end of it.
//!
//! Both planes decide by the same functions: a node on what it sees itself, the control plane on what all nodes
//! report. What they find merges by `Cooldown::merge`, so that it does not matter who was first.

mod operator;
mod stage;
#[cfg(test)]
mod tests;
mod window;

pub use operator::{clear, force, recover};
pub use stage::{RISE, Stage, rising, stage};
pub use window::Window;

use cliproxy_domain::{
    Cooldown, CooldownCause, CooldownDurations, CooldownKey, CooldownPolicy, Evidence, Failure, LedgerKey,
    NodeId, Permit, Provider, Scope, Snapshot, UrgentKind, WallTime,
};
use std::time::Duration;

/// The shortest rest that is worth telling all nodes of.
pub const SHORTEST_REST: Duration = Duration::from_millis(250);

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

/// What holds for one provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// What holds for all.
    pub policy: CooldownPolicy,
    /// How long this one rests.
    pub durations: CooldownDurations,
    /// How many credentials it has.
    pub credentials: usize,
    /// When its quota begins anew, where it has one.
    pub quota_resets_at: Option<WallTime>,
}

impl Rules {
    /// Gives the rules of a provider.
    pub fn of(snapshot: &Snapshot, provider: &Provider, quota_resets_at: Option<WallTime>) -> Self {
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

impl Report {
    /// Gives how much of the provider a rest that this failure makes by itself takes.
    fn scope(&self) -> Scope {
        let credential = self.subject.credential.clone();
        // Overload is of a model's servers; the credential serves others.
        if self.about_model || self.blame == Blame::Error {
            Scope::Model { credential, model: self.subject.model.clone() }
        } else {
            Scope::Credential(credential)
        }
    }

    fn rest(&self, scope: Scope, until: WallTime, streak: u32, evidence: Evidence) -> Cooldown {
        Cooldown {
            key: CooldownKey { provider: self.subject.provider.clone(), scope },
            epoch: self.seen_epoch,
            round: 0,
            started_at: self.at,
            until,
            cleared: false,
            cause: self.blame.cause(),
            source: self.node.clone(),
            permit: Permit { number: 0, node: Some(self.node.clone()) },
            streak,
            evidence,
        }
    }
}

/// Gives the rest that follows from one failure by itself: the provider named a wait, refused the credential, or said
/// that a limit is used up. `known` is what is known of the key that would rest.
///
/// A wait is believed up to `max_hint`; after that one request finds out whether it goes on. A refused credential
/// rests for the provider's default duration, twice as long each time that it is refused again.
pub fn at_once(rules: &Rules, report: &Report, known: Option<&Cooldown>) -> Option<Cooldown> {
    if !rules.enabled() {
        return None;
    }
    let hint = report.hint.filter(|_| rules.policy.honor_retry_after);
    let streak =
        known.filter(|known| !known.cleared && known.epoch == report.seen_epoch).map_or(0, |k| k.streak);
    let wanted = match (report.blame, hint) {
        (Blame::RateLimit | Blame::Error | Blame::Spent, Some(hint)) => hint,
        (Blame::RateLimit | Blame::Error, None) => return None,
        (Blame::Spent, None) => match rules.quota_resets_at {
            Some(resets_at) => resets_at.since(report.at),
            None => rules.policy.max_hint,
        },
        (Blame::Rejected, _) => rules.durations.default.saturating_mul(1 << streak.min(10)),
    };
    let rest = wanted.clamp(SHORTEST_REST, rules.policy.max_hint.max(SHORTEST_REST));
    let evidence = Evidence {
        http_status: report.http_status,
        error_type: report.error_type.clone(),
        hint: report.hint,
        clamped: hint.is_some_and(|hint| hint != rest),
        ..Evidence::default()
    };
    // A rest that goes on is the same rest: only one that follows on an earlier one adds to the streak.
    let goes_on = known.is_some_and(|known| !known.cleared && known.until > report.at);
    let streak = if goes_on { streak } else { streak.saturating_add(1) };
    Some(report.rest(report.scope(), report.at.plus(rest), streak.max(1), evidence))
}

/// Puts a rest that was just decided behind `known`, the word on the same key: it belongs to the same round.
pub fn continued(rest: Cooldown, known: Option<&Cooldown>) -> Cooldown {
    let round = known.filter(|known| known.epoch == rest.epoch).map_or(0, |known| known.round);
    Cooldown { round, ..rest }
}

/// Gives the key that [`at_once`] would let rest.
pub fn key_at_once(report: &Report) -> CooldownKey {
    CooldownKey { provider: report.subject.provider.clone(), scope: report.scope() }
}

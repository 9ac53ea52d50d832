//! The rest that follows from one failure, and how it stands to the rest before it.

use super::{Blame, Report, Rules};
use cliproxy_domain::{Cooldown, CooldownCause, CooldownKey, Evidence, Permit, Scope, WallTime};
use std::time::Duration;

/// The shortest rest that is worth telling all nodes of.
pub const SHORTEST_REST: Duration = Duration::from_millis(250);

/// Gives the rest that follows from one failure by itself: the provider named a wait, refused the credential, or said
/// that a limit is used up. `known` is what is known of [the key that would rest](key_at_once). None when it takes
/// several failures of the kind, and when the request began before an operator's word on the key.
///
/// A wait is believed up to `max_hint`; after that one request finds out whether it goes on. A refused credential
/// rests for the provider's default duration, twice as long each time that it is refused again, up to `max_hint`. A
/// limit that is used up rests until the quota begins anew where one is configured, else for `max_hint`.
pub fn at_once(rules: &Rules, report: &Report, known: Option<&Cooldown>) -> Option<Cooldown> {
    if !rules.enabled() || known.is_some_and(|known| known.epoch > report.seen_epoch) {
        return None;
    }
    let before = known.filter(|known| known.epoch == report.seen_epoch).map_or(0, |known| {
        // What was on its way when the rest began is refused with it, and does not make it longer.
        if goes_on(known, report.at) { known.streak.saturating_sub(1) } else { streak(known) }
    });
    let wait = own_wait(rules, report, before)?;
    let rest = report.rest(report.scope(), wait.rest, report.evidence(wait.clamped));
    Some(continued(rest, known))
}

/// Gives the key that [`at_once`] would let rest.
pub fn key_at_once(report: &Report) -> CooldownKey {
    CooldownKey { provider: report.subject.provider.clone(), scope: report.scope() }
}

/// Gives the rest that follows when the one request that was to find out whether `known` goes on has failed: the same
/// key rests again at once. To be asked beside [`at_once`], whose key may be another.
///
/// For the wait that the failure names, else for the duration of the cause before it, twice as long with each rest
/// that followed on another, up to `max_hint`. None when the failure says nothing of this rest, as one key's 429 says
/// nothing of a provider with several: the permit is to be given back then.
pub fn failed_probe(rules: &Rules, report: &Report, known: &Cooldown) -> Option<Cooldown> {
    // The clocks of two planes differ by what a message takes.
    let half_open = !known.cleared && report.at.plus(SHORTEST_REST) >= known.until;
    if !rules.enabled() || !half_open || known.epoch > report.seen_epoch || !speaks_of(rules, report, known) {
        return None;
    }
    let wait = own_wait(rules, report, known.streak).unwrap_or_else(|| Wait {
        rest: doubled(rules, again(rules, report, known.cause), known.streak),
        clamped: false,
    });
    let rest = report.rest(known.key.scope.clone(), wait.rest, report.evidence(wait.clamped));
    let started_at = report.at.max(known.until);
    Some(continued(Cooldown { epoch: known.epoch, started_at, ..rest }, Some(known)))
}

/// Puts a rest that was just decided behind `known`, the word on the same key: it belongs to the same round, and a rest
/// that has not ended goes on. Safe to do twice.
pub fn continued(mut rest: Cooldown, known: Option<&Cooldown>) -> Cooldown {
    if rest.key.scope == Scope::Provider {
        // The epoch that a request saw may be an operator's on its credential alone. On the whole provider it would
        // undo the rests of the others.
        rest.epoch = known.map_or(0, |known| known.epoch.min(rest.epoch));
    }
    let Some(known) = known.filter(|known| known.epoch == rest.epoch) else { return rest };
    rest.round = known.round;
    if goes_on(known, rest.started_at) {
        rest.started_at = known.started_at;
        rest.permit.number = known.permit.number;
        rest.streak = rest.streak.max(known.streak);
    } else {
        // A node uses each number once.
        rest.permit.number = known.permit.number.saturating_add(1);
        rest.streak = rest.streak.max(streak(known).saturating_add(1));
    }
    rest
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

    fn evidence(&self, clamped: bool) -> Evidence {
        Evidence {
            http_status: self.http_status,
            error_type: self.error_type.clone(),
            hint: self.hint,
            clamped,
            ..Evidence::default()
        }
    }

    pub(super) fn rest(&self, scope: Scope, rest: Duration, evidence: Evidence) -> Cooldown {
        Cooldown {
            key: CooldownKey { provider: self.subject.provider.clone(), scope },
            epoch: self.seen_epoch,
            round: 0,
            started_at: self.at,
            until: self.at.plus(rest),
            cleared: false,
            cause: self.blame.cause(),
            source: self.node.clone(),
            permit: Permit { number: 0, node: Some(self.node.clone()) },
            streak: 1,
            evidence,
        }
    }
}

/// How long a failure lets rest by itself.
struct Wait {
    rest: Duration,
    clamped: bool,
}

/// `before` counts the rests that this one follows on.
fn own_wait(rules: &Rules, report: &Report, before: u32) -> Option<Wait> {
    let exactly = |rest: Duration| Some(Wait { rest: rest.max(SHORTEST_REST), clamped: false });
    match (report.blame, rules.believed(report)) {
        (Blame::Rejected, _) => exactly(doubled(rules, rules.durations.default, before)),
        (_, Some(hint)) => {
            let rest = hint.clamp(SHORTEST_REST, rules.policy.max_hint.max(SHORTEST_REST));
            Some(Wait { rest, clamped: rest != hint })
        }
        (Blame::Spent, None) => {
            let resets_at = rules.quota_resets_at.filter(|resets_at| *resets_at > report.at);
            exactly(resets_at.map_or(rules.policy.max_hint, |resets_at| resets_at.since(report.at)))
        }
        (Blame::RateLimit | Blame::Error, None) => None,
    }
}

/// Doubles a duration with each rest before it, up to `max_hint`; never below what is configured.
fn doubled(rules: &Rules, duration: Duration, before: u32) -> Duration {
    let factor = 1_u32.checked_shl(before).unwrap_or(u32::MAX);
    duration.saturating_mul(factor).min(rules.policy.max_hint.max(duration)).max(SHORTEST_REST)
}

/// Gives how long a rest goes on whose probe failed without a word of its own.
fn again(rules: &Rules, report: &Report, cause: CooldownCause) -> Duration {
    match cause {
        CooldownCause::RateLimit => rules.durations.rate_limit,
        CooldownCause::Error => rules.durations.error,
        CooldownCause::CredentialRejected => rules.durations.default,
        // How long these took says nothing of what was found now.
        CooldownCause::QuotaExhausted | CooldownCause::Manual => match report.blame {
            Blame::RateLimit => rules.durations.rate_limit,
            _ => rules.durations.error,
        },
    }
}

/// Tells whether a probe's failure says something of the whole of what rested.
fn speaks_of(rules: &Rules, report: &Report, known: &Cooldown) -> bool {
    let subject =
        Scope::Model { credential: report.subject.credential.clone(), model: report.subject.model.clone() };
    if known.key.provider != report.subject.provider || !known.key.scope.covers(&subject) {
        return false;
    }
    let failed = report.blame == Blame::Error;
    match known.key.scope {
        Scope::Provider => failed || (rules.credentials <= 1 && !report.about_model),
        Scope::Credential(_) => failed || !report.about_model,
        Scope::Model { .. } => true,
    }
}

fn goes_on(known: &Cooldown, now: WallTime) -> bool {
    !known.cleared && known.until > now
}

/// Counts the rests that came one after the other up to `known`; none when an answer or an operator ended them.
fn streak(known: &Cooldown) -> u32 {
    if known.cleared { 0 } else { known.streak }
}

//! What a client is told when nothing can be tried: which target is out for which reason, and when to come back.

use super::Decided;
use crate::refusal::Refusal;
use cliproxy_domain::{CooldownCause, ErrorClass, Exclusion, ModelName, WallTime};
use cliproxy_engine::Excluded;
use std::time::Duration;

/// Reasons that are told one by one; of more only their number.
const MOST_TOLD: usize = 20;

/// Refuses a request for `model` as everything is left out: 429 where only rate limits keep everything away, else
/// 503; with the soonest end, rounded up to a second, where one is known. What can never take the request is told, and
/// does not count.
pub fn unavailable(model: &ModelName, decided: &Decided, excluded: &[Excluded], now: WallTime) -> Refusal {
    let may_come_back = || excluded.iter().filter(|excluded| !excluded.reason.is_lasting());
    let limited = |excluded: &Excluded| excluded.cause == Some(CooldownCause::RateLimit);
    let only_rate_limits = may_come_back().next().is_some() && may_come_back().all(limited);
    let class = if only_rate_limits { ErrorClass::RateLimit } else { ErrorClass::Overloaded };
    let mut told: Vec<String> =
        excluded.iter().take(MOST_TOLD).map(|excluded| tell(decided, excluded, now)).collect();
    if excluded.len() > MOST_TOLD {
        told.push(format!("{} more", excluded.len() - MOST_TOLD));
    }
    let message = format!("every target of the model `{model}` is out: {}", told.join(", "));
    let soonest = excluded.iter().filter_map(|excluded| excluded.until).min();
    Refusal {
        retry_after: soonest.map(|soonest| whole_seconds(soonest.since(now))),
        ..Refusal::new(class, message).with_code("all_targets_resting")
    }
}

/// Says why one target is out, as `claude/main (cooldown: rate_limit, 12 s)`.
fn tell(decided: &Decided, excluded: &Excluded, now: WallTime) -> String {
    let candidate = decided.resolved.set.candidates.get(excluded.candidate);
    let provider = candidate.map_or("?", |candidate| candidate.target.provider.as_str());
    let credential = candidate
        .and_then(|candidate| decided.outlook.providers.get(candidate.slot))
        .zip(excluded.credential)
        .and_then(|(provider, at)| provider.credentials.get(at));
    let who = match credential {
        Some(credential) => format!("{provider}/{}", credential.name),
        None => provider.to_owned(),
    };
    let mut why = excluded.reason.as_str().to_owned();
    if let Some(cause) = excluded.cause.filter(|_| excluded.reason == Exclusion::Cooldown) {
        why = format!("{why}: {}", cause.as_str());
    }
    match excluded.until {
        Some(until) => format!("{who} ({why}, {} s)", whole_seconds(until.since(now)).as_secs()),
        None => format!("{who} ({why})"),
    }
}

/// Rounds up to whole seconds, to 1 at least.
fn whole_seconds(wait: Duration) -> Duration {
    Duration::from_secs(u64::try_from(wait.as_millis().div_ceil(1_000)).unwrap_or(u64::MAX).max(1))
}

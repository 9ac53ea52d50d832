//! What operations tell of an outlook: what rests, what is left out and how calls are spread. Pure, so that a node that
//! is cut off answers as the control plane does.

mod change;
mod rests;
mod shares;
#[cfg(test)]
mod tests;

pub use change::{answer, word};
pub use rests::{Standing, cooldowns, period, stage_name, standings};
pub use shares::{ShareView, load_balancing, percent};

use crate::{
    cooldown::{Stage, stage},
    outlook::ProviderOutlook,
};
use cliproxy_domain::{Cooldown, CooldownCause, Exclusion, WallTime};

/// Why a provider or a target takes no request now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Out<'a> {
    /// The reason, as a decision names it.
    pub reason: Exclusion,
    /// The rest that ends first, where it rests.
    pub rest: Option<&'a Cooldown>,
    /// When it is back, as far as that is known.
    pub until: Option<WallTime>,
}

/// Gives the rest that keeps a whole provider away: that of its quota, or the one that is over first, when every credential rests. None while
/// one of them can be used for some model, be it for the request that finds out whether its rest goes on.
pub fn provider_rest(provider: &ProviderOutlook, now: WallTime) -> Option<&Cooldown> {
    provider.spent(now).or_else(|| first_back(provider, now, ""))
}

/// Tells why a provider takes no request for `model` now; none when it takes some. An empty model stands for any.
///
/// Health counts here although a decision ignores it while more than half of a model's targets are unhealthy: that
/// hangs on the model.
pub fn out<'a>(provider: &'a ProviderOutlook, model: &str, now: WallTime) -> Option<Out<'a>> {
    if provider.is_down() {
        return Some(Out { reason: Exclusion::Unhealthy, rest: None, until: None });
    }
    if let Some(quota) = provider.quota.filter(|quota| quota.is_used_up(now)) {
        let rest = provider.spent(now);
        return Some(Out { reason: Exclusion::QuotaExhausted, rest, until: quota.resets_at });
    }
    if provider.credentials.is_empty() {
        return Some(Out { reason: Exclusion::NoCredential, rest: None, until: None });
    }
    let rest = first_back(provider, now, model)?;
    let reason = match rest.cause {
        CooldownCause::QuotaExhausted => Exclusion::QuotaExhausted,
        _ => Exclusion::Cooldown,
    };
    Some(Out { reason, rest: Some(rest), until: Some(rest.until) })
}

fn first_back<'a>(provider: &'a ProviderOutlook, now: WallTime, model: &str) -> Option<&'a Cooldown> {
    if provider.credentials.is_empty() {
        return provider.rest.as_ref().filter(|rest| stage(rest, now) == Stage::Resting);
    }
    let mut first: Option<&Cooldown> = None;
    for credential in &provider.credentials {
        let (rest, stage) = provider.governing(credential, model, now)?;
        if stage != Stage::Resting {
            return None;
        }
        if first.is_none_or(|known| (rest.until, rest.cause) < (known.until, known.cause)) {
            first = Some(rest);
        }
    }
    first
}

/// Tells whether the provider refused every credential, so that none is left that it takes.
pub fn all_rejected(provider: &ProviderOutlook, now: WallTime) -> bool {
    let rejected = |credential| {
        provider.governing(credential, "", now).is_some_and(|(rest, stage)| {
            rest.cause == CooldownCause::CredentialRejected
                && matches!(stage, Stage::Resting | Stage::HalfOpen(_))
        })
    };
    !provider.credentials.is_empty() && provider.credentials.iter().all(rejected)
}

//! What rests, and what did.

use super::provider_rest;
use crate::{
    cooldown::{Stage, stage},
    outlook::{Outlook, ProviderOutlook},
};
use cliproxy_domain::{
    Cooldown, CooldownCause, WallTime,
    status::{CooldownPeriod, CooldownStatus, RestStatus, Source, seconds_left},
};
use std::collections::BTreeSet;

/// How many rests that are over are told.
const HISTORY: usize = 50;

/// A word as it stands now.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing<'a> {
    /// The word.
    pub rest: &'a Cooldown,
    /// Where it stands; over as well when something that covers it was said later.
    pub stage: Stage,
    /// When it ended, of one that is over.
    pub ended_at: WallTime,
}

/// Tells what rests. `earlier` are rests that are over and that later words of the same key have replaced.
pub fn cooldowns(
    outlook: &Outlook,
    earlier: impl IntoIterator<Item = RestStatus>,
    source: Source,
    now: WallTime,
) -> CooldownStatus {
    let mut status = CooldownStatus { source, as_of: now, ..CooldownStatus::default() };
    let mut over = Vec::new();
    for provider in &outlook.providers {
        if let Some(rest) = provider_rest(provider, now) {
            status.providers_in_cooldown.push(provider.name.clone());
            status.cooldown_periods.insert(provider.name.clone(), period(rest, now));
        }
        for word in standings(provider, now) {
            let told = RestStatus::of(word.rest, stage_name(&word.stage), now);
            match word.stage {
                Stage::Over => over.push(RestStatus { ends_at: word.ended_at, remaining_seconds: 0, ..told }),
                _ => drop(status.resting.insert(told.subject.clone(), told)),
            }
        }
    }
    over.extend(earlier);
    status.history = history(over);
    status
}

/// Gives the newest rests of `over`, the newest first, each once.
fn history(mut over: Vec<RestStatus>) -> Vec<RestStatus> {
    // A recovery of what did not rest is no rest that is over.
    over.retain(|rest| rest.ends_at > rest.started_at);
    // Of several tellings of one rest the earliest end is the true one: a word cut it short. What the audit log kept is
    // told to the second.
    over.sort_by_key(|rest| rest.ends_at);
    let mut known = BTreeSet::new();
    over.retain(|rest| known.insert((rest.subject.clone(), rest.started_at.0.div_euclid(1_000))));
    over.sort_by(|a, b| (b.ends_at, &a.subject).cmp(&(a.ends_at, &b.subject)));
    over.truncate(HISTORY);
    over
}

/// Tells how long a provider is out for this rest, in the guide's words.
pub fn period(rest: &Cooldown, now: WallTime) -> CooldownPeriod {
    let note = &rest.evidence.note;
    let in_his_words = rest.cause == CooldownCause::Manual && !note.is_empty();
    CooldownPeriod {
        started_at: rest.started_at,
        ends_at: rest.until,
        remaining_seconds: seconds_left(rest.until, now),
        reason: if in_his_words { note.clone() } else { rest.cause.as_str().to_owned() },
    }
}

/// Gives all words of a provider as they stand: its own, its credentials', and these for single models.
pub fn standings(provider: &ProviderOutlook, now: WallTime) -> Vec<Standing<'_>> {
    let mut found = Vec::new();
    let spent = |rest| Standing { rest, stage: Stage::Resting, ended_at: rest.until };
    found.extend(provider.spent(now).map(spent));
    found.extend(provider.rest.as_ref().map(|rest| standing(rest, [None, None], now)));
    for credential in &provider.credentials {
        found.extend(credential.spent.as_ref().filter(|rest| rest.until > now).map(spent));
        let own = credential.rest.as_ref();
        found.extend(own.map(|rest| standing(rest, [provider.rest.as_ref(), None], now)));
        let above = [provider.rest.as_ref(), own];
        found.extend(credential.models.iter().map(|(_, rest)| standing(rest, above, now)));
    }
    found
}

/// Holds a word against those that cover it: one of a later epoch has undone it when it was said.
fn standing<'a>(rest: &'a Cooldown, above: [Option<&Cooldown>; 2], now: WallTime) -> Standing<'a> {
    let undone = above.into_iter().flatten().filter(|word| word.epoch > rest.epoch);
    match undone.map(|word| word.started_at).min() {
        Some(at) => Standing { rest, stage: Stage::Over, ended_at: rest.until.min(at) },
        None => Standing { rest, stage: stage(rest, now), ended_at: rest.until },
    }
}

/// Names a stage as operations show it.
pub fn stage_name(stage: &Stage) -> &'static str {
    match stage {
        Stage::Resting => "resting",
        Stage::HalfOpen(_) => "half_open",
        Stage::Rising(_) => "rising",
        Stage::Over => "over",
    }
}

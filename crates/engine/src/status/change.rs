//! What follows from an operator's word, and what he is told of it.

use super::{Standing, period, standings};
use crate::{
    cooldown::{Stage, force, recover},
    outlook::ProviderOutlook,
};
use cliproxy_domain::{
    Cooldown, CooldownKey, HintVersion, WallTime,
    operate::{Order, Verb},
    status::{ChangeStatus, CooldownPeriod, Source},
};

/// Makes the word that follows on all that were said of the same. `by` is the operator's name.
pub fn word(order: &Order, known: &ProviderOutlook, by: &str, now: WallTime) -> Cooldown {
    let key = order.key.clone();
    match order.verb {
        Verb::Cooldown => {
            let epoch = covering_epoch(known, &key, now);
            force(key, epoch, now, order.duration, by, &order.reason)
        }
        Verb::Recover => recover(key, known.highest_epoch(&order.key.scope), now, by, &order.reason),
    }
}

/// Tells an operator what is now that `word` is said; nobody has heard it yet.
pub fn answer(
    order: &Order,
    known: &ProviderOutlook,
    word: &Cooldown,
    source: Source,
    now: WallTime,
) -> ChangeStatus {
    ChangeStatus {
        provider: word.key.provider.clone(),
        subject: word.key.to_string(),
        cooldown: resting(known, word, now),
        dry_run: order.dry_run,
        hint_version: HintVersion(0),
        applied_nodes: 0,
        total_nodes: 0,
        source,
        as_of: now,
    }
}

/// Gives the epoch in force for a key: the highest of the words on it and on what it is a part of.
fn covering_epoch(known: &ProviderOutlook, key: &CooldownKey, now: WallTime) -> u64 {
    covering(known, key, now).map(|word| word.rest.epoch).max().unwrap_or(0)
}

/// Tells how long the word's subject rests once it is said: a part of what rests goes on resting with it.
fn resting(known: &ProviderOutlook, word: &Cooldown, now: WallTime) -> Option<CooldownPeriod> {
    let above = covering(known, &word.key, now)
        .filter(|known| known.stage == Stage::Resting && known.rest.key != word.key)
        .map(|known| known.rest);
    let own = (!word.cleared).then_some(word);
    above.chain(own).max_by_key(|rest| rest.until).map(|rest| period(rest, now))
}

fn covering<'a>(
    known: &'a ProviderOutlook,
    key: &'a CooldownKey,
    now: WallTime,
) -> impl Iterator<Item = Standing<'a>> {
    standings(known, now).into_iter().filter(|word| word.rest.key.scope.covers(&key.scope))
}

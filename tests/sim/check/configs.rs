//! Configurations are replaced one by one: each change that was confirmed replaced the one that was expected.

use super::books::now_or_never;
use crate::{
    plan::Kind,
    truth::{Changed, Outcome},
    world::{World, read},
};
use cliproxy_domain::ConfigId;
use cliproxy_store::Store as _;
use std::collections::BTreeMap;

/// Gives the changes that came out wrong.
pub fn check(world: &World) -> Vec<String> {
    let truth = world.truth.lock().expect("no panic");
    let rolled_back = world.plan.faults.iter().any(|fault| fault.kind == Kind::RolledBack);
    let stored = if rolled_back { BTreeMap::new() } else { stored(world) };
    let mut wrong: Vec<String> =
        truth.changed.iter().filter_map(|changed| mistake(changed, &stored, rolled_back)).collect();
    for (config, weight) in &stored {
        let asked = truth.changed.iter().find(|changed| changed.weight == *weight);
        if asked.is_some_and(|asked| asked.bad || matches!(asked.outcome, Outcome::Refused(_))) {
            wrong.push(format!("configuration: {config} is stored, though it was refused: {asked:?}"));
        }
    }
    wrong
}

/// Says what is wrong with a change.
fn mistake(changed: &Changed, stored: &BTreeMap<u64, u64>, rolled_back: bool) -> Option<String> {
    let (config, before) = match changed.outcome {
        Outcome::Applied { config, before } => (config, before),
        // Somebody else was faster, or the text is wrong.
        Outcome::Refused(409) | Outcome::Unknown => return None,
        Outcome::Refused(400) if changed.bad => return None,
        Outcome::Refused(_) => {
            return Some(format!("configuration: refused for no good reason: {changed:?}"));
        }
    };
    let what = if changed.bad {
        "what is wrong was put in force"
    } else if before != changed.expected {
        "another one was replaced than was expected"
    } else if !rolled_back && config != changed.expected + 1 {
        "it does not follow the one that was expected"
    } else if !rolled_back && stored.get(&config) != Some(&changed.weight) {
        "another one is stored under its number"
    } else {
        return None;
    };
    Some(format!("configuration: {what}: {changed:?}"))
}

/// Gives the weight in each configuration of the database.
fn stored(world: &World) -> BTreeMap<u64, u64> {
    let list = now_or_never(world.store.configs(u32::MAX)).expect("the database is mended");
    let weight = |id: ConfigId| {
        let text = now_or_never(world.store.config_text(id)).flatten()?;
        let alpha = read(&text).ok()?.providers.remove("alpha")?;
        Some((id.0, u64::from(alpha.weight)))
    };
    list.into_iter().filter_map(|config| weight(config.id)).collect()
}

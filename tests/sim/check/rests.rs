//! Cooldowns are obeyed, and their end is tried by one request at a time.

use crate::{truth::Answered, world::World};
use std::{collections::BTreeMap, time::Duration};

/// How long word of a 429 may take to all nodes that are connected.
const BOUND: Duration = Duration::from_millis(250);
/// How long it may take on the node that got it.
const AT_ONCE: Duration = Duration::from_millis(30);
/// What is left of a wait by a clock that runs as fast as a plan lets one.
const OF_A_WAIT: f64 = 0.99;

/// Gives the calls that should not have been made.
pub fn check(world: &World) -> Vec<String> {
    let truth = world.truth.lock().expect("no panic");
    let mut of_keys: BTreeMap<(&str, &str), Vec<&Answered>> = BTreeMap::new();
    for answered in &truth.answered {
        of_keys.entry((&answered.provider, &answered.credential)).or_default().push(answered);
    }
    of_keys.values().flat_map(|answers| disobeyed(world, answers)).collect()
}

/// Gives the calls with one key within a rest that was known.
fn disobeyed(world: &World, answers: &[&Answered]) -> Vec<String> {
    let mut wrong = Vec::new();
    for limit in answers {
        let Some(wait) = limit.retry_after else { continue };
        let ends = limit.at + wait.mul_f64(OF_A_WAIT);
        let known_by = world.plan.known_by(limit.at, BOUND);
        for call in answers.iter().filter(|call| limit.at < call.came && call.came < ends) {
            let own = call.node == limit.node && world.plan.crashes_of(&call.node).next().is_none();
            let known_by = if own { limit.at + AT_ONCE } else { known_by };
            if call.came > known_by {
                wrong.push(format!(
                    "cooldown: {} called {} with {} at {:.3}, though {} was told at {:.3} to wait for {wait:?}",
                    call.node,
                    call.provider,
                    call.credential,
                    call.came.as_secs_f64(),
                    limit.node,
                    limit.at.as_secs_f64(),
                ));
            }
        }
    }
    wrong
}

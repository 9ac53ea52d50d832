//! Limits against what the provider wrote down: none is passed by all nodes together, and what is limited can be had.

use crate::{
    plan::{AGREEMENT, Kind},
    truth::Answered,
    world::{REQUESTS_OF_HASTY, SCARCE, TOKENS_OF_GAMMA, World},
};

/// Gives the limits that were passed.
pub fn check(world: &World) -> Vec<String> {
    let truth = world.truth.lock().expect("no panic");
    let gamma: Vec<_> = truth.answered.iter().filter(|answered| answered.provider == "gamma").collect();
    let mut wrong = Vec::new();
    let tokens: u64 = gamma.iter().map(|answered| answered.tokens.0 + answered.tokens.1).sum();
    if tokens > TOKENS_OF_GAMMA && !may_forget(world) {
        wrong.push(format!("limits: {tokens} tokens of gamma were used, of {TOKENS_OF_GAMMA}"));
    }
    // A run is shorter than a minute.
    let [scarce, rated] = SCARCE.map(|(model, _)| calls(&gamma, model));
    if rated > REQUESTS_OF_HASTY && !may_forget(world) {
        wrong.push(format!("limits: hasty had {rated} requests in a minute, of {REQUESTS_OF_HASTY}"));
    }
    if scarce == 0 || (rated == 0 && !may_strand(world)) {
        wrong.push(format!(
            "limits: {scarce} calls for thrifty and {rated} for hasty; neither limit allows none"
        ));
    }
    if world.plan.faults.is_empty() {
        wrong.extend(unreached(world, tokens, rated));
    }
    wrong
}

/// Gives the limits that are not reached although nothing went wrong: clients ask for more than there is. Of tokens it
/// may be less by what is reserved and not used in the end, and by what nodes hold for a request that does not fit; of
/// requests by one for each node, as a share is kept where nobody asks.
fn unreached(world: &World, tokens: u64, rated: usize) -> Vec<String> {
    let mut unreached = Vec::new();
    if tokens * 10 < TOKENS_OF_GAMMA * 8 {
        unreached.push(format!("limits: only {tokens} tokens of gamma were used, of {TOKENS_OF_GAMMA}"));
    }
    if rated + world.nodes.len() < REQUESTS_OF_HASTY {
        unreached.push(format!("limits: hasty had only {rated} requests, of {REQUESTS_OF_HASTY}"));
    }
    unreached
}

fn calls(gamma: &[&Answered], model: &str) -> usize {
    gamma.iter().filter(|answered| answered.model == model).count()
}

/// Tells whether all of a rate may be kept for a process that is gone: whoever asks first is given all of it, and what it
/// has is another's again only when its time is over, which is longer than a run.
fn may_strand(world: &World) -> bool {
    world.nodes.iter().any(|node| world.plan.crashes_of(node).next().is_some())
}

/// Tells whether a database that is set back may not hear of all that it has forgotten: who was given it is cut off, or
/// gone with what it knew.
fn may_forget(world: &World) -> bool {
    let set_back = world.plan.faults.iter().find(|fault| fault.kind == Kind::RolledBack);
    set_back.is_some_and(|set_back| {
        let mut others = world.plan.impairments().filter(|fault| fault.kind != Kind::RolledBack);
        others.any(|fault| fault.until + AGREEMENT >= set_back.from)
    })
}

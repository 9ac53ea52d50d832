//! Who leads: each epoch has one holder, and nothing is written under an epoch once a later one has written.

use crate::{plan::Kind, world::World};
use std::collections::BTreeMap;

/// Gives what was written or held against that.
pub fn check(world: &World) -> Vec<String> {
    // A database that goes back in time goes back to earlier leases as well; another history is another count.
    if world.plan.faults.iter().any(|fault| fault.kind == Kind::RolledBack) {
        return Vec::new();
    }
    let truth = world.truth.lock().expect("no panic");
    let (mut holders, mut newest, mut wrong) = (BTreeMap::new(), 0, Vec::new());
    for led in &truth.led {
        let holder = holders.entry(led.epoch).or_insert(&led.holder);
        if *holder != &led.holder {
            wrong.push(format!("fencing: epoch {} is held by {} and by {}", led.epoch, holder, led.holder));
        }
        if led.wrote && led.epoch < newest {
            wrong.push(format!(
                "fencing: {} wrote under epoch {} after epoch {newest}",
                led.holder, led.epoch
            ));
        }
        newest = newest.max(led.epoch);
    }
    if truth.led.is_empty() {
        wrong.push("fencing: nobody ever led".to_owned());
    }
    wrong
}

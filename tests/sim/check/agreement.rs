//! At the end everybody agrees: on the configuration, and on what rests.

use super::books::now_or_never;
use crate::world::World;
use cliproxy_domain::{Cooldown, Hint};
use cliproxy_store::Store as _;

/// Gives what nodes know otherwise than the database.
pub fn check(world: &World) -> Vec<String> {
    let (_, hints) = now_or_never(world.store.hints()).expect("the database is mended");
    let stored = rests(&hints);
    let config = now_or_never(world.store.active_config()).expect("the database is mended");
    let config = config.expect("a configuration was put in force").id;
    let mut wrong = Vec::new();
    for (name, live) in &*world.lives.lock().expect("no panic") {
        let known = live.known().map(|known| known.config);
        if known != Some(config) {
            wrong.push(format!("agreement: {name} is on configuration {known:?}, the newest is {config}"));
        }
        let hints = live.hints();
        let known = rests(&hints);
        for rest in &stored {
            let same = known.iter().any(|known| alike(known, rest));
            if !same {
                let known = known.iter().find(|known| known.key == rest.key);
                wrong.push(format!("agreement: {name} knows {known:?}, the database {rest:?}"));
            }
        }
    }
    wrong
}

/// Gives what is known of rests.
fn rests(hints: &[Hint]) -> Vec<&Cooldown> {
    let rests = hints.iter().filter_map(|hint| match hint {
        Hint::Cooldown(rest) => Some(rest),
        _ => None,
    });
    rests.collect()
}

/// Tells whether two say the same of a rest. Its end travels as what is left of it, and each clock dates it anew.
fn alike(one: &Cooldown, other: &Cooldown) -> bool {
    (&one.key, one.epoch, one.round, one.cleared) == (&other.key, other.epoch, other.round, other.cleared)
}

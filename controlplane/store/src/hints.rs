//! How cooldowns merge and are numbered, the same for every store.

use crate::HintChange;
use cliproxy_domain::{Cooldown, CooldownKey, HintVersion};
use std::collections::BTreeMap;

/// How many of the newest changes a store keeps. Whoever is further behind gets all current hints instead.
pub const RETAINED_CHANGES: u64 = 10_000;

/// Merges `incoming`, in order, into `current`, and numbers what changed from `newest` on.
///
/// `current` must hold the stored value of every key of `incoming` that has one. A value that changes nothing
/// takes no number.
pub fn merge_and_number(
    current: &mut BTreeMap<CooldownKey, Cooldown>,
    newest: HintVersion,
    incoming: Vec<Cooldown>,
) -> Vec<HintChange> {
    let mut version = newest;
    let mut changes = Vec::new();
    for cooldown in incoming {
        let merged = match current.get(&cooldown.key) {
            Some(old) => {
                let merged = old.clone().merge(cooldown);
                if merged == *old {
                    continue;
                }
                merged
            }
            None => cooldown,
        };
        version = version.next();
        current.insert(merged.key.clone(), merged.clone());
        changes.push(HintChange { version, cooldown: merged });
    }
    changes
}

/// Gives the highest version whose change may be forgotten when `newest` is the newest.
pub fn forgotten_up_to(newest: HintVersion) -> HintVersion {
    HintVersion(newest.0.saturating_sub(RETAINED_CHANGES))
}

//! How hints merge, are numbered and are written, the same for every store.

pub mod stored;

use crate::HintChange;
use cliproxy_domain::{Hint, HintKey, HintVersion, WallTime};
use std::collections::BTreeMap;

/// How many of the newest changes a store keeps. Whoever is further behind gets all current hints instead.
pub const RETAINED_CHANGES: u64 = 10_000;

/// Merges `incoming`, in order, into `current`, and numbers what changed from `newest` on.
///
/// `current` must hold the stored value of every key of `incoming` that has one. A value that changes nothing takes
/// no number, nor does one of a kind that is not stored. Durations are cut to the millisecond.
pub fn merge_and_number(
    current: &mut BTreeMap<HintKey, Hint>,
    newest: HintVersion,
    incoming: Vec<Hint>,
) -> Vec<HintChange> {
    let mut version = newest;
    let mut changes = Vec::new();
    for hint in incoming.into_iter().filter(Hint::is_stored).map(stored::to_stored_precision) {
        let key = hint.key();
        let merged = match current.get(&key) {
            Some(old) => {
                let merged = old.clone().merge(hint);
                if merged == *old {
                    continue;
                }
                merged
            }
            None => hint,
        };
        version = version.next();
        current.insert(key, merged.clone());
        changes.push(HintChange { version, hint: merged });
    }
    changes
}

/// Gives the highest version whose change may be forgotten when `newest` is the newest.
pub fn forgotten_up_to(newest: HintVersion) -> HintVersion {
    HintVersion(newest.0.saturating_sub(RETAINED_CHANGES))
}

/// Gives the time after which nothing hangs on a hint any more: the end of a rest, or a while after that of a client's
/// key. None for what must [outlive](cliproxy_domain::Cooldown::outlives_its_end) its end, as an operator's word does, and
/// for what has none.
pub fn settled_at(hint: &Hint) -> Option<WallTime> {
    match hint {
        Hint::Cooldown(rest) if !rest.outlives_its_end() => Some(rest.until),
        Hint::ClientKey(record) => record.settled_at(),
        _ => None,
    }
}

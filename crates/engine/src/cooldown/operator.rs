//! Words that win over older evidence: an operator's, and that of a probe that succeeded.

use cliproxy_domain::{Cooldown, CooldownCause, CooldownKey, Evidence, NodeId, Permit, WallTime};
use std::time::Duration;

/// Lets `key` rest as an operator says. `epoch` is the one in force for the key.
pub fn force(
    key: CooldownKey,
    epoch: u64,
    now: WallTime,
    duration: Duration,
    by: &str,
    note: &str,
) -> Cooldown {
    Cooldown {
        until: now.plus(duration),
        cleared: false,
        ..word(key, epoch, now, CooldownCause::Manual, by, note)
    }
}

/// Ends whatever rests within `key`, as an operator says. `epoch` is the one in force for the key or for anything
/// within it, whichever is highest.
pub fn recover(key: CooldownKey, epoch: u64, now: WallTime, by: &str, note: &str) -> Cooldown {
    word(key, epoch, now, CooldownCause::Manual, by, note)
}

/// Ends a rest since a probe that was sent in its epoch and round was answered; none when something was said since,
/// and when an operator's rest goes on.
pub fn clear(known: &Cooldown, seen: (u64, u32), node: &NodeId, now: WallTime) -> Option<Cooldown> {
    let operators = known.cause == CooldownCause::Manual && known.until > now;
    if known.cleared || (known.epoch, known.round) != seen || operators {
        return None;
    }
    Some(Cooldown {
        round: known.round.checked_add(1)?,
        // From here on traffic rises.
        until: now,
        cleared: true,
        source: node.clone(),
        ..known.clone()
    })
}

fn word(key: CooldownKey, epoch: u64, now: WallTime, cause: CooldownCause, by: &str, note: &str) -> Cooldown {
    Cooldown {
        key,
        epoch: epoch.saturating_add(1),
        round: 0,
        started_at: now,
        until: now,
        cleared: true,
        cause,
        source: NodeId::from(""),
        permit: Permit::default(),
        streak: 0,
        evidence: Evidence { by: by.to_owned(), note: note.to_owned(), ..Evidence::default() },
    }
}

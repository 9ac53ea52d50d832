//! Where a rest stands: it goes on, it is being tried, traffic returns, or it is over.

use cliproxy_domain::{Cooldown, CooldownCause, NodeId, Permit, WallTime};
use std::time::Duration;

/// How long traffic takes to return in full after a rest.
pub const RISE: Duration = Duration::from_secs(10);
/// The part of its share that returns at once.
const FIRST_PART: f64 = 0.1;

/// Where a rest stands.
#[derive(Clone, Debug, PartialEq)]
pub enum Stage {
    /// It goes on.
    Resting,
    /// It is past its end: one request finds out whether it goes on.
    HalfOpen(Permit),
    /// It was over a moment ago: this part of the usual share returns, above 0 and below 1.
    Rising(f64),
    /// It is over.
    Over,
}

/// Tells where `cooldown` stands at `now`.
pub fn stage(cooldown: &Cooldown, now: WallTime) -> Stage {
    let ended = now >= cooldown.until;
    // An operator's rest ends when he said: there is nothing to find out.
    if cooldown.cleared || (ended && cooldown.cause == CooldownCause::Manual) {
        return rising(now.since(cooldown.until));
    }
    if ended { Stage::HalfOpen(cooldown.permit.clone()) } else { Stage::Resting }
}

/// Grants the one request after a rest to `node`, which thereby has the only permit. None when there is none to grant:
/// the rest goes on, or is known to be over.
pub fn granted(known: &Cooldown, node: &NodeId, now: WallTime) -> Option<Cooldown> {
    let Stage::HalfOpen(permit) = stage(known, now) else { return None };
    let number = permit.number.checked_add(1)?;
    Some(Cooldown { permit: Permit { number, node: Some(node.clone()) }, ..known.clone() })
}

/// Gives the stage of what came back `ago`.
pub fn rising(ago: Duration) -> Stage {
    if ago >= RISE {
        return Stage::Over;
    }
    Stage::Rising((ago.as_secs_f64() / RISE.as_secs_f64()).max(FIRST_PART))
}

//! `server.failover.load_balancing`: how the requests of a session spread over keys.

use super::Mode;
use crate::field::Field;
use cliproxy_domain::{Policy, SessionAffinity};

/// Settles what makes a session, from what the two keys say that speak of it. The narrower one,
/// `server.operations.load_balancing.session_affinity`, has the word where they agree in kind; where they contradict
/// each other nobody could tell which was meant.
pub fn settle(root: &Field<'_>, mode: Option<&Mode>, policy: &mut Policy) {
    let affinity = root.find("server.operations.load_balancing.session_affinity");
    let given = affinity.as_ref().map(|_| policy.session_affinity);
    let field = root.find("server.failover.load_balancing");
    let words = [("consistent_hash", true), ("round_robin", false)];
    let chosen = field.as_ref().and_then(|field| field.choice("way to spread sessions", &words));
    let Some(mode) = mode else { return };
    let sticks = chosen.unwrap_or(matches!(mode, Mode::ActiveActive { .. }));
    match (chosen, given) {
        (Some(sticks), Some(given)) if sticks == (given == SessionAffinity::Off) => {
            let remedy = if sticks { "`declared` or `opening`" } else { "`off`" };
            if let Some(field) = affinity {
                field.refuse(format!(
                    "contradicts `server.failover.load_balancing`; write {remedy}, or remove one of the two"
                ));
            }
        }
        (_, Some(_)) => {}
        (None, None) if !sticks => {}
        (_, None) => {
            policy.session_affinity = if sticks { SessionAffinity::Opening } else { SessionAffinity::Off };
        }
    }
}

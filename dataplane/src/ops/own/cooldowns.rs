//! `GET /v0/operations/cooldown/status`

use crate::ops::Ops;
use cliproxy_domain::status::{CooldownStatus, Source};
use cliproxy_engine::status::cooldowns;

/// Tells what rests as far as this node knows. What later words replaced it does not remember.
pub(super) fn status(ops: &Ops) -> CooldownStatus {
    let now = ops.clock.wall();
    let outlook = ops.live.known().map(|known| known.outlook()).unwrap_or_default();
    cooldowns(&outlook, [], Source::Node, now)
}

//! Hands on the permits of nodes that are gone, and of those that used theirs and said nothing.

use super::Lead;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often is looked after them.
const EVERY: Duration = Duration::from_millis(250);

/// Runs until `end`.
pub(super) async fn run(lead: &Lead, end: &CancellationToken) {
    let mut connections = lead.state.nodes.watch_connections();
    let mut tick = tokio::time::interval(EVERY);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            () = end.cancelled() => return,
            _ = tick.tick() => {}
            Ok(()) = connections.changed() => {}
        }
        lead.decide.hand_on_permits().await;
    }
}

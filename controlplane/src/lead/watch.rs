//! Judges what is heard of providers, recovers those that do not answer, and assigns who probes them.

use super::{Lead, assignments::Assignments};
use cliproxy_domain::NodeId;
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// How often time passes where nothing is heard.
const EVERY: Duration = Duration::from_secs(1);

/// Runs until `end`.
pub(super) async fn run(lead: &Lead, end: &CancellationToken) {
    let (mut connections, mut configs) =
        (lead.state.nodes.watch_connections(), lead.state.config.subscribe());
    let mut tick = tokio::time::interval(EVERY);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let (mut assignments, mut connected) = (Assignments::default(), Arc::<Vec<NodeId>>::default());
    loop {
        tokio::select! {
            biased;
            () = end.cancelled() => return,
            _ = tick.tick() => {}
            () = lead.state.reports.ready() => {}
            Ok(()) = connections.changed() => {}
            Ok(()) = configs.changed() => {}
        }
        let Some(turn) = lead.decide.turn() else { continue };
        if turn.nodes != connected {
            let gone = connected.iter().filter(|node| !turn.is_connected(node));
            let lost: Vec<NodeId> = gone.cloned().collect();
            lead.decide.forget_nodes(&lost);
            connected = Arc::clone(&turn.nodes);
        }
        for heard in lead.state.reports.take() {
            lead.decide.hear(&turn, heard).await;
        }
        let wanted = lead.decide.pass(&turn).await;
        assignments.update(lead, &turn, &wanted);
    }
}

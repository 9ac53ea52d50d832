//! What the stories of this subject have in common.

use crate::CLIPROXY;
use cliproxy_testkit::{Cluster, LONG_PATIENCE, Layout, Record, books::Difference, poll_until};
use std::time::Duration;

/// Requests a second of a story's load: enough to hold a few at any moment, and little for two processors.
pub const RATE: u32 = 60;
/// Room for what takes moments on a machine of one's own.
pub const BUSY: Duration = Duration::from_secs(10);

/// Says what a cluster of the program under test is made of.
pub fn layout() -> Layout {
    Layout::new(CLIPROXY)
}

/// Holds that every request was answered well.
pub fn none_failed(record: &Record) {
    let failures = record.failures();
    let some: Vec<_> = failures.iter().take(5).collect();
    assert!(failures.is_empty(), "{} of {} failed: {some:#?}", failures.len(), record.all().len());
}

/// Ends the nodes, and holds that the database has exactly what the provider answered.
pub async fn books_are_exact(cluster: Cluster) {
    let difference = cluster.close_books().await;
    assert_eq!(difference, Difference::default(), "{difference}");
}

/// Gives which control plane most nodes are connected to.
pub async fn busiest(cluster: &Cluster) -> usize {
    let mut most = (0, 0);
    for (number, control) in cluster.controls.iter().enumerate() {
        let sessions = control.sessions().await;
        if sessions > most.0 {
            most = (sessions, number);
        }
    }
    most.1
}

/// Waits until all nodes are connected to control planes other than the one left out; gives how long it took.
pub async fn moved_from(cluster: &Cluster, away: usize) -> Duration {
    let began = cliproxy_testkit::now();
    let moved = || async {
        let mut sessions = 0;
        for (_, control) in cluster.controls.iter().enumerate().filter(|(number, _)| *number != away) {
            sessions += control.sessions().await;
        }
        (sessions == cluster.nodes.len()).then_some(())
    };
    poll_until("nodes that are connected to another control plane", LONG_PATIENCE, moved).await;
    cliproxy_testkit::now() - began
}

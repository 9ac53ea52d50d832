//! When the books can be compared.

use super::{Cluster, LOOK, Node};
use crate::{books::Difference, poll::LONG_PATIENCE, poll_every, poll_until};
use serde_json::json;
use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// Tells apart the last requests of each time.
static NEXT: AtomicU64 = AtomicU64::new(0);

impl Cluster {
    /// Waits until the database has all that the running nodes counted so far, nobody else asking: each is asked for a
    /// model of its own, and what a node counted is committed in order. Then gives how the database differs from the
    /// provider's log.
    ///
    /// # Panics
    /// When requests do not end, or the usage does not come within `limit`.
    pub async fn difference(&self, limit: Duration) -> Difference {
        let turn = NEXT.fetch_add(1, Ordering::Relaxed);
        for node in &self.nodes {
            ask_last(node, &last_of(node, turn)).await;
        }
        let all_counted = || async {
            let counted = self.counted();
            let is_there = |node: &Node| counted.keys().any(|(_, model)| *model == last_of(node, turn));
            self.nodes.iter().all(is_there).then_some(())
        };
        poll_every(2 * LOOK, "usage of the last requests in the database", limit, all_counted).await;
        let ended = self.mock.wait_for(LONG_PATIENCE, |totals| totals.in_flight == 0).await;
        assert!(ended.is_ok(), "requests do not end at the provider: {ended:?}");
        Difference::between(&self.counted(), &self.truth())
    }

    /// Does the same, then ends the nodes in order, so that nothing more can come, and compares again.
    ///
    /// # Panics
    /// When the usage does not come in time, or a node does not end well.
    pub async fn close_books(mut self) -> Difference {
        self.difference(LONG_PATIENCE).await;
        for node in &mut self.nodes {
            node.process.terminate();
        }
        for node in &mut self.nodes {
            let status = node.process.wait_exit(LONG_PATIENCE).await;
            assert!(status.success(), "node {} ended with {status}", node.name);
        }
        Difference::between(&self.counted(), &self.truth())
    }
}

fn last_of(node: &Node, turn: u64) -> String {
    format!("last-{turn}-{}", node.name)
}

async fn ask_last(node: &Node, model: &str) {
    let body = json!({"model": format!("up/{model}"), "messages": [{"role": "user", "content": "hi"}]});
    let answered = || async {
        let call = node.client.json("/v1/chat/completions", body.to_string());
        call.send().await.ok().filter(|answer| answer.status == 200).map(drop)
    };
    poll_until(&format!("answer of node {}", node.name), LONG_PATIENCE, answered).await;
}

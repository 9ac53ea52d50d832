//! Two replicas on one database, with nodes on each.

mod certificates;
mod configs;
mod ending;
mod health;
mod keys;
mod leader;
mod outage;
mod rests;

use super::{harness::*, node::TestNode};
use cliproxy_domain::Snapshot;
use cliproxy_store::MemoryStore;
use std::sync::Arc;

/// Two replicas on one database, which go by the same clock. The first leads.
pub(super) struct Pair {
    pub(super) a: Plane,
    pub(super) b: Plane,
    pub(super) store: MemoryStore,
}

impl Pair {
    pub(super) async fn start() -> Self {
        Self::configured_with(snapshot()).await
    }

    pub(super) async fn configured_with(snapshot: Snapshot) -> Self {
        Self::on(shared(), snapshot).await
    }

    async fn on(store: MemoryStore, snapshot: Snapshot) -> Self {
        let clock = Arc::new(TestClock::default());
        let a = Plane::replica("cp-a", store.connect(), &clock).await;
        a.handle.apply(snapshot.clone(), "file", "start").await.unwrap();
        a.metric_reaches("cliproxy_controlplane_leading", 1.0).await;
        let b = Plane::replica("cp-b", store.connect(), &clock).await;
        b.handle.apply(snapshot, "file", "start").await.unwrap();
        for plane in [&a, &b] {
            plane.metric_reaches("cliproxy_controlplane_replicas", 2.0).await;
        }
        Self { a, b, store }
    }

    /// Connects a node to each.
    pub(super) async fn with_nodes(self) -> (Self, TestNode, TestNode) {
        let one = TestNode::connect(&self.a, "node-1").await;
        let two = TestNode::connect(&self.b, "node-2").await;
        for plane in [&self.a, &self.b] {
            eventually(async || plane.state.nodes.connected_now().len() == 2).await;
        }
        (self, one, two)
    }

    pub(super) async fn stop(self) {
        self.b.stop().await;
        self.a.stop().await;
    }
}

fn leads(plane: &Plane) -> bool {
    plane.metric("cliproxy_controlplane_leading") == 1.0
}

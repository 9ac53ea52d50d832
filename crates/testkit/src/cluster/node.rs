//! A node of a cluster.

use super::{
    Layout,
    control::{beyond_loopback, letter},
};
use crate::{Client, Launch, Place, Process, Samples, poll_until};
use http::Method;
use std::time::Duration;

/// A data-plane node.
#[derive(Debug)]
pub struct Node {
    /// The host that it runs on, when there is a network.
    pub place: Option<Place>,
    /// Its name, `a` for the first, which begins the ids of the requests that it is asked.
    pub name: String,
    /// The process.
    pub process: Process,
    /// Asks it.
    pub client: Client,
}

impl Node {
    pub(super) async fn start(layout: &mut Layout, number: usize, endpoints: &[String]) -> Self {
        let (name, place) = (letter(number).to_string(), layout.place());
        let launch = Launch::new(&layout.program, "dataplane")
            .arg("--node-name")
            .arg(&name)
            .set("control_plane.endpoints", endpoints.to_vec());
        let launch = layout.skew(launch, layout.skews.1.get(number));
        let process = beyond_loopback(launch, place).ready().await;
        let client = process.client().await;
        Self { place, name, process, client }
    }

    /// Starts it again after it ended, and waits until it is ready to serve.
    ///
    /// # Panics
    /// When it still runs, or does not become ready.
    pub async fn restart(&mut self) {
        self.process.restart();
        self.process.ready().await;
    }

    /// Gives what it says of its connection to the control planes, as `connected`; empty when it does not answer.
    pub async fn standing(&self) -> String {
        let answer = self.client.request(Method::GET, "/health").send().await;
        let health = answer.map(|answer| answer.json()).unwrap_or_default();
        health["control_plane"].as_str().unwrap_or_default().to_owned()
    }

    /// Waits until it says that it is connected to a control plane.
    ///
    /// # Panics
    /// When it does not in time.
    pub async fn connected(&self, limit: Duration) {
        self.stands("connected", limit).await;
    }

    /// Waits until what it says of its connection begins so.
    ///
    /// # Panics
    /// When it does not in time.
    pub async fn stands(&self, standing: &str, limit: Duration) {
        let stands = || async { self.standing().await.starts_with(standing).then_some(()) };
        poll_until(&format!("node {} that is {standing}", self.name), limit, stands).await;
    }

    /// Reads its metrics.
    ///
    /// # Panics
    /// When it does not answer.
    pub async fn metrics(&self) -> Samples {
        Samples::parse(self.client.get("/metrics").await.text())
    }

    /// Tells how many batches of usage wait for their acknowledgement.
    ///
    /// # Panics
    /// When it does not answer.
    pub async fn unacked(&self) -> u64 {
        self.metrics().await.sum("cliproxy_node_unacked_batches", &[]) as u64
    }
}

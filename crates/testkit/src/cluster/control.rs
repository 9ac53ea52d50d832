//! A control plane of a cluster.

use super::{DATABASE, Layout, layout::TOKEN};
use crate::{Client, Gate, Launch, Place, Postgres, Process, Samples, mock::MockProvider};
use http::Method;
use serde_json::Value;
use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

/// How long an operator waits for an answer of one that may hang.
const PATIENCE: Duration = Duration::from_secs(2);

/// A control plane.
#[derive(Debug)]
pub struct Control {
    /// The host that it runs on, when there is a network.
    pub place: Option<Place>,
    /// Its name, `cp-a` for the first.
    pub name: String,
    /// The process.
    pub process: Process,
    /// The way of the nodes to it.
    pub gate: Gate,
    /// Its way to the database.
    pub database: Gate,
    /// Where nodes reach it.
    pub endpoint: String,
    /// Asks it what operators ask.
    pub operators: Client,
}

impl Control {
    pub(super) async fn start(
        layout: &mut Layout,
        number: usize,
        postgres: &Postgres,
        mock: &MockProvider,
    ) -> Self {
        let (name, place) = (format!("cp-{}", letter(number)), layout.place());
        let (gate, database) = (Gate::reserve(layout.router()).await, Gate::reserve(layout.router()).await);
        database.lead_to(SocketAddr::from((Ipv4Addr::LOCALHOST, postgres.port())));
        let direct = format!("127.0.0.1:{}/", postgres.port());
        let url = postgres.url(DATABASE).replace(&direct, &format!("{}/", database.address()));
        let endpoint = match place {
            Some(place) => format!("http://{}:8319", place.address()),
            None => gate.base_url(),
        };
        let launch = Launch::new(&layout.program, "controlplane")
            .config(layout.config(mock))
            .env("DATABASE_URL", &url)
            .set("control_plane.name", name.as_str())
            .set("control_plane.advertise_url", endpoint.as_str());
        let launch = layout.variables().iter().fold(launch, |launch, (name, value)| launch.env(name, value));
        let launch = layout.skew(launch, layout.skews.0.get(number));
        let process = beyond_loopback(launch, place).ready().await;
        gate.lead_to(process.nodes().await);
        let operators = Client::new(process.operators().await).patience(PATIENCE).bearer(TOKEN);
        Self { place, name, process, gate, database, endpoint, operators }
    }

    /// Starts it again after it ended, and waits until it is ready.
    ///
    /// # Panics
    /// When it still runs, or does not become ready.
    pub async fn restart(&mut self) {
        self.process.restart();
        self.process.ready().await;
    }

    /// Asks it for something below `/v0/operations`; none when it does not answer with 200.
    pub async fn try_get(&self, path: &str) -> Option<Value> {
        let call = self.operators.request(Method::GET, &format!("/v0/operations/{path}"));
        let answer = call.send().await.ok().filter(|answer| answer.status == 200)?;
        Some(answer.json())
    }

    /// Reads its metrics; none when it does not answer.
    pub async fn metrics(&self) -> Option<Samples> {
        let answer = self.operators.request(Method::GET, "/metrics").send().await.ok()?;
        Some(Samples::parse(answer.text()))
    }

    /// Tells how many nodes are connected to it; none when it does not answer.
    pub async fn sessions(&self) -> usize {
        let samples = self.metrics().await.unwrap_or_default();
        samples.sum("cliproxy_controlplane_connected_nodes", &[]) as usize
    }
}

/// Puts a process on its host, when there is one: it then speaks to others beyond its own loopback.
pub(super) fn beyond_loopback(launch: Launch, place: Option<Place>) -> Launch {
    match place {
        Some(place) => {
            launch.on(place).set("control_plane.allow_plaintext", true).set("server.allow_anonymous", true)
        }
        None => launch,
    }
}

/// Gives `a` for 0, and so on.
pub(super) fn letter(number: usize) -> char {
    ('a'..='z').nth(number).unwrap_or('z')
}

//! What a cluster is made of.

use super::MODEL;
use crate::{
    Config, Launch, Network, Place,
    mock::{Behaviour, Key, Latency, MockOptions, MockProvider, Rule, Script},
    network::ROUTER,
};
use serde_json::{Value, json};
use std::net::{Ipv4Addr, SocketAddr};

/// What a cluster is made of: two control planes and two nodes unless it is said otherwise.
#[derive(Debug)]
pub struct Layout {
    /// The program.
    pub program: String,
    /// How many control planes.
    pub controls: usize,
    /// How many nodes.
    pub nodes: usize,
    /// The names of the provider's credentials. The key of each stands in a variable.
    pub credentials: Vec<String>,
    /// The address that the provider is reached at, when not its own.
    pub upstream: Option<String>,
    /// More of the configuration: paths and values.
    pub settings: Vec<(Vec<String>, Value)>,
    /// How wrong the clocks are of the control planes and of the nodes, as `+10m`; of those that are left out, not at all.
    pub skews: (Vec<String>, Vec<String>),
    /// The network to put each process on a host of; on loopback when there is none.
    pub network: Option<Network>,
}

impl Layout {
    /// Two control planes and two nodes of this program, and a provider with two credentials.
    pub fn new(program: &str) -> Self {
        Self {
            program: program.to_owned(),
            controls: 2,
            nodes: 2,
            credentials: vec!["first".into(), "second".into()],
            upstream: None,
            settings: Vec::new(),
            skews: (Vec::new(), Vec::new()),
            network: None,
        }
    }

    /// With so many control planes.
    pub fn controls(mut self, controls: usize) -> Self {
        self.controls = controls;
        self
    }

    /// With so many nodes.
    pub fn nodes(mut self, nodes: usize) -> Self {
        self.nodes = nodes;
        self
    }

    /// With credentials of these names.
    pub fn credentials(mut self, names: &[&str]) -> Self {
        self.credentials = names.iter().map(|name| (*name).to_owned()).collect();
        self
    }

    /// With a key of the configuration.
    pub fn set(mut self, path: &[&str], value: impl Into<Value>) -> Self {
        self.settings.push((path.iter().map(|step| (*step).to_owned()).collect(), value.into()));
        self
    }

    /// With each process on a host of its own in this network.
    pub fn on(mut self, network: Network) -> Self {
        self.network = Some(network);
        self
    }

    /// With clocks that are wrong by so much, as `+10m`: of the control planes, and of the nodes.
    pub fn skewed(mut self, controls: &[&str], nodes: &[&str]) -> Self {
        let owned = |skews: &[&str]| skews.iter().map(|skew| (*skew).to_owned()).collect();
        self.skews = (owned(controls), owned(nodes));
        self
    }

    /// With the provider reached at this address.
    pub fn upstream(mut self, base_url: String) -> Self {
        self.upstream = Some(base_url);
        self
    }

    /// Starts the provider: it answers a few tokens, one every few milliseconds, so that requests are open for a while.
    pub(super) fn provider(&self) -> MockProvider {
        let keys =
            self.credentials.iter().map(|name| Key { name: name.clone(), key: key_of(name) }).collect();
        let latency = Latency { time_to_first_token_ms: 20, per_token_ms: 5, ..Latency::default() };
        let rules = vec![Rule::new(Behaviour::Answer).latency(latency)];
        let script = Script { keys: Some(keys), rules, ..Script::default() };
        let started = MockProvider::start(MockOptions {
            listen: SocketAddr::from((self.router(), 0)),
            name: "up".into(),
            script,
            ..MockOptions::default()
        });
        match started {
            Ok(mock) => mock,
            Err(error) => panic!("the simulated provider could not be started: {error}"),
        }
    }

    /// Gives the address at which all processes reach what listens in the test itself.
    pub(super) fn router(&self) -> Ipv4Addr {
        if self.network.is_some() { ROUTER } else { Ipv4Addr::LOCALHOST }
    }

    /// Puts a process on a host of its own, when there is a network.
    pub(super) fn place(&mut self) -> Option<Place> {
        self.network.as_mut().map(Network::host)
    }

    /// Makes the clock wrong by which a process tells the time of day. The time that it measures passes as it does.
    pub(super) fn skew(&self, launch: Launch, skew: Option<&String>) -> Launch {
        let Some(skew) = skew else { return launch };
        let preload = FAKETIME.iter().find(|path| std::path::Path::new(path).exists());
        let Some(preload) = preload else {
            panic!("libfaketime is missing; install the package of that name")
        };
        launch.env("LD_PRELOAD", preload).env("FAKETIME", skew).env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
    }

    /// Writes the configuration that all control planes share. Keys and the database stand in variables: a database that
    /// replicas share holds the text.
    pub(super) fn config(&self, mock: &MockProvider) -> Config {
        let base_url = self.upstream.clone().unwrap_or_else(|| mock.base_url());
        let credentials: Vec<Value> = self
            .credentials
            .iter()
            .map(|name| json!({"name": name, "api_key": format!("${{{}}}", variable_of(name))}))
            .collect();
        let up = json!({"kind": "openai", "base_url": base_url, "credentials": credentials});
        let config = Config::new()
            .set(&["providers", "up"], up)
            .alias(MODEL, &[("up", MODEL)])
            .set(&["control_plane", "database", "url"], "${DATABASE_URL}")
            .set(
                &["server", "operations", "admin_tokens"],
                json!([{"name": "test", "sha256": TOKEN_SHA256}]),
            );
        self.settings.iter().fold(config, |config, (path, value)| {
            let path: Vec<&str> = path.iter().map(String::as_str).collect();
            config.set(&path, value.clone())
        })
    }

    /// Gives the variables that hold the keys.
    pub(super) fn variables(&self) -> Vec<(String, String)> {
        self.credentials.iter().map(|name| (variable_of(name), key_of(name))).collect()
    }
}

/// What operators send.
pub(super) const TOKEN: &str = "cluster-operator";
/// Its hash, as the configuration has it.
const TOKEN_SHA256: &str = "fa4627ac7edf1d6f853f181007c4ebd53264a2b4d9ab67e38b221dc25cf35c0f";
/// Where the library is, by the architecture.
const FAKETIME: [&str; 3] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/faketime/libfaketimeMT.so.1",
];

fn variable_of(credential: &str) -> String {
    format!("KEY_{}", credential.to_uppercase())
}

fn key_of(credential: &str) -> String {
    format!("sk-{credential}")
}

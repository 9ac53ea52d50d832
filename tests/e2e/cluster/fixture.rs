//! A cluster: a control plane and two nodes, `a` and `b`, each a process of its own.

use crate::{CLIPROXY, apis::Api};
use cliproxy_testkit::{
    Answer, Client, Config, Launch, PATIENCE, Process, Stream,
    mock::{Key, MockProvider, Script},
    poll_until, provider,
};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU64, Ordering};

/// A provider that no request is for: what is said of it last is known once everything before is.
const FENCE: &str = "fence";

/// The processes. Dropping it ends them.
pub struct Cluster {
    pub control: Process,
    pub a: Node,
    pub b: Node,
    /// Asks the control plane.
    pub operators: Client,
}

/// A node. Its name is in the ids of the requests that it is asked, so that upstreams' logs tell who called.
pub struct Node {
    pub name: &'static str,
    pub process: Process,
    pub client: Client,
    asked: AtomicU64,
}

impl Cluster {
    /// Starts it, and waits until both nodes are connected.
    pub async fn start(config: Config) -> Self {
        let config = config.provider(FENCE, "openai", "http://127.0.0.1:9");
        let config = config.set(&["providers", FENCE, "health_check"], json!({"enabled": false}));
        let control = Launch::new(CLIPROXY, "controlplane").config(config).ready().await;
        let nodes = control.nodes().await;
        let (a, b) = tokio::join!(Node::start("a", nodes), Node::start("b", nodes));
        let operators = Client::new(control.operators().await);
        let cluster = Self { control, a, b, operators };
        cluster.connected().await;
        cluster
    }

    /// Gives both nodes.
    pub fn nodes(&self) -> [&Node; 2] {
        [&self.a, &self.b]
    }

    /// Waits until the control plane says that both nodes are connected, on its newest configuration.
    pub async fn connected(&self) {
        let connected = || async {
            let nodes = self.get("nodes").await;
            let config = self.get("load_balancing/status").await["config"].clone();
            let is_there = |name: &str| {
                let node = &nodes["nodes"][name];
                node["connected"] == true && node["config"] == config
            };
            (is_there("a") && is_there("b")).then_some(())
        };
        poll_until("two connected nodes with the newest configuration", PATIENCE, connected).await;
    }

    /// Asks the control plane for something below `/v0/operations`.
    pub async fn get(&self, path: &str) -> Value {
        answered(self.operators.get(&format!("/v0/operations/{path}")).await)
    }

    /// Says something of a provider to the control plane, and waits until both nodes know.
    pub async fn say(&self, provider: &str, verb: &str, body: Value) -> Value {
        say(&self.operators, provider, verb, body).await
    }

    /// Waits until both nodes know what the control plane does now.
    pub async fn settle(&self) {
        self.say(FENCE, "recover", json!({})).await;
    }

    /// Waits until `subject` rests, and both nodes know; gives what is told of it.
    pub async fn rests(&self, subject: &str) -> Value {
        let resting = || async {
            let status = self.get("cooldown/status").await;
            status["resting"].get(subject).filter(|rest| rest["stage"] == "resting").cloned()
        };
        let rest = poll_until(&format!("rest of {subject}"), PATIENCE, resting).await;
        self.settle().await;
        rest
    }

    /// Gives what rests now, and what did.
    pub async fn rested(&self) -> (Vec<String>, Vec<String>) {
        let status = self.get("cooldown/status").await;
        let resting = status["resting"].as_object().expect("rests by subject");
        let history = status["history"].as_array().expect("rests that are over");
        let is_told = |subject: &str| subject != FENCE;
        let now = resting.keys().filter(|subject| is_told(subject)).cloned();
        let over = history.iter().map(|rest| text(&rest["subject"])).filter(|subject| is_told(subject));
        (now.collect(), over.collect())
    }

    /// Waits until what is told of a provider `fits`, and both nodes know; gives it.
    pub async fn status(&self, provider: &str, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let told = || async {
            let status = self.get("providers/status").await["providers"][provider].clone();
            fits(&status).then_some(status)
        };
        let status = poll_until(&format!("{provider} that {what}"), PATIENCE, told).await;
        self.settle().await;
        status
    }

    /// Gives the actions that the audit log has of a provider, the oldest first, each with its entry.
    pub async fn audit(&self, provider: &str) -> Vec<(String, Value)> {
        let log = self.get(&format!("audit?provider={provider}&limit=1000")).await;
        let entries = log["entries"].as_array().expect("entries");
        entries.iter().rev().map(|entry| (text(&entry["action"]), entry.clone())).collect()
    }

    /// Replaces the configuration, and waits until both nodes run it.
    pub async fn configure(&self, config: Config) {
        let before = self.get("load_balancing/status").await["config"].clone();
        let config = config.provider(FENCE, "openai", "http://127.0.0.1:9");
        self.control
            .write_config(config.set(&["providers", FENCE, "health_check"], json!({"enabled": false})));
        let newer = || async {
            let config = self.get("load_balancing/status").await["config"].clone();
            (config != before).then_some(())
        };
        poll_until("new configuration", PATIENCE, newer).await;
        self.connected().await;
    }
}

impl Node {
    async fn start(name: &'static str, control: std::net::SocketAddr) -> Self {
        let endpoints = format!("control_plane.endpoints=[\"http://{control}\"]");
        let launch = Launch::new(CLIPROXY, "dataplane").arg("--node-name").arg(name);
        let process = launch.arg("--set").arg(endpoints).ready().await;
        let client = process.client().await;
        Self { name, process, client, asked: AtomicU64::new(0) }
    }

    /// Asks for an answer in one piece.
    pub async fn ask(&self, api: Api, model: &str) -> Answer {
        self.ask_for(api, model, false).await
    }

    /// Asks for an answer in one piece, or as a stream that is read to its end.
    pub async fn ask_for(&self, api: Api, model: &str, stream: bool) -> Answer {
        let (path, body) = api.request(model, stream);
        let call = self.client.json(&path, body).header("x-request-id", self.next_id());
        call.send().await.unwrap_or_else(|error| panic!("no answer of node {}: {error:#}", self.name))
    }

    /// Asks for a stream, and gives it once its head is there.
    pub async fn open(&self, api: Api, model: &str) -> Stream {
        let (path, body) = api.request(model, true);
        let call = self.client.json(&path, body).header("x-request-id", self.next_id());
        call.open().await.unwrap_or_else(|error| panic!("no head of node {}: {error:#}", self.name))
    }

    /// Makes the id of a request, which begins with the node's name.
    pub fn next_id(&self) -> String {
        format!("{}-{}", self.name, self.asked.fetch_add(1, Ordering::Relaxed))
    }

    /// Asks for something below `/v0/operations`.
    pub async fn get(&self, path: &str) -> Value {
        answered(self.client.get(&format!("/v0/operations/{path}")).await)
    }

    /// Waits until it says that it is `connected`, or stands otherwise with the control plane.
    pub async fn is(&self, standing: &str) {
        let stands = || async {
            let health = self.client.get("/health").await.json();
            text(&health["control_plane"]).starts_with(standing).then_some(())
        };
        poll_until(&format!("node {} that is {standing}", self.name), PATIENCE, stands).await;
    }
}

/// Says something of a provider, and waits until both nodes know.
pub async fn say(operators: &Client, provider: &str, verb: &str, mut body: Value) -> Value {
    body["wait"] = "all".into();
    body["timeout"] = "10s".into();
    let path = format!("/v0/operations/providers/{provider}/{verb}");
    let change = answered(operators.post(&path, body.to_string()).await);
    assert_eq!((&change["applied_nodes"], &change["total_nodes"]), (&2.into(), &2.into()), "{change}");
    change
}

fn answered(answer: Answer) -> Value {
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

/// Gives the status with which clients of an API are told that nothing can be tried.
pub fn overloaded(api: Api) -> u16 {
    // Anthropic has a number of its own for it.
    if api == Api::Messages { 529 } else { 503 }
}

/// Gives a JSON text; empty when it is none.
pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// An upstream with the keys `sk-<name>`, known to rules and log by their names.
pub fn with_keys(names: &[&str]) -> MockProvider {
    let keys = names.iter().map(|name| Key { name: (*name).into(), key: format!("sk-{name}") }).collect();
    provider("up", Script { keys: Some(keys), ..Script::default() })
}

/// Adds a provider with credentials of these names, whose keys are [`with_keys`]'s.
pub fn add(config: Config, name: &str, api: Api, mock: &MockProvider, credentials: &[&str]) -> Config {
    let keys: Vec<String> = credentials.iter().map(|name| format!("sk-{name}")).collect();
    let list: Vec<(&str, &str)> =
        credentials.iter().zip(&keys).map(|(name, key)| (*name, key.as_str())).collect();
    config.provider(name, api.kind(), &mock.base_url()).credentials(name, &list)
}

/// A call that an upstream saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The node that made it.
    pub node: String,
    pub started_us: u64,
    pub finished_us: u64,
    pub status: u16,
}

/// Gives the finished calls with a key, as they began.
pub fn seen(mock: &MockProvider, key: &str) -> Vec<Seen> {
    let log = mock.log();
    let of_key = log.entries.iter().filter(|entry| *entry.key == *key);
    let mut calls: Vec<Seen> = of_key
        .map(|entry| Seen {
            node: entry.request_id.as_deref().unwrap_or_default().chars().take(1).collect(),
            started_us: entry.started_us,
            finished_us: entry.finished_us,
            status: entry.status,
        })
        .collect();
    calls.sort_by_key(|call| call.started_us);
    calls
}

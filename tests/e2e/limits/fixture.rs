//! What the stories of this subject have in common: a provider whose answers cost what was ordered, and calls.

use crate::CLIPROXY;
use cliproxy_testkit::{
    Answer, Client, Cluster, Config, Launch, Layout, Process,
    cluster::MODEL,
    mock::{Behaviour, Latency, MockProvider, Reply, Rule, Usage},
    now,
};
use futures_util::future::join_all;
use serde_json::{Value, json};
use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

/// The tokens of a prompt as the provider counts them: as many as the gateway reckons with. What a killed node had
/// reserved counts as spent, so that what it reserves too much is out of use.
pub const INPUT: u64 = 56;
/// The most tokens of an answer: each has so many.
pub const OUTPUT: u64 = 5;
/// What each answer costs.
pub const COST: u64 = INPUT + OUTPUT;

/// A client's key.
pub const KEY: &str = "cpk_others";
/// Its SHA-256.
pub const HASH: &str = "f6d80aa4119c6484e565d0d08ef7512a9481ce772799cdd84a7dda0c0838bca0";

/// How long until nothing more can be had.
const SPENDING: Duration = Duration::from_secs(90);

/// Says what a cluster of the program under test is made of, with one credential.
pub fn layout() -> Layout {
    Layout::new(CLIPROXY).credentials(&["main"])
}

/// Configures the client of [`KEY`], with more of it.
pub fn client(more: Value) -> Value {
    let mut client = json!({"name": "ci", "keys": [{"sha256": HASH}]});
    let (known, more) = (client.as_object_mut().expect("an object"), more.as_object().expect("an object"));
    known.extend(more.clone());
    json!([client])
}

/// Starts both planes in one process, with more of the configuration: paths and values.
pub async fn alone(mock: &MockProvider, more: &[(&[&str], Value)]) -> (Process, Client) {
    let config = Config::new().provider("up", "openai", &mock.base_url()).alias(MODEL, &[("up", MODEL)]);
    let config = more.iter().fold(config, |config, (path, value)| config.set(path, value.clone()));
    let process = Launch::new(CLIPROXY, "serve").config(config).ready().await;
    let client = process.client().await;
    (process, client)
}

/// Gives the clients of all nodes.
pub fn nodes_of(cluster: &Cluster) -> Vec<Client> {
    cluster.nodes.iter().map(|node| node.client.clone()).collect()
}

/// Gives a rule: every answer costs [`COST`] and takes so long.
pub fn answers(took: Duration) -> Rule {
    let millis = u64::try_from(took.as_millis()).expect("a short time");
    Rule::new(Behaviour::Answer).latency(Latency { headers_ms: millis, ..Latency::default() }).reply(Reply {
        tokens: Some(OUTPUT),
        usage: Some(Usage { input_tokens: INPUT, output_tokens: OUTPUT }),
        ..Reply::default()
    })
}

/// A request that names its maximum.
pub fn request() -> String {
    json!({
        "model": MODEL,
        "max_tokens": OUTPUT,
        "messages": [{"role": "user", "content": "hi"}],
    })
    .to_string()
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Answered,
    /// The gateway refused it: the status and the code.
    Refused(u16, String),
    /// No answer: the node died.
    Lost,
}

impl Outcome {
    pub fn is_refused_with(&self, code: &str) -> bool {
        matches!(self, Self::Refused(429, told) if told == code)
    }
}

impl From<Answer> for Outcome {
    fn from(answer: Answer) -> Self {
        if answer.status == 200 {
            return Self::Answered;
        }
        let told: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        Self::Refused(answer.status, told["error"]["code"].as_str().unwrap_or_default().to_owned())
    }
}

/// Asks once.
pub async fn ask(client: &Client, key: Option<&str>) -> Outcome {
    answer_of(client, key).await.map_or(Outcome::Lost, Outcome::from)
}

/// Asks once, and gives the answer; none where the node died.
pub async fn answer_of(client: &Client, key: Option<&str>) -> Option<Answer> {
    let mut call = client.json("/v1/chat/completions", request());
    if let Some(key) = key {
        call = call.header("authorization", format!("Bearer {key}"));
    }
    call.send().await.ok()
}

/// Asks one node after the other until each has said often enough that the quota is used up.
pub async fn spend(nodes: &[Client], first: usize, answered: &AtomicUsize) {
    let began = now();
    let (mut at, mut used_up) = (first, 0);
    while used_up < nodes.len() && now() - began < SPENDING {
        at += 1;
        match ask(&nodes[at % nodes.len()], None).await {
            Outcome::Answered => {
                answered.fetch_add(1, Ordering::Relaxed);
                used_up = 0;
            }
            told if told.is_refused_with("quota_exhausted") => used_up += 1,
            // Not had in time, or the node has just started or died.
            Outcome::Refused(429 | 503, _) | Outcome::Lost => {
                tokio::time::sleep(Duration::from_millis(50)).await
            }
            other => panic!("{other:?}"),
        }
    }
}

/// Has so many [`spend`] at the same time.
pub async fn spend_all(nodes: &[Client], at_once: usize, answered: &AtomicUsize) {
    join_all((0..at_once).map(|number| spend(nodes, number, answered))).await;
}

/// Counts the calls that the provider would bill: every request that reached it and was not refused there, be its answer
/// read or not.
pub fn calls(mock: &MockProvider) -> u64 {
    let log = mock.log();
    let calls = log.totals.requests - log.totals.errors;
    let probes = log.probes.requests - log.probes.errors;
    calls - probes
}

/// Gives what the provider would bill, in tokens.
pub fn billed(mock: &MockProvider) -> u64 {
    calls(mock) * COST
}

/// Holds that what was billed is within the limit, and most of it.
pub fn all_but_little_was_billed(mock: &MockProvider, limit: u64) {
    let billed = billed(mock);
    assert!(billed <= limit, "the limit was passed: {billed} of {limit}");
    assert!(billed + COST >= limit * 95 / 100, "too much could not be used: {billed} of {limit}");
}

/// Puts the rule in force at the cluster's provider.
pub fn answer_with(cluster: &Cluster, rule: Rule) {
    cluster.mock.set_rules(vec![rule]).expect("a rule");
}

/// Reads an amount in dollars as billionths.
pub fn nanos(dollars: &Value) -> u64 {
    (dollars.as_f64().unwrap_or_default() * 1e9).round() as u64
}

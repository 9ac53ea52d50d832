//! What the stories of this subject have in common: a provider whose answers cost what was ordered, and calls.

use crate::CLIPROXY;
use cliproxy_testkit::{
    Client, Cluster, Layout,
    cluster::MODEL,
    mock::{Behaviour, Latency, MockProvider, Reply, Rule, Usage},
};
use serde_json::{Value, json};
use std::time::Duration;

/// The tokens of a prompt as the provider counts them: as many as the gateway reckons with. What a killed node had
/// reserved counts as spent, so that what it reserves too much is out of use.
pub const INPUT: u64 = 56;
/// The most tokens of an answer: each has so many.
pub const OUTPUT: u64 = 5;
/// What each answer costs.
pub const COST: u64 = INPUT + OUTPUT;

/// Says what a cluster of the program under test is made of, with one credential.
pub fn layout() -> Layout {
    Layout::new(CLIPROXY).credentials(&["main"])
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

/// Asks once.
pub async fn ask(client: &Client, key: Option<&str>) -> Outcome {
    let mut call = client.json("/v1/chat/completions", request());
    if let Some(key) = key {
        call = call.header("authorization", format!("Bearer {key}"));
    }
    let Ok(answer) = call.send().await else { return Outcome::Lost };
    if answer.status == 200 {
        return Outcome::Answered;
    }
    let told: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    Outcome::Refused(answer.status, told["error"]["code"].as_str().unwrap_or_default().to_owned())
}

/// Gives what the provider would bill: every request that reached it and was not refused there, be its answer read or not.
pub fn billed(mock: &MockProvider) -> u64 {
    let log = mock.log();
    let calls = log.totals.requests - log.totals.errors;
    let probes = log.probes.requests - log.probes.errors;
    (calls - probes) * COST
}

/// Puts the rule in force at the cluster's provider.
pub fn answer_with(cluster: &Cluster, rule: Rule) {
    cluster.mock.set_rules(vec![rule]).expect("a rule");
}

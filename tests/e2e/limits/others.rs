//! How others' limits were passed: each here a story in which ours hold.

use super::fixture::{COST, Outcome, answer_with, answers, ask, billed, layout};
use crate::CLIPROXY;
use cliproxy_testkit::{
    Client, Cluster, Config, LONG_PATIENCE, Launch, PATIENCE, Process,
    cluster::MODEL,
    mock::{Behaviour, Latency, MockProvider, Reply, Rule, Usage},
    poll_until, provider,
};
use futures_util::future::join_all;
use serde_json::{Value, json};
use std::time::Duration;

const KEY: &str = "cpk_others";
/// Its SHA-256.
const HASH: &str = "f6d80aa4119c6484e565d0d08ef7512a9481ce772799cdd84a7dda0c0838bca0";

fn client(more: Value) -> Value {
    let mut client = json!({"name": "ci", "keys": [{"sha256": HASH}]});
    let (known, more) = (client.as_object_mut().expect("an object"), more.as_object().expect("an object"));
    known.extend(more.clone());
    json!([client])
}

/// Starts both planes in one process, with more of the configuration: paths and values.
async fn alone(mock: &MockProvider, more: &[(&[&str], Value)]) -> (Process, Client) {
    let config = Config::new().provider("up", "openai", &mock.base_url()).alias(MODEL, &[("up", MODEL)]);
    let config = more.iter().fold(config, |config, (path, value)| config.set(path, value.clone()));
    let process = Launch::new(CLIPROXY, "serve").config(config).ready().await;
    let client = process.client().await;
    (process, client)
}

/// Counters of each replica let as many times the limit through as there are replicas.
#[tokio::test(flavor = "multi_thread")]
async fn four_nodes_let_through_what_the_limit_says_not_four_times_it() {
    let quota = json!({"limit": 20, "unit": "requests", "reset": "monthly"});
    let cluster = Cluster::start(layout().nodes(4).set(&["providers", "up", "quota"], quota)).await;
    answer_with(&cluster, answers(Duration::ZERO));
    let nodes: Vec<Client> = cluster.nodes.iter().map(|node| node.client.clone()).collect();
    let all_used = || async {
        join_all(nodes.iter().flat_map(|node| (0..10).map(move |_| ask(node, None)))).await;
        (billed(&cluster.mock) >= 20 * COST).then_some(())
    };
    poll_until("quota that is used up", LONG_PATIENCE, all_used).await;
    join_all(nodes.iter().flat_map(|node| (0..10).map(move |_| ask(node, None)))).await;
    assert_eq!(billed(&cluster.mock), 20 * COST);
}

/// Where spend is looked at afterwards, all calls that run at the same time pass.
#[tokio::test(flavor = "multi_thread")]
async fn calls_at_the_same_time_pass_no_more_tokens_than_the_limit() {
    let mock = provider("up", answers(Duration::from_millis(300)));
    let quota = json!({"limit": 3 * COST, "unit": "tokens", "reset": "monthly"});
    let (_process, client) = alone(&mock, &[(&["providers", "up", "quota"], quota)]).await;
    let outcomes = join_all((0..50).map(|_| ask(&client, None))).await;
    assert!(billed(&mock) <= 3 * COST, "{} tokens of {}", billed(&mock), 3 * COST);
    assert!(outcomes.contains(&Outcome::Answered), "{outcomes:?}");
}

/// A budget is no rate: it does not come back little by little.
#[tokio::test(flavor = "multi_thread")]
async fn a_budget_that_is_spent_stays_spent_until_its_period_ends() {
    let mock = provider("up", answers(Duration::ZERO));
    let budget = json!({"limit": 4 * COST, "unit": "tokens", "reset": "monthly"});
    let (_process, client) = alone(&mock, &[(&["clients"], client(json!({"budget": budget})))]).await;
    let spent = || async {
        let outcome = ask(&client, Some(KEY)).await;
        (outcome.is_refused_with("quota_exhausted")).then_some(())
    };
    poll_until("budget that is spent", PATIENCE, spent).await;
    let billed_then = billed(&mock);
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_millis(150)).await;
        assert_ne!(ask(&client, Some(KEY)).await, Outcome::Answered);
    }
    assert_eq!(billed(&mock), billed_then);
}

/// What a client takes and does not wait for is paid for all the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_hang_up_costs_what_was_said_until_then() {
    let latency = Latency { per_token_ms: 20, ..Latency::default() };
    let usage = Usage { input_tokens: 100, output_tokens: 1_000 };
    let reply = Reply { tokens: Some(1_000), usage: Some(usage), ..Reply::default() };
    let mock = provider("up", Rule::new(Behaviour::Answer).latency(latency).reply(reply));
    let budget = json!({"limit": 10, "unit": "usd", "reset": "monthly"});
    let price = json!({"input": 0.01, "output": 0.03});
    let more: [(&[&str], Value); 2] = [
        (&["clients"], client(json!({"budget": budget}))),
        (&["providers", "up", "cost_per_1k_tokens"], price),
    ];
    let (process, client) = alone(&mock, &more).await;
    let body = json!({"model": MODEL, "stream": true, "messages": [{"role": "user", "content": "hi"}]});
    let call = client.json("/v1/chat/completions", body.to_string());
    let mut stream = call.header("authorization", format!("Bearer {KEY}")).open().await.expect("a stream");
    if stream.status != 200 {
        panic!("{}", stream.whole().await.expect("an answer").text());
    }
    for _ in 0..10 {
        assert!(stream.event().await.expect("an event").is_some());
    }
    drop(stream);
    let operators = Client::new(process.address().await);
    let counted = || async {
        let usage = operators.get("/v0/operations/usage?by=client&period=minute").await.json();
        let entry = usage["usage"].as_array()?.iter().find(|entry| entry["client"] == "ci")?.clone();
        (entry["cost_usd"].as_f64()? > 0.0).then_some(entry)
    };
    let entry = poll_until("cost of a call that was given up", PATIENCE, counted).await;
    assert!(entry["tokens"]["output"].as_u64().expect("a number") >= 5, "{entry}");
    assert_eq!(entry["attempts"]["cancelled"], 1, "{entry}");
}

/// An outage of the store makes no key invalid and none valid, and neither a spent budget whole.
#[tokio::test(flavor = "multi_thread")]
async fn while_the_store_is_away_known_keys_are_served_from_what_is_held_and_others_are_not() {
    let budget = json!({"limit": 1_000 * COST, "unit": "tokens", "reset": "monthly"});
    let layout = layout().set(&["clients"], client(json!({"budget": budget})));
    let cluster = Cluster::start(layout).await;
    answer_with(&cluster, answers(Duration::ZERO));
    let node = &cluster.nodes[0].client;
    // What it holds is sized by what was asked for lately.
    let holds_some = || async {
        join_all((0..10).map(|_| ask(node, Some(KEY)))).await;
        let held = cluster.nodes[0].metrics().await.sum("cliproxy_quota_held", &[("subject", "client ci")]);
        (held >= (4 * COST) as f64).then_some(())
    };
    poll_until("slice for several requests", PATIENCE, holds_some).await;
    cluster.postgres.stop_fast();
    let before = billed(&cluster.mock);
    assert_eq!(ask(node, Some(KEY)).await, Outcome::Answered, "it holds a slice");
    let wrong = ask(node, Some("cpk_wrong")).await;
    assert!(matches!(wrong, Outcome::Refused(401, _)), "{wrong:?}");
    // Until what it holds is spent; then nothing more passes.
    let refused = || async { ask(node, Some(KEY)).await.is_refused_with("quota_unavailable").then_some(()) };
    poll_until("slice that is spent", LONG_PATIENCE, refused).await;
    let spent = billed(&cluster.mock);
    assert!(spent - before <= 1_000 * COST / 4, "more than a slice was spent: {}", spent - before);
    for _ in 0..5 {
        assert!(ask(node, Some(KEY)).await.is_refused_with("quota_unavailable"));
    }
    assert_eq!(billed(&cluster.mock), spent);
}

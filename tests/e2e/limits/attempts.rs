//! Requests that take more than one call: each call pays for itself.

use super::fixture::{OUTPUT, ask, nodes_of};
use crate::CLIPROXY;
use cliproxy_testkit::{
    Client, Cluster, LONG_PATIENCE, Layout, PATIENCE,
    cluster::MODEL,
    mock::{Behaviour, ErrorKind, Latency, Reply, Rule, Usage},
    poll_until,
};
use futures_util::future::join_all;
use serde_json::{Value, json};

/// Two credentials, so that there is another choice, and no rests on the way.
fn layout(quota: Value) -> Layout {
    Layout::new(CLIPROXY)
        .set(&["providers", "up", "quota"], quota)
        .set(&["providers", "up", "health_check"], json!({"enabled": false}))
        .set(&["server", "operations", "cooldown"], json!({"error_threshold": 1_000}))
        .set(&["server", "retries", "budget_percent"], 100)
}

/// Waits until the books say that so much of the only budget is used, and none of it is set aside any more.
async fn is_used(cluster: &Cluster, amount: u64) {
    let settled = || async {
        let budget = cluster.get("quotas").await["budgets"][0].clone();
        (budget["used"] == json!(amount as f64)).then_some(())
    };
    poll_until(&format!("budget of which {amount} is used"), PATIENCE, settled).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_fails_and_the_one_in_its_place_both_count() {
    const LIMIT: u64 = 60;
    let cluster =
        Cluster::start(layout(json!({"limit": LIMIT, "unit": "requests", "reset": "monthly"}))).await;
    let fails = Rule::new(Behaviour::error(ErrorKind::ServerError)).probability(0.4);
    cluster.mock.set_rules(vec![fails, Rule::new(Behaviour::Answer)]).expect("rules");
    let nodes = nodes_of(&cluster);
    let used_up = |node: &Client| {
        let node = node.clone();
        async move {
            let refused =
                || async { ask(&node, None).await.is_refused_with("quota_exhausted").then_some(()) };
            poll_until("quota that is used up", LONG_PATIENCE, refused).await;
        }
    };
    join_all((0..8).map(|number| used_up(&nodes[number % nodes.len()]))).await;
    let log = cluster.mock.log();
    let (calls, failed) = (log.totals.requests - log.probes.requests, log.totals.errors);
    println!("{calls} calls of {LIMIT}, of which {failed} failed");
    assert!(failed > 5, "some failed: {failed}");
    assert_eq!(calls, LIMIT, "each call took one, whatever became of it");
    is_used(&cluster, LIMIT).await;
}

/// What the gateway reckons with for the prompt of [`stream`]: the provider counts as many.
const PROMPT: u64 = 74;

fn stream() -> String {
    json!({
        "model": MODEL,
        "max_tokens": OUTPUT,
        "messages": [{"role": "user", "content": "hi"}],
        "stream": true,
        "stream_options": {"include_usage": true},
    })
    .to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn both_calls_of_a_hedge_are_paid_for_and_the_one_that_lost_for_its_prompt_alone() {
    const LIMIT: u64 = 40 * (PROMPT + OUTPUT);
    let hedge = json!({"enabled": true, "after": "100ms", "budget_percent": 100});
    let quota = json!({"limit": LIMIT, "unit": "tokens", "reset": "monthly"});
    let cluster = Cluster::start(layout(quota).set(&["server", "retries", "hedge"], hedge)).await;
    let usage = Usage { input_tokens: PROMPT, output_tokens: OUTPUT };
    let reply = Reply { tokens: Some(OUTPUT), usage: Some(usage), ..Reply::default() };
    let late = Latency { time_to_first_token_ms: 2_000, ..Latency::default() };
    let slow = Rule::new(Behaviour::Answer).for_key("first").latency(late).reply(reply.clone());
    cluster.mock.set_rules(vec![slow, Rule::new(Behaviour::Answer).reply(reply)]).expect("rules");
    let nodes = nodes_of(&cluster);
    let used_up = |node: Client| async move {
        let refused = || async {
            let answer = node.post("/v1/chat/completions", stream()).await;
            answer.text().contains("quota_exhausted").then_some(())
        };
        poll_until("quota that is used up", LONG_PATIENCE, refused).await;
    };
    join_all((0..8).map(|number| used_up(nodes[number % nodes.len()].clone()))).await;
    let totals = cluster.mock.wait_for(PATIENCE, |totals| totals.in_flight == 0).await.expect("all ended");
    let (answered, lost) = (totals.completed - cluster.mock.log().probes.completed, totals.cancelled);
    let taken = answered * (PROMPT + OUTPUT) + lost * PROMPT;
    println!("{answered} answers and {lost} calls that lost: {taken} of {LIMIT} tokens");
    assert!(lost > 0, "some were hedged");
    assert!(taken <= LIMIT, "the limit was passed: {taken}");
    assert!(taken + PROMPT + OUTPUT >= LIMIT * 95 / 100, "too much could not be used: {taken}");
    is_used(&cluster, taken).await;
    // What is told of usage is what the budget was charged.
    let counted = || async {
        let usage = cluster.get("usage?by=none&period=day").await;
        (usage["total"]["tokens"]["total"] == json!(taken)).then_some(())
    };
    poll_until("usage that has it as well", PATIENCE, counted).await;
}

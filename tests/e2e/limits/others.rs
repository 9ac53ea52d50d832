//! How others' limits were passed: each here a story in which ours hold.

use super::fixture::{
    COST, KEY, Outcome, alone, answer_with, answers, ask, billed, client, layout, nanos, nodes_of,
};
use cliproxy_testkit::{
    Client, Cluster, LONG_PATIENCE, PATIENCE,
    cluster::MODEL,
    mock::{Behaviour, Latency, Reply, Rule, Usage},
    poll_until, provider,
};
use futures_util::future::join_all;
use serde_json::{Value, json};
use std::time::Duration;

/// Counters of each replica let as many times the limit through as there are replicas.
#[tokio::test(flavor = "multi_thread")]
async fn four_nodes_let_through_what_the_limit_says_not_four_times_it() {
    let quota = json!({"limit": 20, "unit": "requests", "reset": "monthly"});
    let cluster = Cluster::start(layout().nodes(4).set(&["providers", "up", "quota"], quota)).await;
    answer_with(&cluster, answers(Duration::ZERO));
    let nodes = nodes_of(&cluster);
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
    let heard = entry["tokens"]["output"].as_u64().expect("a number");
    assert!((5..500).contains(&heard), "what was heard, not what would have been said: {entry}");
    assert_eq!(entry["attempts"]["cancelled"], 1, "{entry}");
    // And the budget has exactly that: neither what was set aside nor nothing.
    let settled = || async {
        let budget = operators.get("/v0/operations/quotas").await.json()["budgets"][0].clone();
        (nanos(&budget["used"]) == nanos(&entry["cost_usd"])).then_some(())
    };
    poll_until("budget that was charged the cost", PATIENCE, settled).await;
}

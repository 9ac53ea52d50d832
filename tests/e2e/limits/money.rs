//! Budgets in dollars: what calls cost by their price never passes them.

use super::fixture::{
    INPUT, OUTPUT, alone, answer_of, answer_with, answers, calls, layout, nanos, nodes_of, spend_all,
};
use cliproxy_testkit::{Client, Cluster, PATIENCE, cluster::MODEL, poll_until, provider};
use serde_json::{Value, json};
use std::{sync::atomic::AtomicUsize, time::Duration};

const USAGE: &str = "/v0/operations/usage?by=price&period=day";
const QUOTAS: &str = "/v0/operations/quotas";

fn quota(dollars: f64) -> Value {
    json!({"limit": dollars, "unit": "usd", "reset": "monthly"})
}

/// Holds that a node refuses, and says whose quota it is, of how much, and until when.
async fn is_told(node: &Client, quota: &str) {
    let refused = answer_of(node, None).await.expect("an answer");
    let error = refused.json()["error"].clone();
    assert_eq!((refused.status, &error["code"]), (429, &"quota_exhausted".into()), "{error}");
    assert!(error["message"].as_str().is_some_and(|said| said.contains(quota)), "{error}");
    let wait: u64 = refused.header("retry-after").parse().expect("whole seconds until the month ends");
    assert!(wait > 0, "{wait}");
}

/// Holds that usage and budget have that cost, in billionths, by a price of that origin.
async fn is_booked(operators: &Client, cost: u64, origin: &str) {
    let counted = || async {
        let usage = operators.get(USAGE).await.json();
        (nanos(&usage["total"]["cost_usd"]) == cost).then_some(usage)
    };
    let usage = poll_until("usage that costs what the provider bills", PATIENCE, counted).await;
    let prices = usage["usage"].as_array().expect("sums");
    assert!(
        prices.iter().all(|sum| sum["price"].as_str().is_some_and(|price| price.starts_with(origin))),
        "{usage}"
    );
    let settled = || async {
        let budget = operators.get(QUOTAS).await.json()["budgets"][0].clone();
        (nanos(&budget["used"]) == cost).then_some(())
    };
    poll_until("budget that has it as well", PATIENCE, settled).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn four_nodes_spend_a_budget_in_dollars_to_its_last_call_and_no_further() {
    // A hundred-thousandth of a dollar for a token of the prompt, three for one of the answer.
    const EACH: u64 = INPUT * 10_000 + OUTPUT * 30_000;
    const LIMIT: u64 = 100_000_000;
    let layout = layout().nodes(4).set(&["providers", "up", "quota"], quota(0.1));
    let price = json!({"input": 0.01, "output": 0.03});
    let cluster = Cluster::start(layout.set(&["providers", "up", "cost_per_1k_tokens"], price)).await;
    answer_with(&cluster, answers(Duration::from_millis(100)));
    let (nodes, answered) = (nodes_of(&cluster), AtomicUsize::new(0));
    spend_all(&nodes, 40, &answered).await;
    let cost = calls(&cluster.mock) * EACH;
    println!("{cost} of {LIMIT} billionths of a dollar over 4 nodes");
    assert!(cost <= LIMIT, "the limit was passed: {cost}");
    assert!(cost + EACH > LIMIT * 95 / 100, "too much could not be used: {cost}");
    for node in &nodes {
        is_told(node, "the quota of provider up (0.1 US dollars, monthly)").await;
    }
    assert_eq!(calls(&cluster.mock) * EACH, cost, "nothing is sent afterwards");
    is_booked(cluster.operators(), cost, "config-").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn over_sqlite_a_budget_in_dollars_holds_by_the_prices_that_are_built_in() {
    // gpt-5-mini: 0.25 and 2 dollars for a million tokens.
    const EACH: u64 = INPUT * 250 + OUTPUT * 2_000;
    const LIMIT: u64 = 1_000_000;
    let mock = provider("up", answers(Duration::from_millis(50)));
    let targets = json!([{"provider": "up", "model": "gpt-5-mini"}]);
    let more: [(&[&str], Value); 3] = [
        (&["models", MODEL, "targets"], targets),
        (&["providers", "up", "models"], json!(["gpt-5-mini"])),
        (&["providers", "up", "quota"], quota(0.001)),
    ];
    let (_process, client) = alone(&mock, &more).await;
    let answered = AtomicUsize::new(0);
    spend_all(std::slice::from_ref(&client), 20, &answered).await;
    let cost = calls(&mock) * EACH;
    println!("{cost} of {LIMIT} billionths of a dollar in one process");
    assert!(cost <= LIMIT, "the limit was passed: {cost}");
    assert!(cost >= LIMIT * 95 / 100, "too much could not be used: {cost}");
    is_told(&client, "the quota of provider up (0.001 US dollars, monthly)").await;
    is_booked(&client, cost, "shipped-").await;
}

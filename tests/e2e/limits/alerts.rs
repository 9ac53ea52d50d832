//! Whoever is told that a budget runs out, is told of what is spent, and not of what is set aside.

use super::fixture::{OUTPUT, alone, nanos};
use cliproxy_testkit::{
    Client, PATIENCE,
    cluster::MODEL,
    mock::{Behaviour, Latency, Reply, Rule, Usage},
    poll_until, provider,
};
use serde_json::{Value, json};

/// A cent for a token of an answer: what is set aside for a thousand is ten dollars.
const CENT: u64 = 10_000_000;

fn saying(tokens: u64, latency: Latency) -> Rule {
    let usage = Usage { input_tokens: 10, output_tokens: tokens };
    let reply = Reply { usage: Some(usage), ..Reply::default() };
    Rule::new(Behaviour::Answer).latency(latency).reply(reply)
}

async fn ask(client: &Client) {
    let body = json!({
        "model": MODEL,
        "max_tokens": 1_000,
        "messages": [{"role": "user", "content": "hi"}],
    });
    let answer = client.post("/v1/chat/completions", body.to_string()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}

async fn operations(client: &Client, path: &str) -> Value {
    client.get(&format!("/v0/operations/{path}")).await.json()
}

/// Waits until `what` of the budget is so many cents; gives the budget.
async fn reaches(client: &Client, what: &str, cents: u64) {
    let there = || async {
        let budget = operations(client, "quotas").await["budgets"][0].clone();
        (nanos(&budget[what]) >= cents * CENT).then_some(())
    };
    poll_until(&format!("{cents} cents {what}"), PATIENCE, there).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn forty_cents_of_fifteen_dollars_alarm_nobody_although_ten_more_are_set_aside() {
    let slow = Latency { headers_ms: 3_000, ..Latency::default() };
    let mock = provider("up", saying(OUTPUT, slow));
    let quota = json!({"limit": 15, "unit": "usd", "reset": "monthly"});
    let more: [(&[&str], Value); 2] = [
        (&["providers", "up", "quota"], quota),
        (&["providers", "up", "cost_per_1k_tokens"], json!({"input": 0, "output": 10})),
    ];
    let (process, client) = alone(&mock, &more).await;
    let quiet = async || {
        assert_eq!(operations(&client, "alerts").await["alerts"], json!([]));
    };
    let while_it_is_open = async {
        reaches(&client, "leased", 1_000).await;
        quiet().await;
    };
    tokio::join!(ask(&client), while_it_is_open);
    mock.set(saying(OUTPUT, Latency::default())).expect("a rule");
    for _ in 0..7 {
        ask(&client).await;
    }
    reaches(&client, "used", 40).await;
    quiet().await;
    // That it would be told is seen by what is.
    mock.set(saying(720, Latency::default())).expect("a rule");
    ask(&client).await;
    let alert = || async { operations(&client, "alerts").await["alerts"].get(0).cloned() };
    let alert = poll_until("alert at a half", PATIENCE, alert).await;
    assert_eq!((&alert["name"], &alert["budget"]["level"]), (&"quota_threshold".into(), &50.into()));
    assert_eq!(nanos(&alert["budget"]["used"]), 760 * CENT, "{alert}");
    let lines = process.log_lines();
    let told = lines.iter().filter(|line| line["msg"] == "a good part of a budget is spent");
    assert_eq!(told.count(), 1, "{lines:?}");
    let audit = operations(&client, "audit?limit=100").await;
    let entries = audit["entries"].as_array().expect("entries").iter();
    assert_eq!(entries.filter(|entry| entry["action"] == "quota_threshold").count(), 1, "{audit}");
}

//! What is said of a decision is what was decided.

use super::fixture::{Cluster, add, text, with_keys};
use crate::apis::Api;
use cliproxy_testkit::{
    Config, PATIENCE,
    mock::{Behaviour, ErrorKind, Hint, Rule},
    poll_until,
};
use serde_json::{Value, json};

/// Gives who is said to be tried, the first first.
fn places(explained: &Value) -> Vec<String> {
    let candidates = explained["decision"]["candidates"].as_array().expect("candidates");
    let mut placed: Vec<(u64, String)> = candidates
        .iter()
        .filter_map(|candidate| Some((candidate["place"].as_u64()?, text(&candidate["provider"]))))
        .collect();
    placed.sort();
    placed.into_iter().map(|(_, provider)| provider).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_explanation_agrees_with_what_then_happens_at_both_nodes() {
    let names = ["one", "two", "three"];
    let mock = with_keys(&names);
    let config =
        names.iter().fold(Config::new(), |config, name| add(config, name, Api::Chat, &mock, &[name]));
    let target =
        |(name, priority): (&str, u32)| json!({"provider": name, "model": "m", "priority": priority});
    let targets: Value = names.into_iter().zip([2, 1, 3]).map(target).collect();
    let cluster = Cluster::start(config.set(&["models", "smart", "targets"], targets)).await;

    let mut left = vec!["two", "one", "three"];
    while let Some(first) = left.first() {
        for node in cluster.nodes() {
            let explained = node.get("explain?model=smart").await;
            assert_eq!(places(&explained), left, "{explained}");
            let answer = node.ask(Api::Chat, "smart").await;
            assert_eq!(answer.header("x-cliproxy-provider"), *first, "{}", answer.text());
        }
        cluster.say(first, "cooldown", json!({"duration": "10m"})).await;
        left.remove(0);
    }
    let explained = cluster.get("explain?model=smart").await;
    assert!(places(&explained).is_empty(), "{explained}");
    assert!(explained["decision"]["soonest"].is_string(), "{explained}");
    for node in cluster.nodes() {
        assert_eq!(node.ask(Api::Chat, "smart").await.status, 503);
    }
    assert_eq!(mock.totals().requests, 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_request_is_told_attempt_by_attempt_at_the_other_node() {
    let mock = with_keys(&["broken", "limited"]);
    let hint = Hint { retry_after_s: Some(30), ..Hint::default() };
    mock.set_rules(vec![
        Rule::new(Behaviour::error(ErrorKind::ServerError)).for_key("broken"),
        Rule::new(Behaviour::rate_limit(hint)).for_key("limited"),
    ])
    .unwrap();
    let config = add(Config::new(), "broken", Api::Chat, &mock, &["broken"]);
    let config = add(config, "limited", Api::Chat, &mock, &["limited"]);
    let targets = json!([
        {"provider": "broken", "model": "m", "priority": 1}, {"provider": "limited", "model": "m", "priority": 2}
    ]);
    let config =
        config.set(&["models", "smart", "targets"], targets).set(&["server", "retries", "max_attempts"], 2);
    let cluster = Cluster::start(config).await;
    let (path, body) = Api::Chat.request("smart", false);
    let asked = cluster.a.client.json(&path, body).header("x-request-id", "the-one-that-failed");
    let answer = asked.send().await.unwrap();
    assert_eq!(answer.status, 429, "{}", answer.text());

    let told = || async {
        let answer = cluster.b.client.get("/v0/operations/requests/the-one-that-failed").await;
        (answer.status == 200).then(|| answer.json())
    };
    let told = poll_until("what is kept of the request", PATIENCE, told).await;
    assert_eq!(told["source"], "cluster", "{told}");
    let request = &told["request"];
    assert_eq!((&request["node"], &request["status"]), (&"a".into(), &429.into()), "{told}");
    assert_eq!(
        (&request["api"], &request["outcome"]),
        (&"openai_chat".into(), &"rate_limit".into()),
        "{told}"
    );
    let attempts: Vec<(String, String, u64)> = request["attempts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|attempt| {
            let who = format!("{}/{}", text(&attempt["provider"]), text(&attempt["credential"]));
            (who, text(&attempt["outcome"]), attempt["http_status"].as_u64().unwrap_or_default())
        })
        .collect();
    let expected = [("broken/broken", "upstream_error", 500), ("limited/limited", "rate_limit", 429)];
    assert_eq!(
        attempts,
        expected.map(|(who, outcome, status)| (who.into(), outcome.into(), status)),
        "{told}"
    );
    assert_eq!(request["attempts"][1]["hint_ms"], 30_000, "{told}");
    let decision = &request["decision"];
    assert_eq!(
        (&decision["model"], &decision["candidates"][0]["provider"]),
        (&"smart".into(), &"broken".into())
    );
    assert!(!told.to_string().contains("sk-"), "no key is told");

    let unknown = cluster.b.client.get("/v0/operations/requests/nobodys").await;
    assert_eq!(unknown.status, 404, "{}", unknown.text());
}

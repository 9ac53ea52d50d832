//! The log as ground truth.

use crate::client::{PATIENCE, chat, generating, mock, open, post, read_until, request};
use cliproxy_mock_provider::{Behaviour, Fixture, Latency, Outcome, Reply, Rule, Script, Usage};
use serde_json::Value;

#[tokio::test]
async fn an_entry_tells_what_was_received_and_how_it_ended() {
    let mock = mock(Script::default());
    let [_, _, (_, path, body), _] = generating(true);
    let received = post(&mock, &path, &body).await;
    let log = mock.log();
    let entry = &log.entries[0];
    assert_eq!(entry.request_id.as_deref(), Some("from-client"));
    assert_eq!((&*entry.key, &*entry.model, entry.stream), ("…-key", "claude-x", true));
    assert_eq!((entry.status, entry.outcome), (200, Outcome::Ok));
    assert_eq!((entry.body_bytes, entry.events as usize), (body.len() as u64, received.events().len()));
    assert!(entry.headers.iter().any(|name| name == "anthropic-version"));
    assert!(entry.finished_us >= entry.started_us);
    let usage = Usage { input_tokens: body.len().div_ceil(4) as u64, output_tokens: 7 };
    assert_eq!(entry.usage, Some(usage));
    assert_eq!(log.of_model("claude-x").output_tokens, 7);
    assert_eq!((log.totals.completed, log.totals.requests), (1, 1));
}

#[tokio::test]
async fn usage_of_an_answer_that_the_client_left_does_not_count() {
    let latency = Latency { per_token_ms: 10_000, ..Latency::default() };
    let mock = mock(Rule::new(Behaviour::Answer).latency(latency));
    let [_, _, (_, path, body), _] = generating(true);
    let mut connection = open(&mock, "POST", &path, &body).await;
    read_until(&mut connection, "text_delta").await;
    drop(connection);
    let totals = mock.wait_for(PATIENCE, |totals| totals.cancelled == 1).await.unwrap();
    assert_eq!((totals.input_tokens, totals.output_tokens, totals.in_flight), (0, 0, 0));
}

#[tokio::test]
async fn an_answer_that_cannot_be_written_out_does_not_count() {
    // Larger than all socket buffers, in pieces and as one; the client reads only the beginning.
    const SIZE: usize = 64 << 20;
    let pieces = Reply { total_bytes: Some(SIZE as u64), ..Reply::default() };
    let usage = Some(Usage { input_tokens: 1, output_tokens: 1 });
    let one = Fixture { usage, ..Fixture::new(200, "text/plain", "filling ".repeat(SIZE / 8)) };
    for rule in [Rule::new(Behaviour::Answer).reply(pieces), Rule::new(Behaviour::Fixture(one))] {
        let mock = mock(rule);
        let [(_, path, body), ..] = generating(false);
        let mut connection = open(&mock, "POST", &path, &body).await;
        read_until(&mut connection, "filling").await;
        drop(connection);
        let totals = mock.wait_for(PATIENCE, |totals| totals.in_flight == 0).await.unwrap();
        assert_eq!((totals.cancelled, totals.completed, totals.output_tokens), (1, 0, 0));
    }
}

#[tokio::test]
async fn many_clients_at_once_are_counted_exactly() {
    let mock = mock(Script::default());
    let mock = std::sync::Arc::new(mock);
    let mut clients = tokio::task::JoinSet::new();
    for number in 0..200 {
        let mock = std::sync::Arc::clone(&mock);
        clients.spawn(async move {
            let [(_, path, body), ..] = generating(number % 2 == 0);
            assert_eq!(post(&mock, &path, &body).await.status, 200);
        });
    }
    clients.join_all().await;
    let totals = mock.wait_for(PATIENCE, |totals| totals.in_flight == 0).await.unwrap();
    assert_eq!((totals.requests, totals.completed, totals.output_tokens), (200, 200, 200 * 7));
}

#[tokio::test]
async fn bodies_are_kept_as_they_came_and_only_the_newest() {
    let mock = mock(Script { keep_bodies: 2, ..Script::default() });
    let bodies: Vec<String> = (0..3)
        .map(|number| format!("{{ \"model\":\"m\",\n\"messages\":[], \"n\":{number}.0e0, \"\\u0061\":1 }}"))
        .collect();
    for body in &bodies {
        assert_eq!(post(&mock, "/v1/chat/completions", body).await.status, 200);
    }
    let kept: Vec<_> = mock.log().entries.into_iter().map(|entry| entry.body).collect();
    assert_eq!(kept[0], None);
    assert_eq!(kept[1].as_deref(), Some(bodies[1].as_bytes()));
    assert_eq!(kept[2].as_deref(), Some(bodies[2].as_bytes()));
}

#[tokio::test]
async fn clearing_forgets_even_what_is_in_flight() {
    let latency = Latency { per_token_ms: 10_000, ..Latency::default() };
    let mock = mock(Rule::new(Behaviour::Answer).latency(latency).for_model("claude-*"));
    let [_, _, (_, path, body), _] = generating(true);
    let connection = open(&mock, "POST", &path, &body).await;
    mock.wait_for(PATIENCE, |totals| totals.in_flight == 1).await.unwrap();
    assert_eq!(request(&mock, "DELETE", "/__mock/log", "").await.status, 204);
    drop(connection);
    assert_eq!(chat(&mock, false).await.status, 200);
    let totals = mock.wait_for(PATIENCE, |totals| totals.completed == 1).await.unwrap();
    assert_eq!((totals.requests, totals.cancelled, totals.in_flight), (1, 0, 0));
}

#[tokio::test]
async fn the_log_tells_when_a_key_was_last_used_on_its_own_clock() {
    let latency = Latency { headers_ms: 60_000, ..Latency::default() };
    let mock = mock(Rule::new(Behaviour::Answer).latency(latency).streamed(true));
    let now =
        || async { request(&mock, "GET", "/__mock/health", "").await.json()["now_us"].as_u64().unwrap() };
    assert_eq!(mock.log().last_started_us("…-key"), None);
    chat(&mock, false).await;
    let (between, first) = (now().await, mock.log().last_started_us("…-key").unwrap());
    assert!(first <= between, "{first} {between}");
    // One that is not answered yet counts as well.
    let [(_, path, body), ..] = generating(true);
    let _open = open(&mock, "POST", &path, &body).await;
    mock.wait_for(PATIENCE, |totals| totals.in_flight == 1).await.unwrap();
    let second = mock.log().last_started_us("…-key").unwrap();
    assert!((between..=now().await).contains(&second), "{second}");
}

#[tokio::test]
async fn the_log_over_http_is_the_log() {
    let mock = mock(Script { keep_bodies: 1, ..Script::default() });
    chat(&mock, true).await;
    let log: Value = request(&mock, "GET", "/__mock/log?bodies=1", "").await.json();
    assert_eq!(log["totals"], serde_json::to_value(mock.totals()).unwrap());
    assert_eq!(log["by"][0]["model"], "gpt-x");
    assert!(log["entries"][0]["body_base64"].is_string());
    assert_eq!(log["entries"][0]["body_xxh3"].as_str().unwrap().len(), 32);
    let without: Value = request(&mock, "GET", "/__mock/log", "").await.json();
    assert!(without["entries"][0].get("body_base64").is_none());
    let none: Value = request(&mock, "GET", "/__mock/log?entries=0", "").await.json();
    assert_eq!(none["entries"], Value::Array(Vec::new()));
}

//! What a client did itself, or did not wait for, speaks against no provider.

use super::fixture::{Cluster, add, with_keys};
use crate::apis::Api;
use cliproxy_testkit::{
    Config, PATIENCE,
    mock::{Behaviour, ErrorKind, Latency, MockProvider, Point, Reply, Rule},
};
use serde_json::json;

/// A cluster in which two errors within a minute would be too many.
async fn strict() -> (Cluster, MockProvider) {
    let mock = with_keys(&["main"]);
    let config = Config::new()
        .set(&["server", "operations", "cooldown"], json!({"detection_window": "1m", "error_threshold": 2}));
    let config = Api::ALL
        .iter()
        .fold(config, |config, api| add(config, &format!("{api:?}").to_lowercase(), *api, &mock, &["main"]));
    (Cluster::start(config).await, mock)
}

fn model(api: Api) -> String {
    format!("{}/m", format!("{api:?}").to_lowercase())
}

/// Holds that no provider is told to have failed or to rest, and that all of them still serve.
async fn nothing_was_counted(cluster: &Cluster, mock: &MockProvider, calls: u64) {
    mock.set(Behaviour::Answer).unwrap();
    for api in Api::ALL {
        for node in cluster.nodes() {
            let answer = node.ask(api, &model(api)).await;
            assert_eq!(answer.status, 200, "{api:?} at {}: {}", node.name, answer.text());
        }
        let name = format!("{api:?}").to_lowercase();
        let status = cluster
            .status(&name, "answered", |told| {
                told["status"] == "healthy" && told["requests_last_minute"].as_u64() >= Some(calls + 2)
            })
            .await;
        assert_eq!(status["errors_last_minute"], 0, "{api:?}: {status}");
    }
    assert_eq!(cluster.rested().await, (vec![], vec![]));
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_of_the_clients_own_making_are_never_counted() {
    let (cluster, mock) = strict().await;
    for kind in [ErrorKind::BadRequest, ErrorKind::ContextLength, ErrorKind::NotFound, ErrorKind::TooLarge] {
        mock.set(Behaviour::error(kind)).unwrap();
        for api in Api::ALL {
            for node in cluster.nodes() {
                let answer = node.ask(api, &model(api)).await;
                assert!((400..=413).contains(&answer.status), "{kind:?} {api:?}: {}", answer.text());
            }
        }
    }
    nothing_was_counted(&cluster, &mock, 8).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_hang_up_before_or_within_their_answer_are_never_counted() {
    let (cluster, mock) = strict().await;
    let reply = Reply { tokens: Some(50), ..Reply::default() };
    let hangs = Rule::new(Behaviour::Hang { at: Point::AfterEvents(10) }).streamed(true).reply(reply);
    mock.set_rules(vec![hangs]).unwrap();
    for api in Api::ALL {
        for node in [&cluster.a, &cluster.b, &cluster.a, &cluster.b] {
            let mut stream = node.open(api, &model(api)).await;
            stream.event().await.unwrap().expect("a first event");
            drop(stream);
        }
    }
    mock.wait_for(PATIENCE, |totals| totals.cancelled == 16).await.expect("calls that were cancelled");
    nothing_was_counted(&cluster, &mock, 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clients_tiny_timeout_is_never_counted() {
    let (cluster, mock) = strict().await;
    let slow = Latency { headers_ms: 60_000, ..Latency::default() };
    mock.set(Rule::new(Behaviour::Answer).latency(slow)).unwrap();
    let mut calls = 0;
    for api in Api::ALL {
        for node in [&cluster.a, &cluster.b, &cluster.a, &cluster.b] {
            let (path, body) = api.request(&model(api), false);
            let asked = node.client.json(&path, body).header("x-request-id", node.next_id());
            calls += 1;
            // The upstream has the request before the client loses patience.
            tokio::select! {
                answer = asked.send() => panic!("an answer came: {answer:?}"),
                reached = mock.wait_for(PATIENCE, |totals| totals.requests == calls) => drop(reached.unwrap()),
            }
        }
    }
    mock.wait_for(PATIENCE, |totals| totals.cancelled == calls).await.expect("calls that were cancelled");
    nothing_was_counted(&cluster, &mock, 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_is_not_blamed_for_time_that_an_attempt_before_it_took() {
    let mock = with_keys(&["slow", "quick"]);
    let slow = Latency { headers_ms: 1_400, ..Latency::default() };
    let quick = Latency { headers_ms: 700, ..Latency::default() };
    mock.set_rules(vec![
        Rule::new(Behaviour::error(ErrorKind::Unavailable)).for_key("slow").latency(slow),
        Rule::new(Behaviour::Answer).for_key("quick").latency(quick),
    ])
    .unwrap();
    let config = Config::new()
        .set(&["server", "operations", "cooldown"], json!({"detection_window": "1m", "error_threshold": 2}))
        .set(&["server", "retries", "budget_percent"], 100)
        .timeout("total", "1800ms")
        .timeout("connect", "1s");
    let config = add(config, "slow", Api::Chat, &mock, &["slow"]);
    let config = add(config, "quick", Api::Chat, &mock, &["quick"]);
    let config = config.set(
        &["models", "smart", "targets"],
        json!([{"provider": "slow", "model": "m", "priority": 1}, {"provider": "quick", "model": "m", "priority": 2}]),
    );
    let cluster = Cluster::start(config).await;
    let asks = cluster.nodes().map(|node| node.ask(Api::Chat, "smart"));
    for answer in futures_util::future::join_all(asks).await {
        assert_eq!(answer.status, 504, "400 ms were left for 700: {}", answer.text());
    }
    cluster.rests("slow").await;
    let quick = cluster.status("quick", "was called twice", |told| told["requests_last_minute"] == 2).await;
    assert_eq!(quick["in_cooldown"], false, "{quick}");
    assert_eq!(cluster.rested().await.0, ["slow"]);
    // And with its own time it serves.
    let answer = cluster.a.ask(Api::Chat, "smart").await;
    assert_eq!((answer.status, answer.header("x-cliproxy-provider")), (200, "quick"), "{}", answer.text());
}

//! A 429 in the middle of a stream is one failure, and costs nothing but that.

use super::fixture::{Cluster, add, with_keys};
use crate::apis::Api;
use cliproxy_testkit::{
    Config, PATIENCE, Samples,
    mock::{Behaviour, Ending, Fixture, Rule},
    now, poll_until,
};
use serde_json::json;
use std::time::Duration;

const STREAMS: usize = 20;

/// A stream that begins well, is limited, and then stays open.
fn limited() -> Fixture {
    let text = r#"data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":"so far"},"finish_reason":null}]}"#;
    let error = r#"data: {"error":{"message":"slow down","type":"requests","param":null,"code":"rate_limit_exceeded"}}"#;
    let body = format!("{text}\n\n{error}\n\n");
    let size = body.len();
    Fixture { ending: Ending::Hang, ..Fixture::stream(body, size) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_429_within_a_stream_is_told_and_counted_once_and_spins_nothing() {
    let mock = with_keys(&["main"]);
    mock.set(Rule::new(Behaviour::Fixture(limited())).streamed(true)).unwrap();
    let config = Config::new().set(&["server", "operations", "cooldown"], json!({"error_threshold": 1_000}));
    let cluster = Cluster::start(add(config, "up", Api::Chat, &mock, &["main"])).await;
    let mut open = Vec::new();
    for _ in 0..STREAMS {
        let mut stream = cluster.a.open(Api::Chat, "up/m").await;
        let first = stream.event().await.unwrap().expect("the text");
        assert!(first.data.contains("so far"), "{first:?}");
        let error = stream.event().await.unwrap().expect("the error");
        assert!(error.data.contains("rate_limit"), "{error:?}");
        open.push(stream);
    }
    let busy = || cluster.a.process.cpu_time();
    let (before, since) = (busy(), now());
    let second = || async { (now() - since >= Duration::from_secs(1)).then_some(()) };
    poll_until("second that is measured", PATIENCE, second).await;
    let used = busy() - before;
    println!(
        "{STREAMS} streams that were limited used {} ms of processor time in a second",
        used.as_millis()
    );
    assert!(used <= Duration::from_millis(300), "{used:?} in a second in which nothing happens");

    assert_eq!(mock.totals().requests, STREAMS as u64, "it was not tried again");
    drop(open);
    let ended = || async {
        let samples = Samples::parse(cluster.a.client.get("/metrics").await.text());
        (samples.sum("cliproxy_attempts_total", &[("provider", "up")]) >= STREAMS as f64).then_some(samples)
    };
    let samples = poll_until("attempts in the metrics", PATIENCE, ended).await;
    let attempts: Vec<_> = samples.of("cliproxy_attempts_total").collect();
    let limited = [("provider", "up"), ("outcome", "rate_limit")];
    assert_eq!(samples.sum("cliproxy_attempts_total", &limited), STREAMS as f64, "{attempts:?}");
    assert_eq!(samples.sum("cliproxy_attempts_total", &[("provider", "up")]), STREAMS as f64, "{attempts:?}");
    assert_eq!(samples.sum("cliproxy_errors_total", &[("error_type", "rate_limit")]), STREAMS as f64);
    assert_eq!(cluster.a.ask(Api::Chat, "up/m").await.status, 200, "the node serves");
}

//! The end of a process: open streams are finished, up to a point.

use crate::{CLIPROXY, apis::Api, books};
use cliproxy_testkit::{
    Config, Launch, PATIENCE, Process, Raw, Stream,
    mock::{Behaviour, Latency, MockProvider, Reply, Rule},
    now, poll_until, provider,
};
use serde_json::json;
use std::time::Duration;
use tokio::net::TcpStream;

/// Starts a gateway whose provider sends `tokens` tokens, one every `pace_ms`.
async fn gateway(tokens: u64, pace_ms: u64, drain_timeout: &str) -> (Process, MockProvider) {
    let latency = Latency { per_token_ms: pace_ms, ..Latency::default() };
    let reply = Reply { tokens: Some(tokens), ..Reply::default() };
    let mock = provider("slow", Rule::new(Behaviour::Answer).latency(latency).reply(reply));
    let config = Config::new()
        .provider("openai", "openai", &mock.base_url())
        .set(&["server", "drain_timeout"], json!(drain_timeout));
    (Launch::new(CLIPROXY, "serve").config(config).ready().await, mock)
}

/// Opens a stream and reads its first event.
async fn begun(gateway: &Process) -> Stream {
    let (path, body) = Api::Chat.request("openai/model", true);
    let mut stream = gateway.client().await.post_stream(&path, body).await;
    assert_eq!(stream.status, 200);
    stream.event().await.expect("the stream goes on").expect("the stream has an event");
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_the_process_without_a_drain() {
    let (mut gateway, _mock) = gateway(100, 1_000, "120s").await;
    let _stream = begun(&gateway).await;
    gateway.terminate();
    gateway.wait_for_log("the process drains and stops", PATIENCE).await;
    gateway.terminate();
    assert_eq!(gateway.wait_exit(PATIENCE).await.code(), Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_stream_is_finished_while_nothing_new_is_taken() {
    let (mut gateway, mock) = gateway(40, 75, "60s").await;
    let server = gateway.address().await;
    let mut idle = Raw::connect(server).await;
    idle.send("GET /health HTTP/1.1\r\nhost: gateway\r\n\r\n").await.unwrap();
    idle.read_until("\"status\":\"ok\"").await;
    let mut stream = begun(&gateway).await;
    // A load balancer's probe that had begun before.
    let mut probe = Raw::connect(server).await;
    probe.send("GET /ready HTTP/1.1\r\nhost: gateway\r\n").await.unwrap();
    // The server has read it once it answers somebody who came later, on one accept loop.
    assert_eq!(gateway.client().await.get("/ready").await.status, 200);

    gateway.terminate();
    let refused = || async { TcpStream::connect(server).await.err() };
    poll_until("refused connection", PATIENCE, refused).await;
    probe.send("\r\n").await.unwrap();
    let answer = probe.finish(PATIENCE).await;
    assert_eq!(answer.status, 503, "{}", answer.head);
    assert_eq!(answer.header("connection"), "close");
    assert!(answer.text().contains("draining"), "{}", answer.text());
    assert!(idle.finish(PATIENCE).await.error.is_none());

    assert!(gateway.exited().is_none(), "the process ended before its stream");
    let mut last = String::new();
    while let Some(event) = stream.event().await.expect("the stream is not cut") {
        last = event.data;
    }
    assert_eq!(last, "[DONE]");
    assert!(gateway.wait_exit(PATIENCE).await.success());
    let usage = books::usage(&gateway, None).await;
    let truth = mock.totals();
    assert_eq!((truth.completed, truth.output_tokens), (1, 40));
    assert_eq!(
        (usage.attempts.ok, usage.attempts.attempts(), usage.tokens.input, usage.tokens.output),
        (1, 1, truth.input_tokens, truth.output_tokens)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_longer_than_the_drain_is_cut_and_the_process_ends_well() {
    let (mut gateway, mock) = gateway(600, 100, "1s").await;
    let mut stream = begun(&gateway).await;
    let asked = now();
    gateway.terminate();
    let cut = loop {
        match stream.event().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("the stream ended as if it were whole"),
            Err(error) => break error,
        }
    };
    let took = now() - asked;
    assert!((Duration::from_secs(1)..Duration::from_secs(5)).contains(&took), "{took:?}: {cut:#}");
    assert!(gateway.wait_exit(PATIENCE).await.success());
    let logged = gateway.log_lines();
    let of_type = |wanted: &str| logged.iter().filter(|line| line["error_type"] == wanted).count();
    assert_eq!((of_type("drain_cut"), of_type("client_gone")), (1, 0), "{logged:#?}");
    assert!(
        logged.iter().any(|line| line["cut"] == 1),
        "how many were cut is a line of the log: {logged:#?}"
    );
    let usage = books::usage(&gateway, None).await;
    assert_eq!((usage.attempts.cancelled, usage.attempts.attempts()), (1, 1));
    assert!((1..600).contains(&usage.tokens.output), "{:?}", usage.tokens);
    let truth = mock.wait_for(PATIENCE, |totals| totals.in_flight == 0).await.unwrap();
    assert_eq!(truth.cancelled, 1);
}

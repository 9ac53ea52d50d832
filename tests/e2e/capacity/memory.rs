//! Bodies pass through; they are not gathered.

use super::gateway;
use crate::{apis::Api, load::ask};
use cliproxy_testkit::{
    PATIENCE, Process, Stream,
    mock::{Behaviour, Reply, Rule},
};
use serde_json::json;
use std::{future::Future, pin::pin, time::Duration};

const MIB: u64 = 1024 * 1024;
const ANSWER: u64 = 64 * MIB;
/// How much more memory may be resident than at rest.
const GROWTH_KIB: u64 = 16 * 1024;

/// Gives the most memory that is resident above `idle` while `work` is done, and what it gives.
async fn growth<T>(process: &Process, idle: u64, work: impl Future<Output = T>) -> (u64, T) {
    let mut work = pin!(work);
    let mut ticks = tokio::time::interval(Duration::from_millis(5));
    let mut peak = 0;
    loop {
        tokio::select! {
            done = &mut work => return (peak.max(process.rss_kib()).saturating_sub(idle), done),
            _ = ticks.tick() => peak = peak.max(process.rss_kib()),
        }
    }
}

/// Lets the process do everything once, then tells what it has at rest.
async fn idle(process: &Process) -> u64 {
    let client = process.client().await;
    for stream in [false, true, false, true] {
        ask(&client, Api::Chat, stream).await.expect("the gateway answers");
    }
    process.rss_kib()
}

fn large(model: &str) -> Rule {
    let reply = Reply { total_bytes: Some(ANSWER), ..Reply::default() };
    Rule::new(Behaviour::Answer).for_model(model).reply(reply)
}

/// Asks for a large answer with a request of a MiB.
async fn open(process: &Process, stream: bool) -> Stream {
    let (path, _) = Api::Chat.request("openai/large", stream);
    let text = "word ".repeat(MIB as usize / 5);
    let body =
        json!({"model": "openai/large", "stream": stream, "messages": [{"role": "user", "content": text}]});
    let body = body.to_string();
    assert!(body.len() as u64 >= MIB - 5);
    let stream = process.client().await.post_stream(&path, body).await;
    assert_eq!(stream.status, 200);
    stream
}

/// Reads to the proper end; gives the number of bytes.
async fn drain(mut stream: Stream) -> u64 {
    let mut count = 0;
    while let Some(piece) = stream.chunk().await.expect("the answer goes on") {
        count += piece.len() as u64;
    }
    count
}

async fn passes_without_being_gathered(stream: bool) {
    let (gateway, mock) = gateway(large("large")).await;
    let idle = idle(&gateway).await;
    let (grown, bytes) = growth(&gateway, idle, async { drain(open(&gateway, stream).await).await }).await;
    println!("stream {stream}: {bytes} bytes; {grown} KiB above {idle} KiB at rest");
    assert!(bytes >= ANSWER, "{bytes}");
    assert!(grown < GROWTH_KIB, "{grown} KiB above {idle} KiB");
    let truth = mock.wait_for(PATIENCE, |totals| totals.in_flight == 0).await.expect("all requests end");
    assert_eq!(truth.requests, truth.completed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_stream_for_a_large_request_passes_without_being_gathered() {
    passes_without_being_gathered(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_document_for_a_large_request_passes_without_being_gathered() {
    passes_without_being_gathered(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_read_holds_back_the_provider() {
    let (gateway, mock) = gateway(large("large")).await;
    let idle = idle(&gateway).await;
    for asks_for_stream in [true, false] {
        let answer = open(&gateway, asks_for_stream).await;
        let watching = tokio::time::sleep(Duration::from_secs(2));
        let (grown, ()) = growth(&gateway, idle, watching).await;
        assert!(grown < GROWTH_KIB, "stream {asks_for_stream}: {grown} KiB above {idle} KiB");
        assert_eq!(
            mock.totals().in_flight,
            1,
            "stream {asks_for_stream}: the provider could send everything"
        );
        assert!(drain(answer).await >= ANSWER);
        mock.wait_for(PATIENCE, |totals| totals.in_flight == 0).await.unwrap();
    }
}

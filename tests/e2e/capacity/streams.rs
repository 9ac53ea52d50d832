//! What an open stream costs in memory when its answer is translated, beside one that passes.

use super::raise_descriptor_limit;
use crate::{CLIPROXY, apis::Api};
use cliproxy_testkit::{
    Client, Config, Launch, PATIENCE, Process, Stream,
    mock::{Behaviour, Point, Rule},
    poll_until, provider,
};
use std::time::Duration;

const STREAMS: u64 = 500;
/// Opened before anything is counted: threads, pools and the allocator have their share by then.
const FIRST: u64 = 100;
/// Events that a provider sends before it goes silent.
const EVENTS: u64 = 4;
/// What translation may add, in KiB for each stream.
const MOST_KIB: f64 = 32.0;
/// Two readings that lie less than this apart, in KiB, show that nothing is being set up any more.
const STEADY_KIB: u64 = 64;

/// Gives what the process has set up in memory, in KiB, what the kernel has moved away from memory included: pages of its
/// program, which come and go as the kernel likes, are not in it.
fn pss_kib(process: &Process) -> u64 {
    let path = format!("/proc/{}/smaps_rollup", process.id());
    let rollup = std::fs::read_to_string(path).expect("the kernel tells the memory of a child");
    let kib = |name: &str| -> u64 {
        let line = rollup.lines().find_map(|line| line.strip_prefix(name)).expect("it has a share");
        line.trim().trim_end_matches(" kB").parse().expect("it is a number")
    };
    kib("Pss_Anon:") + kib("SwapPss:")
}

/// Reads the memory once it does not change any more.
async fn settled_kib(process: &Process) -> u64 {
    let mut last = pss_kib(process);
    poll_until("steady memory", PATIENCE, || {
        let before = std::mem::replace(&mut last, pss_kib(process));
        let steady = last.abs_diff(before) < STEADY_KIB;
        async move { steady.then_some(()) }
    })
    .await;
    last
}

/// Opens streams until `total` are open, each with its first content read.
async fn open(client: &Client, api: Api, total: u64, open: &mut Vec<Stream>) {
    let (path, body) = api.request("up/model", true);
    while (open.len() as u64) < total {
        let mut stream = client.post_stream(&path, body.clone()).await;
        assert_eq!(stream.status, 200);
        let first = stream.chunk().await.expect("the stream goes on");
        assert!(first.is_some_and(|piece| !piece.is_empty()), "{api:?}: the stream begins");
        open.push(stream);
    }
}

/// Gives how much memory one more open stream takes, in KiB, of clients of `api` and a provider of `kind`.
async fn kib_per_stream(kind: &str, api: Api) -> f64 {
    let mock = provider("up", Rule::new(Behaviour::Hang { at: Point::AfterEvents(EVENTS) }));
    let config = Config::new().provider("up", kind, &mock.base_url());
    let gateway = Launch::new(CLIPROXY, "serve").config(config).ready().await;
    let client = gateway.client().await.patience(Duration::from_secs(120));
    let mut streams = Vec::new();
    open(&client, api, FIRST, &mut streams).await;
    let before = settled_kib(&gateway).await;
    open(&client, api, FIRST + STREAMS, &mut streams).await;
    let after = settled_kib(&gateway).await;
    assert_eq!(mock.totals().in_flight, FIRST + STREAMS, "all are open");
    after.saturating_sub(before) as f64 / STREAMS as f64
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_stream_that_is_translated_takes_little_more_memory_than_one_that_passes() {
    raise_descriptor_limit();
    for (kind, own, others) in [
        ("openai_compatible", Api::Chat, [Api::Messages, Api::Responses, Api::Gemini]),
        ("anthropic", Api::Messages, [Api::Chat, Api::Responses, Api::Gemini]),
        ("gemini", Api::Gemini, [Api::Chat, Api::Responses, Api::Messages]),
    ] {
        let passing = kib_per_stream(kind, own).await;
        println!("{kind} for {own:?}, passing: {passing:.1} KiB a stream");
        for client in others {
            let translated = kib_per_stream(kind, client).await;
            let added = translated - passing;
            println!("{kind} for {client:?}: {translated:.1} KiB a stream, {added:+.1}");
            assert!(added < MOST_KIB, "{kind} for {client:?}: {added:.1} KiB more than {passing:.1}");
        }
    }
}

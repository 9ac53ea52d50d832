//! Many clients, large bodies, slow readers.

mod memory;
mod streams;

use crate::{CLIPROXY, apis::Api};
use cliproxy_testkit::{
    Client, Config, Launch, PATIENCE, Raw,
    mock::{Behaviour, Latency, MockProvider, Reply, Rule},
    now, provider,
};
use futures_util::future::join_all;
use std::{collections::BTreeMap, process::Command, time::Duration};

const CLIENTS: usize = 2_000;
/// The gateway has a socket to each client and one to the provider for each; the test has the other ends.
const DESCRIPTORS: u64 = 4 * CLIENTS as u64;
/// A connection whose SYN was dropped waits for a second.
const RETRANSMITTED: Duration = Duration::from_millis(900);

/// Raises the limit of open files of this process, which its children inherit, when it is too low.
fn raise_descriptor_limit() {
    let limits = std::fs::read_to_string("/proc/self/limits").expect("the kernel tells the limits");
    let line = limits.lines().find(|line| line.starts_with("Max open files")).expect("it has open files");
    let numbers: Vec<u64> = line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    if numbers.first().is_some_and(|soft| *soft >= DESCRIPTORS) || line.contains("unlimited") {
        return;
    }
    let (pid, limit) = (std::process::id().to_string(), format!("--nofile={DESCRIPTORS}:"));
    let raised = Command::new("prlimit").args(["--pid", &pid, &limit]).status();
    assert!(
        raised.is_ok_and(|status| status.success()),
        "this test needs {DESCRIPTORS} open files and could not raise the limit ({line}); try `ulimit -n`"
    );
}

/// Reads the kernel's counts of connections that found the listen queue full.
fn overflows() -> BTreeMap<String, u64> {
    let netstat = std::fs::read_to_string("/proc/net/netstat").expect("the kernel counts");
    let mut lines = netstat.lines().filter(|line| line.starts_with("TcpExt:"));
    let (names, values) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let counts = names.split(' ').zip(values.split(' ')).filter(|(name, _)| name.starts_with("Listen"));
    let counts: BTreeMap<String, u64> =
        counts.map(|(name, value)| (name.to_owned(), value.parse().expect("counts are numbers"))).collect();
    assert!(counts.contains_key("ListenOverflows") && counts.contains_key("ListenDrops"), "{counts:?}");
    counts
}

async fn gateway(rule: Rule) -> (cliproxy_testkit::Process, MockProvider) {
    let mock = provider("up", rule);
    let config = Config::new().provider("openai", "openai", &mock.base_url());
    (Launch::new(CLIPROXY, "serve").config(config).ready().await, mock)
}

#[tokio::test(flavor = "multi_thread")]
async fn two_thousand_connections_at_once_are_all_answered_and_none_waits_for_a_second_try() {
    raise_descriptor_limit();
    let (gateway, mock) = gateway(Rule::default()).await;
    let server = gateway.address().await;
    let before = overflows();
    let connects = (0..CLIENTS).map(|_| {
        tokio::spawn(async move {
            let began = now();
            let connection = Raw::connect(server).await;
            (connection, now() - began)
        })
    });
    let mut connections = Vec::with_capacity(CLIENTS);
    let mut slowest = Duration::ZERO;
    let mut late = 0;
    for connected in join_all(connects).await {
        let (connection, took) = connected.expect("every client connects");
        slowest = slowest.max(took);
        late += usize::from(took >= RETRANSMITTED);
        connections.push(connection);
    }
    assert_eq!(late, 0, "the slowest connection took {slowest:?}");

    let (path, body) = Api::Chat.request("openai/model", false);
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: gateway\r\ncontent-type: application/json\r\nconnection: close\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    let began = now();
    let requests = connections.into_iter().map(|mut connection| {
        let request = request.clone();
        tokio::spawn(async move {
            connection.send(request).await.expect("the gateway reads");
            connection.finish(PATIENCE).await
        })
    });
    for answer in join_all(requests).await {
        let answer = answer.expect("every client is answered");
        assert_eq!(answer.status, 200, "{}\n{}", answer.head, answer.text());
        assert!(answer.error.is_none() && answer.text().contains("up read"), "{answer:?}");
    }
    println!(
        "{CLIENTS} connections: the slowest in {} ms; {CLIENTS} requests on them in {} ms",
        slowest.as_millis(),
        (now() - began).as_millis()
    );
    assert_eq!(overflows(), before);
    let truth = mock.wait_for(PATIENCE, |totals| totals.in_flight == 0).await.unwrap();
    assert_eq!((truth.requests, truth.completed), (CLIENTS as u64, CLIENTS as u64));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_event_is_held_back_for_the_next() {
    const TOKENS: u64 = 40;
    const PACE: Duration = Duration::from_millis(50);
    let latency = Latency { per_token_ms: 50, ..Latency::default() };
    let reply = Reply { tokens: Some(TOKENS), ..Reply::default() };
    let (gateway, _mock) = gateway(Rule::new(Behaviour::Answer).latency(latency).reply(reply)).await;
    let server = gateway.address().await;
    for client in [Client::new(server), Client::http2(server)] {
        let (path, body) = Api::Chat.request("openai/model", true);
        let mut stream = client.post_stream(&path, body).await;
        let began = now();
        let mut arrivals = Vec::new();
        while let Some(piece) = stream.chunk().await.expect("the stream goes on") {
            let text = String::from_utf8_lossy(&piece).into_owned();
            arrivals.push((now() - began, text.matches("filling").count()));
        }
        let with_content: Vec<_> = arrivals.iter().filter(|(_, events)| *events > 0).collect();
        let events: usize = with_content.iter().map(|(_, events)| events).sum();
        let alone = with_content.iter().filter(|(_, events)| *events == 1).count();
        assert_eq!(events, TOKENS as usize, "{arrivals:?}");
        assert!(alone * 10 >= events * 9, "{alone} of {events} events came alone: {arrivals:?}");
        let spread = arrivals.last().expect("there are arrivals").0;
        assert!(spread >= PACE * (TOKENS as u32 - 2), "{spread:?}");
    }
}

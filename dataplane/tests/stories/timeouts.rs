//! Who waits how long for what.

use crate::{
    network::MemoryNet,
    node::{Answer, Node, in_turn, provider},
    script::{Script, Step, document, head, send},
};
use cliproxy_domain::{Provider, ProviderKind, Snapshot};
use cliproxy_host::{Clock as _, SystemClock};
use std::time::Duration;

const OK: &str = r#"{"id":"x","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2}}"#;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Asks a node of `snapshot`, whose provider `a` plays `steps` and whose `b` answers at once; also gives the time
/// that it took, in whole seconds.
async fn asked(snapshot: Snapshot, steps: Vec<Step>) -> (Node, Answer, u64) {
    let net = MemoryNet::new();
    Script::play(&net, "a", vec![steps]);
    Script::play(&net, "b", vec![document("200 OK", OK)]);
    let node = Node::start(&net, snapshot).await;
    let started = SystemClock.now();
    let answer = node.ask("/v1/chat/completions", r#"{"model":"m"}"#).await;
    let took = SystemClock.now() - started;
    (node, answer, took.as_secs())
}

fn two(change: impl FnOnce(&mut Provider)) -> Snapshot {
    let mut first = provider("a", ProviderKind::OpenAi);
    change(&mut first);
    in_turn(vec![first, provider("b", ProviderKind::OpenAi)])
}

fn outcome(node: &Node, outcome: &str) -> u64 {
    node.metric(&format!("cliproxy_attempts_total{{provider=\"a\",outcome=\"{outcome}\"}}"))
}

#[tokio::test(start_paused = true)]
async fn a_provider_whose_own_total_is_shorter_is_left_for_the_next() {
    let snapshot = two(|a| a.timeouts.total = seconds(3));
    let (node, answer, took) = asked(snapshot, vec![Step::Hang]).await;
    assert_eq!((answer.body.as_str(), took), (OK, 3));
    assert_eq!(outcome(&node, "timeout"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_provider_whose_own_total_is_longer_may_use_it() {
    let mut snapshot = two(|a| a.timeouts.total = seconds(60));
    snapshot.policy.timeouts.total = seconds(5);
    let late = vec![Step::Pause(seconds(30)), head("200 OK", "application/json"), send(OK)];
    let (node, answer, took) = asked(snapshot, late).await;
    assert_eq!((answer.headers["x-cliproxy-provider"].as_bytes(), took), (&b"a"[..], 30));
    assert_eq!(outcome(&node, "success"), 1);
}

#[tokio::test(start_paused = true)]
async fn the_requests_total_holds_over_all_providers() {
    let mut snapshot = two(|_| ());
    snapshot.policy.timeouts.total = seconds(5);
    for provider in snapshot.providers.values_mut() {
        provider.timeouts.total = seconds(5);
    }
    let (node, answer, took) = asked(snapshot, vec![Step::Hang]).await;
    assert_eq!((answer.status.as_u16(), took), (504, 5));
    assert_eq!((outcome(&node, "timeout"), outcome(&node, "success")), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_connection_whose_tls_never_comes_up_is_given_up_as_one_that_never_opened() {
    let snapshot = two(|a| a.base_url = "https://a".into());
    let (node, answer, took) = asked(snapshot, vec![Step::Hang]).await;
    assert_eq!((answer.body.as_str(), took), (OK, 5));
    assert_eq!(outcome(&node, "connect_timeout"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_never_begins_is_left_for_the_next() {
    let (node, answer, took) = asked(two(|_| ()), vec![Step::Hang]).await;
    assert_eq!((answer.body.as_str(), took), (OK, 120));
    assert_eq!(outcome(&node, "timeout"), 1);
}

//! How often a failed request is tried again, and when.

use crate::{
    cooldown::ask,
    network::MemoryNet,
    node::{Answer, Node, in_turn, with_keys},
    script::{CHAT, Script, Step, chat, document, limited, refused},
};
use cliproxy_host::{Clock as _, SystemClock};
use futures_util::future::join_all;
use std::time::Duration;

#[tokio::test(start_paused = true)]
async fn calls_beyond_the_first_keep_to_a_fifth_of_all_requests_in_a_storm() {
    let net = MemoryNet::new();
    let a = Script::play(&net, "a", vec![document("500 Internal Server Error", "{}")]);
    let b = Script::play(&net, "b", vec![chat()]);
    let mut snapshot = in_turn(vec![with_keys("a", &["ka"]), with_keys("b", &["kb"])]);
    snapshot.policy.cooldown.enabled = false;
    let node = Node::start(&net, snapshot).await;
    let answers = join_all((0..1_000).map(|_| ask(&node))).await;
    let served = answers.iter().filter(|answer| answer.body == CHAT).count();
    assert_eq!((a.requests().len(), b.requests().len()), (1_000, served));
    // A fifth of a thousand, and a hundred in any second.
    assert!((200..=300).contains(&served), "{served}");
    let spent = node.metric("cliproxy_retries_total{verdict=\"budget_spent\"}");
    assert_eq!(spent, 1_000 - served as u64);
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_a_client_can_be_made_to_wait_is_waited_and_not_shortened() {
    let net = MemoryNet::new();
    let script = Script::play(&net, "a", vec![limited(1), chat()]);
    let node = Node::start(&net, in_turn(vec![with_keys("a", &["k"])])).await;
    let started = SystemClock.now();
    let answer = ask(&node).await;
    let took = SystemClock.now() - started;
    assert_eq!(
        (answer.body.as_str(), &answer.headers["x-cliproxy-attempts"]),
        (CHAT, &"2".parse().expect("a value"))
    );
    assert!((1_000..1_300).contains(&took.as_millis()), "{took:?}");
    assert_eq!(script.requests().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_grew_meanwhile_is_respected() {
    let net = MemoryNet::new();
    let longer = [vec![Step::Pause(Duration::from_millis(300))], limited(60)].concat();
    let script = Script::play(&net, "a", vec![limited(1), longer, chat()]);
    let node = Node::start(&net, in_turn(vec![with_keys("a", &["k"])])).await;
    let (first, second) = tokio::join!(ask(&node), ask(&node));
    assert_eq!((first.status.as_u16(), second.status.as_u16()), (429, 429));
    assert_eq!(script.requests().len(), 2, "nobody asks again after a second");
    let id = first.headers["x-request-id"].to_str().expect("text");
    let record = node.get(&format!("/v0/operations/requests/{id}")).await.body;
    assert!(record.contains("gave up: after a pause it still rested"), "{record}");
    let told = |answer: &Answer| answer.headers["retry-after"].to_str().expect("text").parse::<u64>();
    assert!(told(&first).is_ok_and(|seconds| seconds >= 59), "{:?}", first.headers);
}

#[tokio::test(start_paused = true)]
async fn a_longer_wait_is_told_to_the_client() {
    let net = MemoryNet::new();
    let script = Script::play(&net, "a", vec![limited(7), chat()]);
    let node = Node::start(&net, in_turn(vec![with_keys("a", &["k"])])).await;
    let answer = ask(&node).await;
    assert_eq!((answer.status.as_u16(), answer.headers["retry-after"].as_bytes()), (429, &b"7"[..]));
    assert_eq!(script.requests().len(), 1);
    assert_eq!(node.metric("cliproxy_retries_total{verdict=\"hint_too_long\"}"), 1);
}

#[tokio::test(start_paused = true)]
async fn the_providers_word_against_another_try_holds() {
    let net = MemoryNet::new();
    let script = Script::play(
        &net,
        "a",
        vec![refused("500 Internal Server Error", "x-should-retry: false\r\n"), chat()],
    );
    let node = Node::start(&net, in_turn(vec![with_keys("a", &["k"])])).await;
    assert_eq!(ask(&node).await.status.as_u16(), 500);
    assert_eq!(script.requests().len(), 1);
    assert_eq!(node.metric("cliproxy_retries_total{verdict=\"not_retryable\"}"), 1);
}

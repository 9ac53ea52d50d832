//! What never speaks against a provider: the client's mistakes, its haste and its leaving, and our own translation.

use crate::{
    cooldown::{ask, pass},
    network::MemoryNet,
    node::{Node, in_turn, post, provider, with_keys},
    script::{Script, Step, chat, document},
};
use cliproxy_domain::{ProviderKind, Snapshot};
use std::time::Duration;

fn once(mut snapshot: Snapshot) -> Snapshot {
    snapshot.policy.retries.max_attempts = 1;
    snapshot
}

#[tokio::test(start_paused = true)]
async fn the_clients_own_mistakes() {
    for status in ["400 Bad Request", "404 Not Found", "413 Too Large", "422 Unprocessable"] {
        let net = MemoryNet::new();
        let script = Script::play(&net, "a", vec![document(status, r#"{"error":{"message":"no"}}"#)]);
        let node = Node::start(&net, once(in_turn(vec![with_keys("a", &["k"])]))).await;
        for _ in 0..10 {
            ask(&node).await;
        }
        assert_eq!(script.requests().len(), 10, "{status}");
        assert!(node.rest("a").is_none() && node.rest("a/k").is_none(), "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_hangs_up() {
    let net = MemoryNet::new();
    let script = Script::play(&net, "a", vec![vec![Step::Hang]]);
    let node = Node::start(&net, once(in_turn(vec![with_keys("a", &["k"])]))).await;
    for _ in 0..10 {
        let request = node.open(post("/v1/chat/completions", crate::cooldown::ASK));
        assert!(tokio::time::timeout(Duration::from_secs(1), request).await.is_err());
    }
    pass(1).await;
    assert_eq!((script.requests().len(), script.hung_up()), (10, 10));
    assert!(node.rest("a").is_none());
}

#[tokio::test(start_paused = true)]
async fn time_that_another_provider_has_used_up() {
    let net = MemoryNet::new();
    Script::play(&net, "a", vec![vec![Step::Hang]]);
    Script::play(&net, "b", vec![vec![Step::Hang]]);
    let mut snapshot = in_turn(vec![with_keys("a", &["ka"]), with_keys("b", &["kb"])]);
    snapshot.policy.timeouts.total = Duration::from_secs(5);
    snapshot.policy.cooldown.detection_window = Duration::from_secs(600);
    for provider in snapshot.providers.values_mut() {
        provider.timeouts.total = Duration::from_secs(5);
        provider.timeouts.first_byte = Duration::from_secs(4);
    }
    let node = Node::start(&net, snapshot).await;
    for _ in 0..5 {
        assert_eq!(ask(&node).await.status.as_u16(), 504);
    }
    assert_eq!(node.metric("cliproxy_attempts_total{provider=\"b\",outcome=\"timeout\"}"), 5);
    assert!(node.rest("a").is_some(), "it had all the time that it may take");
    assert!(node.rest("b").is_none(), "it had a second of five");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_our_translation_could_not_read() {
    let net = MemoryNet::new();
    let script = Script::play(&net, "a", vec![document("200 OK", r#"{"choices":7}"#)]);
    let node = Node::start(&net, once(in_turn(vec![provider("a", ProviderKind::OpenAi)]))).await;
    let body = r#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}"#;
    for _ in 0..10 {
        assert_eq!(node.ask("/v1/messages", body).await.status.as_u16(), 502);
    }
    assert_eq!(script.requests().len(), 10);
    assert!(node.rest("a").is_none());
}

#[tokio::test(start_paused = true)]
async fn but_an_answer_in_the_providers_own_words_that_nobody_can_read_does() {
    let net = MemoryNet::new();
    Script::play(&net, "a", vec![document("200 OK", "no json"), chat()]);
    let mut snapshot = once(in_turn(vec![with_keys("a", &["k"])]));
    snapshot.policy.cooldown.error_threshold = 1;
    let node = Node::start(&net, snapshot).await;
    ask(&node).await;
    assert!(node.rest("a").is_some());
}

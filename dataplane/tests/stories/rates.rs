//! Rates of credentials, and what providers say of them.

use crate::{
    network::MemoryNet,
    node::{Node, in_turn, provider},
    script::{CHAT, Script, Step, chat, refused, send},
};
use cliproxy_domain::{LimitSubject, Provider, ProviderKind, RateId, RateKind, RateLimits};
use std::time::Duration;

const PATH: &str = "/v1/chat/completions";
const BODY: &str = r#"{"model":"m","max_tokens":10}"#;

fn requests() -> RateId {
    of_main(RateKind::RequestsPerMinute)
}

fn of_main(kind: RateKind) -> RateId {
    RateId { subject: LimitSubject::Credential("a".into(), "main".into()), kind }
}

fn limited(requests_per_minute: u64) -> Provider {
    let mut provider = provider("a", ProviderKind::OpenAi);
    provider.credentials[0].rate_limit =
        RateLimits { requests_per_minute: Some(requests_per_minute), ..RateLimits::default() };
    provider
}

/// An answer whose head says more.
fn chat_with(headers: &str) -> Vec<Step> {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n";
    vec![send(format!("{head}{headers}\r\n{CHAT}"))]
}

async fn node_with(answers: Vec<Vec<Step>>) -> (Node, Script) {
    let net = MemoryNet::new();
    let script = Script::play(&net, "a", answers);
    (Node::start(&net, in_turn(vec![limited(100)])).await, script)
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_says_that_nothing_is_left_is_not_asked_before_its_reset() {
    let said = "x-ratelimit-limit-requests: 100\r\nx-ratelimit-remaining-requests: 0\r\n\
                x-ratelimit-reset-requests: 1m30s\r\n";
    let (node, script) = node_with(vec![chat_with(said), chat()]).await;
    assert_eq!(node.ask(PATH, BODY).await.status, 200);
    let answer = node.ask(PATH, BODY).await;
    assert_eq!(answer.status, 429, "{}", answer.body);
    assert!(answer.body.contains("rate_limit_exceeded"), "{}", answer.body);
    let wait: u64 = answer.headers["retry-after"].to_str().expect("text").parse().expect("seconds");
    assert!((85..=90).contains(&wait), "{wait}");
    assert_eq!(script.requests().len(), 1);
    tokio::time::sleep(Duration::from_secs(wait)).await;
    assert_eq!(node.ask(PATH, BODY).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn less_is_sent_for_a_while_after_the_provider_refused_for_its_rate() {
    let too_fast = || refused("429 Too Many Requests", "");
    let (node, _) = node_with(vec![too_fast(), chat()]).await;
    node.ask(PATH, BODY).await;
    let slowed = node.share(&requests());
    assert!((70..80).contains(&slowed), "{slowed}");
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!(node.share(&requests()), 100);
}

#[tokio::test(start_paused = true)]
async fn an_error_that_is_not_about_rates_slows_nothing_down() {
    let (node, _) = node_with(vec![refused("500 Oh", ""), chat()]).await;
    node.ask(PATH, BODY).await;
    assert_eq!(node.share(&requests()), 100);
}

async fn node_with_tokens(tokens_per_minute: u64) -> Node {
    let net = MemoryNet::new();
    Script::play(&net, "a", vec![chat()]);
    let mut limited = provider("a", ProviderKind::OpenAi);
    limited.credentials[0].rate_limit =
        RateLimits { tokens_per_minute: Some(tokens_per_minute), ..RateLimits::default() };
    Node::start(&net, in_turn(vec![limited])).await
}

#[tokio::test(start_paused = true)]
async fn a_request_that_lets_the_model_say_more_than_a_minute_allows_is_served_all_the_same() {
    let node = node_with_tokens(30_000).await;
    for _ in 0..20 {
        let answer = node.ask(PATH, r#"{"model":"m","max_tokens":32000}"#).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
    assert_eq!(node.share(&of_main(RateKind::TokensPerMinute)), 30_000);
}

#[tokio::test(start_paused = true)]
async fn a_prompt_that_is_larger_than_a_minute_allows_is_told_to_send_less_and_not_to_come_again() {
    let node = node_with_tokens(1_000).await;
    let body =
        format!(r#"{{"model":"m","messages":[{{"role":"user","content":"{}"}}]}}"#, "word ".repeat(1_000));
    let answer = node.ask(PATH, &body).await;
    assert_eq!(answer.status, 429, "{}", answer.body);
    let message = "the request is larger than the limit of credential a/main: 1000 tokens per minute, of which clients of \
                   priority `normal` may use 95 %; send less at once";
    assert!(answer.body.contains(message), "{}", answer.body);
    assert!(!answer.headers.contains_key("retry-after"), "no wait changes it");
}

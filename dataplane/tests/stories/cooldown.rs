//! What rests after which failure, for how long, and what clients are told meanwhile.

use crate::{
    network::MemoryNet,
    node::{Answer, Node, equals, in_turn, provider, with_keys},
    script::{CHAT, Script, Step, chat, chunked_events, document, limited, refused, send},
};
use cliproxy_domain::{CooldownCause, ProviderKind, Snapshot, Strategy};
use std::time::Duration;

pub const ASK: &str = r#"{"model":"m","messages":[]}"#;

pub async fn ask(node: &Node) -> Answer {
    node.ask("/v1/chat/completions", ASK).await
}

/// Lets time pass; the clock is a paused one.
pub async fn pass(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

fn once(mut snapshot: Snapshot) -> Snapshot {
    snapshot.policy.retries.max_attempts = 1;
    snapshot
}

fn retry_after(answer: &Answer) -> &str {
    answer.headers["retry-after"].to_str().expect("text")
}

#[tokio::test(start_paused = true)]
async fn one_keys_429_rests_that_key_alone_and_until_its_end() {
    let net = MemoryNet::new();
    let script = Script::play(&net, "a", vec![limited(30), chat()]);
    let node = Node::start(&net, in_turn(vec![with_keys("a", &["k1", "k2"])])).await;
    let first = ask(&node).await;
    assert_eq!(
        (first.body.as_str(), &first.headers["x-cliproxy-attempts"]),
        (CHAT, &"2".parse().expect("a value"))
    );
    let (out, serves) =
        if script.with_key("k1") == 1 && node.rest("a/k1").is_some() { ("k1", "k2") } else { ("k2", "k1") };
    for _ in 0..10 {
        assert_eq!(ask(&node).await.body, CHAT);
    }
    assert_eq!((script.with_key(out), script.with_key(serves)), (1, 11));
    let rest = node.rest(&format!("a/{out}")).expect("a rest");
    assert_eq!(
        (rest.cause, rest.until.since(rest.started_at)),
        (CooldownCause::RateLimit, Duration::from_secs(30))
    );
    assert!(node.rest("a").is_none(), "the provider does not rest");
}

#[tokio::test(start_paused = true)]
async fn a_shorter_wait_never_cuts_a_longer_one() {
    let net = MemoryNet::new();
    let later = [vec![Step::Pause(Duration::from_secs(1))], limited(5)].concat();
    let script = Script::play(&net, "a", vec![limited(60), later]);
    let node = Node::start(&net, once(in_turn(vec![with_keys("a", &["k"])]))).await;
    // Both are on their way before either is answered.
    let (one, other) = tokio::join!(ask(&node), ask(&node));
    assert_eq!((one.status.as_u16(), other.status.as_u16()), (429, 429));
    pass(10).await;
    let refused = ask(&node).await;
    assert_eq!((refused.status.as_u16(), retry_after(&refused), script.requests().len()), (429, "49", 2));
}

#[tokio::test(start_paused = true)]
async fn a_wait_of_156_hours_is_believed_for_an_hour_and_then_tried() {
    let net = MemoryNet::new();
    let script = Script::play(&net, "a", vec![limited(156 * 3_600), chat()]);
    let node = Node::start(&net, once(in_turn(vec![with_keys("a", &["k"])]))).await;
    assert_eq!(ask(&node).await.status.as_u16(), 429);
    let rest = node.rest("a/k").expect("a rest");
    assert_eq!(rest.evidence.hint, Some(Duration::from_secs(156 * 3_600)));
    assert!(rest.evidence.clamped);
    pass(3_590).await;
    let refused = ask(&node).await;
    assert_eq!((retry_after(&refused), script.requests().len()), ("10", 1));
    pass(11).await;
    assert_eq!((ask(&node).await.body.as_str(), script.requests().len()), (CHAT, 2));
}

#[tokio::test(start_paused = true)]
async fn the_fifth_error_in_a_minute_rests_the_provider_and_the_sixth_request_calls_nobody() {
    let net = MemoryNet::new();
    let script = Script::play(&net, "a", vec![document("500 Internal Server Error", "{}")]);
    let node = Node::start(&net, once(in_turn(vec![with_keys("a", &["k1", "k2"])]))).await;
    for _ in 0..5 {
        assert_eq!(ask(&node).await.status.as_u16(), 502);
    }
    let refused = ask(&node).await;
    assert_eq!((refused.status.as_u16(), retry_after(&refused)), (503, "120"));
    for reason in ["a/k1 (cooldown: error, 120 s)", "a/k2 (cooldown: error, 120 s)"] {
        assert!(refused.body.contains(reason), "{}", refused.body);
    }
    assert_eq!(script.requests().len(), 5);
    let rest = node.rest("a").expect("a rest of the whole provider");
    assert_eq!((rest.cause, rest.evidence.errors), (CooldownCause::Error, 5));
}

#[tokio::test(start_paused = true)]
async fn errors_that_lie_further_apart_than_the_window_rest_nothing() {
    let net = MemoryNet::new();
    Script::play(&net, "a", vec![document("500 Internal Server Error", "{}")]);
    let node = Node::start(&net, once(in_turn(vec![with_keys("a", &["k"])]))).await;
    for _ in 0..12 {
        assert_eq!(ask(&node).await.status.as_u16(), 502);
        pass(16).await;
    }
    assert!(node.rest("a").is_none());
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_is_not_to_rest_does_not() {
    let net = MemoryNet::new();
    let script = Script::play(&net, "a", vec![limited(60)]);
    let mut snapshot = once(in_turn(vec![with_keys("a", &["k"])]));
    for provider in snapshot.providers.values_mut() {
        provider.cooldown.enabled = false;
    }
    let node = Node::start(&net, snapshot).await;
    for _ in 0..10 {
        assert_eq!(ask(&node).await.status.as_u16(), 429);
    }
    assert_eq!(script.requests().len(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_refused_key_rests_and_is_tried_again() {
    let net = MemoryNet::new();
    let script = Script::play(&net, "a", vec![refused("401 Unauthorized", ""), chat()]);
    let node = Node::start(&net, in_turn(vec![with_keys("a", &["k"])])).await;
    assert_eq!(ask(&node).await.status.as_u16(), 401);
    let refused = ask(&node).await;
    assert_eq!((refused.status.as_u16(), retry_after(&refused), script.requests().len()), (503, "300", 1));
    assert!(refused.body.contains("a/k (cooldown: credential_rejected, 300 s)"), "{}", refused.body);
    pass(301).await;
    assert_eq!(ask(&node).await.body, CHAT);
}

#[tokio::test(start_paused = true)]
async fn where_all_are_out_the_soonest_end_and_every_reason_is_told_and_nobody_is_called() {
    let net = MemoryNet::new();
    let (a, b) = (
        Script::play(&net, "a", vec![limited(50)]),
        Script::play(&net, "b", vec![refused("403 Forbidden", "")]),
    );
    let node = Node::start(&net, in_turn(vec![with_keys("a", &["ka"]), with_keys("b", &["kb"])])).await;
    assert_eq!(ask(&node).await.status.as_u16(), 403);
    pass(10).await;
    let refused = ask(&node).await;
    // Not only rate limits keep everything away.
    assert_eq!((refused.status.as_u16(), retry_after(&refused)), (503, "40"));
    assert!(refused.body.contains("a/ka (cooldown: rate_limit, 40 s)"), "{}", refused.body);
    assert!(refused.body.contains("b/kb (cooldown: credential_rejected, 290 s)"), "{}", refused.body);
    assert_eq!((a.requests().len(), b.requests().len()), (1, 1));
    assert_eq!(node.metric("cliproxy_exclusions_total{reason=\"cooldown\"}"), 2);
}

#[tokio::test(start_paused = true)]
async fn a_429_within_a_stream_is_reported_once_and_ends() {
    let content = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi\"}}]}\n\n";
    let error = "data: {\"error\":{\"message\":\"slow down\",\"code\":\"rate_limit_exceeded\"}}\n\n";
    let chunk = |text: &str| send(format!("{:x}\r\n{text}\r\n", text.len()));
    let net = MemoryNet::new();
    Script::play(&net, "a", vec![vec![chunked_events(), chunk(content), chunk(error), Step::Hang]]);
    let node = Node::start(&net, in_turn(vec![provider("a", ProviderKind::OpenAi)])).await;
    let answer = node.ask("/v1/chat/completions", r#"{"model":"m","stream":true}"#).await;
    assert_eq!(answer.body.matches("slow down").count(), 1, "{}", answer.body);
    assert_eq!(node.metric("cliproxy_errors_total{provider=\"a\",error_type=\"rate_limit\"}"), 1);
    assert_eq!(node.metric("cliproxy_in_flight{provider=\"a\"}"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_fast_429_does_not_draw_traffic_by_its_latency() {
    let net = MemoryNet::new();
    let fast = Script::play(&net, "a", vec![refused("429 Too Many Requests", "")]);
    let slow = [vec![Step::Pause(Duration::from_millis(800))], chat()].concat();
    let slow = Script::play(&net, "b", vec![slow]);
    let mut snapshot = equals(vec![with_keys("a", &["ka"]), with_keys("b", &["kb"])]);
    snapshot.policy.cooldown.enabled = false;
    snapshot.policy.strategy = Strategy::Latency;
    let node = Node::start(&net, snapshot).await;
    for _ in 0..300 {
        assert_eq!(ask(&node).await.body, CHAT);
    }
    let (tried, served) = (fast.requests().len(), slow.requests().len());
    assert_eq!(served, 300);
    assert!(tried < 60, "{tried} of 300 requests went to the one that only refuses");
}

#[tokio::test(start_paused = true)]
async fn a_429_that_was_on_its_way_does_not_undo_an_operators_recovery() {
    let net = MemoryNet::new();
    let late = [vec![Step::Pause(Duration::from_secs(2))], limited(60)].concat();
    Script::play(&net, "a", vec![late, chat()]);
    let node = Node::start(&net, once(in_turn(vec![with_keys("a", &["k"])]))).await;
    let operator = async {
        pass(1).await;
        node.ask("/v0/operations/providers/a/recover", "").await
    };
    let (stale, recovered) = tokio::join!(ask(&node), operator);
    assert_eq!((stale.status.as_u16(), recovered.status.as_u16()), (429, 200), "{}", recovered.body);
    assert_eq!(ask(&node).await.body, CHAT);
}

#[tokio::test(start_paused = true)]
async fn a_quota_of_one_model_rests_that_model_and_the_key_serves_others() {
    let body = r#"{"error":{"code":429,"message":"no","status":"RESOURCE_EXHAUSTED","details":[
        {"violations":[{"quotaId":"PerModel","quotaDimensions":{"model":"up"}}]},{"retryDelay":"30s"}]}}"#;
    let net = MemoryNet::new();
    let answer =
        document("200 OK", r#"{"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"STOP"}]}"#);
    let script = Script::play(&net, "g", vec![document("429 Too Many Requests", body), answer]);
    let node = Node::start(&net, once(in_turn(vec![provider("g", ProviderKind::Gemini)]))).await;
    let ask = async |model: &str| node.ask(&format!("/v1beta/models/{model}:generateContent"), "{}").await;
    assert_eq!(ask("m").await.status.as_u16(), 429);
    assert!(node.rest("g/main/up").is_some() && node.rest("g/main").is_none());
    assert_eq!((ask("g/other").await.status.as_u16(), ask("m").await.status.as_u16()), (200, 429));
    assert_eq!(script.requests().len(), 2);
}

//! A second call beside a first that does not begin.

use crate::{
    network::MemoryNet,
    node::{Answer, Node, in_turn, provider},
    script::{Script, Step, document, events, send},
};
use cliproxy_domain::{Hedge, ProviderKind, Snapshot};
use std::time::Duration;

const CONTENT: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi\"}}]}\n\n";
const STOP: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";

fn stream_after(pause: Duration) -> Vec<Step> {
    vec![Step::Pause(pause), events(), send([CONTENT, STOP, "data: [DONE]\n\n"].concat())]
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn hedged(providers: &[&str], budget_percent: u32) -> Snapshot {
    let mut snapshot = in_turn(providers.iter().map(|name| provider(name, ProviderKind::OpenAi)).collect());
    snapshot.policy.retries.hedge = Some(Hedge { after: seconds(2), budget_percent });
    snapshot
}

async fn stream(node: &Node) -> Answer {
    node.ask("/v1/chat/completions", r#"{"model":"m","stream":true}"#).await
}

fn hedges(node: &Node, result: &str) -> u64 {
    node.metric(&format!("cliproxy_hedges_total{{result=\"{result}\"}}"))
}

fn attempts(node: &Node, provider: &str, outcome: &str) -> u64 {
    node.metric(&format!("cliproxy_attempts_total{{provider=\"{provider}\",outcome=\"{outcome}\"}}"))
}

fn header<'a>(answer: &'a Answer, name: &str) -> &'a str {
    answer.headers[name].to_str().expect("text")
}

#[tokio::test(start_paused = true)]
async fn the_second_answers_where_it_begins_first_and_the_firsts_call_is_dropped() {
    let net = MemoryNet::new();
    let a = Script::play(&net, "a", vec![vec![Step::Hang]]);
    let b = Script::play(&net, "b", vec![stream_after(seconds(1))]);
    let node = Node::start(&net, hedged(&["a", "b"], 10)).await;
    let answer = stream(&node).await;
    assert_eq!((header(&answer, "x-cliproxy-provider"), header(&answer, "x-cliproxy-attempts")), ("b", "2"));
    assert!(answer.body.contains("Hi"));
    assert_eq!((a.hung_up(), b.requests().len(), hedges(&node, "won")), (1, 1, 1));
    assert_eq!((attempts(&node, "a", "outrun"), attempts(&node, "b", "success")), (1, 1));
    assert_eq!(node.metric("cliproxy_in_flight{provider=\"a\"}"), 0);
}

#[tokio::test(start_paused = true)]
async fn the_first_answers_where_it_begins_first_all_the_same() {
    let net = MemoryNet::new();
    Script::play(&net, "a", vec![stream_after(seconds(3))]);
    let b = Script::play(&net, "b", vec![stream_after(seconds(30))]);
    let node = Node::start(&net, hedged(&["a", "b"], 10)).await;
    let answer = stream(&node).await;
    assert_eq!((header(&answer, "x-cliproxy-provider"), header(&answer, "x-cliproxy-attempts")), ("a", "2"));
    assert_eq!((b.requests().len(), hedges(&node, "lost"), attempts(&node, "b", "outrun")), (1, 1, 1));
}

#[tokio::test(start_paused = true)]
async fn one_that_fails_leaves_it_to_the_other() {
    let net = MemoryNet::new();
    Script::play(&net, "a", vec![stream_after(seconds(5))]);
    Script::play(&net, "b", vec![document("500 Internal Server Error", "{}")]);
    let node = Node::start(&net, hedged(&["a", "b"], 10)).await;
    let answer = stream(&node).await;
    assert_eq!((header(&answer, "x-cliproxy-provider"), header(&answer, "x-cliproxy-attempts")), ("a", "2"));
    assert_eq!(hedges(&node, "lost"), 1);
}

#[tokio::test(start_paused = true)]
async fn both_count_as_attempts_and_there_are_never_more_than_allowed() {
    let net = MemoryNet::new();
    let failing = [vec![Step::Pause(seconds(3))], document("500 Internal Server Error", "{}")].concat();
    let scripts = ["a", "b", "c"].map(|name| Script::play(&net, name, vec![failing.clone()]));
    let mut snapshot = hedged(&["a", "b", "c"], 10);
    snapshot.policy.retries.max_attempts = 2;
    let node = Node::start(&net, snapshot).await;
    let answer = stream(&node).await;
    assert_eq!((answer.status.as_u16(), header(&answer, "x-cliproxy-attempts")), (502, "2"));
    assert_eq!(scripts.map(|script| script.requests().len()), [1, 1, 0]);
    assert_eq!(hedges(&node, "failed"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_begins_in_time_and_an_answer_in_one_piece_get_no_second_call() {
    let net = MemoryNet::new();
    let whole = [vec![Step::Pause(seconds(5))], crate::script::chat()].concat();
    Script::play(&net, "a", vec![stream_after(seconds(1)), whole]);
    let b = Script::play(&net, "b", vec![stream_after(seconds(0))]);
    let node = Node::start(&net, hedged(&["a", "b"], 10)).await;
    assert_eq!(header(&stream(&node).await, "x-cliproxy-attempts"), "1");
    let whole = node.ask("/v1/chat/completions", r#"{"model":"m"}"#).await;
    assert_eq!((header(&whole, "x-cliproxy-provider"), b.requests().len()), ("a", 0));
}

#[tokio::test(start_paused = true)]
async fn second_calls_keep_to_their_share_of_requests() {
    let net = MemoryNet::new();
    Script::play(&net, "a", vec![stream_after(seconds(3))]);
    let b = Script::play(&net, "b", vec![stream_after(seconds(0))]);
    let node = Node::start(&net, hedged(&["a", "b"], 10)).await;
    let all: Vec<_> = (0..40).map(|_| stream(&node)).collect();
    for answer in futures_util::future::join_all(all).await {
        assert!(answer.body.contains("Hi"));
    }
    // A tenth of forty.
    assert_eq!((b.requests().len(), hedges(&node, "budget_spent")), (4, 36));
}

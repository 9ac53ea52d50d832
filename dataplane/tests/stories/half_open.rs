//! The end of a rest: one request finds out, the others wait, and traffic returns little by little.

use crate::{
    cooldown::{ASK, ask, pass},
    network::MemoryNet,
    node::{Answer, Node, equals, in_turn, post, with_keys},
    script::{CHAT, Script, Step, chat, document, limited},
};
use cliproxy_domain::Snapshot;
use std::time::Duration;

fn millis(millis: u64) -> Step {
    Step::Pause(Duration::from_millis(millis))
}

fn once(mut snapshot: Snapshot) -> Snapshot {
    snapshot.policy.retries.max_attempts = 1;
    snapshot
}

fn probes(node: &Node, result: &str) -> u64 {
    node.metric(&format!("cliproxy_half_open_probes_total{{result=\"{result}\"}}"))
}

#[tokio::test(start_paused = true)]
async fn one_request_finds_out_and_the_others_wait_for_its_verdict() {
    let net = MemoryNet::new();
    let late = [vec![millis(500)], chat()].concat();
    let script = Script::play(&net, "a", vec![limited(5), late, chat()]);
    let node = Node::start(&net, once(in_turn(vec![with_keys("a", &["k"])]))).await;
    assert_eq!(ask(&node).await.status.as_u16(), 429);
    pass(6).await;
    let others = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let answers = tokio::join!(ask(&node), ask(&node));
        assert_eq!(script.requests().len(), 4, "they went when the first was answered");
        answers
    };
    let (first, (second, third)) = tokio::join!(ask(&node), others);
    for answer in [first, second, third] {
        assert_eq!(answer.body, CHAT);
    }
    assert_eq!((probes(&node, "recovered"), script.requests().len()), (1, 4));
}

#[tokio::test(start_paused = true)]
async fn without_a_verdict_within_a_second_one_more_finds_out_and_the_others_are_sent_away() {
    let net = MemoryNet::new();
    let late = [vec![millis(1_500)], chat()].concat();
    let script = Script::play(&net, "a", vec![limited(5), late, chat()]);
    let node = Node::start(&net, once(in_turn(vec![with_keys("a", &["k"])]))).await;
    assert_eq!(ask(&node).await.status.as_u16(), 429);
    pass(6).await;
    let (a, b, c) = tokio::join!(ask(&node), ask(&node), ask(&node));
    let (served, sent_away): (Vec<Answer>, Vec<Answer>) =
        [a, b, c].into_iter().partition(|answer| answer.status.as_u16() == 200);
    assert_eq!((served.len(), sent_away.len(), script.requests().len()), (2, 1, 3));
    let id = sent_away[0].headers["x-request-id"].to_str().expect("text").to_owned();
    let record = node.get(&format!("/v0/operations/requests/{id}")).await.body;
    assert!(record.contains("\"excluded\":\"circuit_half_open_busy\""), "{record}");
    for answer in sent_away {
        assert_eq!(
            (answer.status.as_u16(), &answer.headers["retry-after"]),
            (429, &"1".parse().expect("a value"))
        );
        assert!(answer.body.contains("a/k (circuit_half_open_busy, 1 s)"), "{}", answer.body);
    }
    assert_eq!(probes(&node, "recovered"), 1);
    assert!(node.rest("a/k").is_some_and(|rest| rest.cleared && rest.round == 1));
    assert_eq!(ask(&node).await.body, CHAT);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_fails_lets_the_rest_go_on() {
    let net = MemoryNet::new();
    let failed = document("500 Internal Server Error", "{}");
    let script = Script::play(&net, "a", vec![limited(5), failed, chat()]);
    let node = Node::start(&net, once(in_turn(vec![with_keys("a", &["k"])]))).await;
    ask(&node).await;
    pass(6).await;
    assert_eq!(ask(&node).await.status.as_u16(), 502);
    assert_eq!((probes(&node, "failed"), script.requests().len()), (1, 2));
    let rest = node.rest("a/k").expect("a rest");
    assert!(rest.until.since(rest.started_at) > Duration::from_secs(60) && rest.streak == 2, "{rest:?}");
    assert_eq!(ask(&node).await.status.as_u16(), 503);
    assert_eq!(script.requests().len(), 2, "nobody is called until the new end");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_gives_the_permit_back() {
    let net = MemoryNet::new();
    let script = Script::play(&net, "a", vec![limited(5), vec![Step::Hang], chat()]);
    let node = Node::start(&net, once(in_turn(vec![with_keys("a", &["k"])]))).await;
    ask(&node).await;
    pass(6).await;
    let leaving = node.open(post("/v1/chat/completions", ASK));
    assert!(tokio::time::timeout(Duration::from_millis(300), leaving).await.is_err());
    pass(0).await;
    for _ in 0..1_000 {
        if probes(&node, "given_back") == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(ask(&node).await.body, CHAT);
    assert_eq!((probes(&node, "given_back"), probes(&node, "recovered"), script.requests().len()), (1, 1, 3));
}

#[tokio::test(start_paused = true)]
async fn what_the_provider_finds_wrong_with_a_request_is_no_verdict() {
    let net = MemoryNet::new();
    let wrong = document("400 Bad Request", r#"{"error":{"message":"no"}}"#);
    Script::play(&net, "a", vec![limited(5), wrong, chat()]);
    let node = Node::start(&net, once(in_turn(vec![with_keys("a", &["k"])]))).await;
    ask(&node).await;
    pass(6).await;
    assert_eq!(ask(&node).await.status.as_u16(), 400);
    assert_eq!((probes(&node, "given_back"), ask(&node).await.body.as_str()), (1, CHAT));
}

#[tokio::test(start_paused = true)]
async fn traffic_returns_little_by_little_rather_than_all_at_once() {
    let net = MemoryNet::new();
    let a = Script::play(&net, "a", vec![limited(5), chat()]);
    Script::play(&net, "b", vec![chat()]);
    let node = Node::start(&net, equals(vec![with_keys("a", &["ka"]), with_keys("b", &["kb"])])).await;
    while node.rest("a/ka").is_none() {
        assert_eq!(ask(&node).await.body, CHAT);
    }
    pass(6).await;
    while node.rest("a/ka").is_some_and(|rest| !rest.cleared) {
        assert_eq!(ask(&node).await.body, CHAT);
    }
    let share = async || {
        let before = a.requests().len();
        for _ in 0..100 {
            assert_eq!(ask(&node).await.body, CHAT);
        }
        a.requests().len() - before
    };
    let at_first = share().await;
    assert!((2..25).contains(&at_first), "{at_first} of 100 at once");
    pass(5).await;
    let halfway = share().await;
    assert!((at_first..45).contains(&halfway), "{halfway} of 100 halfway");
    pass(6).await;
    assert_eq!(share().await, 50);
}

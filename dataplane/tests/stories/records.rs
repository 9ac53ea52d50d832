//! What is kept of a request: why it went where it went, and how its calls ended.

use crate::{
    cooldown::{ask, pass},
    network::MemoryNet,
    node::{Answer, Node, in_turn, post, with_keys},
    script::{CHAT, Script, Step, chat, document, events, limited, send},
};
use cliproxy_domain::Hedge;
use serde_json::Value;
use std::time::Duration;

/// Gives what the node keeps of a request.
async fn kept(node: &Node, id: &str) -> Option<Value> {
    let answer = node.get(&format!("/v0/operations/requests/{id}")).await;
    match answer.status.as_u16() {
        200 => Some(serde_json::from_str::<Value>(&answer.body).expect("JSON")["request"].take()),
        404 => None,
        _ => panic!("{answer:?}"),
    }
}

async fn asked_as(node: &Node, id: &str) -> Answer {
    let mut request = post("/v1/chat/completions", crate::cooldown::ASK);
    request.headers_mut().insert("x-request-id", id.parse().expect("a value"));
    Answer::read(node.open(request).await).await
}

fn id(answer: &Answer) -> &str {
    answer.headers["x-request-id"].to_str().expect("text")
}

/// Gives one field of each attempt.
fn of_each<'a>(record: &'a Value, field: &str) -> Vec<&'a Value> {
    record["attempts"].as_array().expect("attempts").iter().map(|attempt| &attempt[field]).collect()
}

#[tokio::test(start_paused = true)]
async fn a_request_that_failed_is_kept_with_its_calls_and_its_decision() {
    let net = MemoryNet::new();
    Script::play(&net, "a", vec![limited(50)]);
    Script::play(&net, "b", vec![[vec![Step::Pause(Duration::from_millis(70))], limited(20)].concat()]);
    let node = Node::start(&net, in_turn(vec![with_keys("a", &["ka"]), with_keys("b", &["kb"])])).await;
    let answer = ask(&node).await;
    // The first of the two to be back, not the last that was asked.
    assert_eq!((answer.status.as_u16(), answer.headers["retry-after"].as_bytes()), (429, &b"20"[..]));
    let record = kept(&node, id(&answer)).await.expect("a record");
    assert_eq!(
        (&record["outcome"], &record["status"], &record["api"]),
        (&"rate_limit".into(), &429.into(), &"openai_chat".into())
    );
    assert_eq!(of_each(&record, "provider"), ["a", "b"]);
    assert_eq!(of_each(&record, "outcome"), ["rate_limit", "rate_limit"]);
    assert_eq!(of_each(&record, "http_status"), [429, 429]);
    assert_eq!(of_each(&record, "hint_ms"), [50_000, 20_000]);
    assert_eq!(of_each(&record, "took_ms"), [0, 70]);
    let then = of_each(&record, "then");
    assert_eq!(then[0], "next choice");
    assert!(then[1].as_str().expect("text").starts_with("gave up: "), "{then:?}");
    let candidates = record["decision"]["candidates"].as_array().expect("candidates");
    assert_eq!(
        (candidates.len(), &candidates[0]["provider"], &candidates[0]["place"]),
        (2, &"a".into(), &1.into())
    );
}

#[tokio::test(start_paused = true)]
async fn a_request_that_called_nobody_is_kept_with_the_reasons() {
    let net = MemoryNet::new();
    Script::play(&net, "a", vec![limited(50)]);
    let node = Node::start(&net, in_turn(vec![with_keys("a", &["ka"])])).await;
    ask(&node).await;
    pass(1).await;
    let answer = ask(&node).await;
    let record = kept(&node, id(&answer)).await.expect("a record");
    assert_eq!((&record["outcome"], of_each(&record, "then").len()), (&"no_target".into(), 0));
    let candidate = &record["decision"]["candidates"][0];
    assert_eq!((&candidate["excluded"], &candidate["cause"]), (&"cooldown".into(), &"rate_limit".into()));
}

#[tokio::test(start_paused = true)]
async fn of_those_that_succeed_a_sample_is_kept_chosen_by_their_ids() {
    let net = MemoryNet::new();
    Script::play(&net, "a", vec![chat()]);
    let node = Node::start(&net, in_turn(vec![with_keys("a", &["ka"])])).await;
    let mut all = Vec::new();
    for number in 0..400 {
        let id = format!("mine-{number}");
        assert_eq!(asked_as(&node, &id).await.body, CHAT);
        all.extend(kept(&node, &id).await);
    }
    assert!((1..20).contains(&all.len()), "{}", all.len());
    assert_eq!(of_each(&all[0], "then"), ["the answer went to the client"]);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_was_saved_by_another_call_is_kept_with_both() {
    let net = MemoryNet::new();
    Script::play(&net, "a", vec![document("500 Internal Server Error", "{}")]);
    Script::play(&net, "b", vec![chat()]);
    let node = Node::start(&net, in_turn(vec![with_keys("a", &["ka"]), with_keys("b", &["kb"])])).await;
    let answer = asked_as(&node, "mine-not-sampled").await;
    let record = kept(&node, "mine-not-sampled").await.expect("a record");
    assert_eq!((answer.body.as_str(), &record["outcome"]), (CHAT, &"success".into()));
    let outcomes = [&record["attempts"][0]["outcome"], &record["attempts"][1]["outcome"]];
    assert_eq!(outcomes, ["upstream_error", "success"]);
}

#[tokio::test(start_paused = true)]
async fn both_calls_of_a_request_that_got_a_second_one_are_in_its_record() {
    let content =
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi\"},\"finish_reason\":\"stop\"}]}\n\n";
    let stream =
        vec![Step::Pause(Duration::from_secs(1)), events(), send([content, "data: [DONE]\n\n"].concat())];
    let net = MemoryNet::new();
    Script::play(&net, "a", vec![vec![Step::Hang]]);
    Script::play(&net, "b", vec![stream]);
    let mut snapshot = in_turn(vec![with_keys("a", &["ka"]), with_keys("b", &["kb"])]);
    snapshot.policy.retries.hedge = Some(Hedge { after: Duration::from_secs(2), budget_percent: 100 });
    let node = Node::start(&net, snapshot).await;
    let mut record = None;
    for number in 0..1_000 {
        let id = format!("mine-{number}");
        let mut request = post("/v1/chat/completions", r#"{"model":"m","stream":true}"#);
        request.headers_mut().insert("x-request-id", id.parse().expect("a value"));
        assert!(Answer::read(node.open(request).await).await.body.contains("Hi"));
        record = kept(&node, &id).await;
        if record.is_some() {
            break;
        }
    }
    let record = record.expect("one in a hundred is sampled");
    assert_eq!(of_each(&record, "provider"), ["a", "b"]);
    assert_eq!(of_each(&record, "outcome"), ["outrun", "success"]);
    assert_eq!(of_each(&record, "started_ms"), [0, 2_000]);
    assert_eq!(of_each(&record, "took_ms"), [3_000, 1_000]);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_hung_up_is_kept_with_the_call_that_ended_with_it() {
    let net = MemoryNet::new();
    let script = Script::play(&net, "a", vec![vec![Step::Hang]]);
    let node = Node::start(&net, in_turn(vec![with_keys("a", &["ka"])])).await;
    let leaving = tokio::time::timeout(Duration::from_secs(1), asked_as(&node, "gone"));
    assert!(leaving.await.is_err());
    let mut record = None;
    for _ in 0..1_000 {
        record = kept(&node, "gone").await;
        if record.is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let record = record.expect("a record");
    assert_eq!(
        (&record["status"], of_each(&record, "outcome")),
        (&0.into(), vec![&Value::from("client_gone")])
    );
    assert_eq!(script.hung_up(), 1);
}

#[tokio::test(start_paused = true)]
async fn nothing_of_a_requests_content_and_no_key_is_kept() {
    let net = MemoryNet::new();
    Script::play(
        &net,
        "a",
        vec![document("500 Internal Server Error", r#"{"error":{"message":"their words"}}"#)],
    );
    let node = Node::start(&net, in_turn(vec![with_keys("a", &["main"])])).await;
    let body = r#"{"model":"m","user":"someone","messages":[{"role":"user","content":"private"}]}"#;
    let answer = node.ask("/v1/chat/completions", body).await;
    let record = kept(&node, id(&answer)).await.expect("a record").to_string();
    for content in ["private", "someone", "their words", "Bearer"] {
        assert!(!record.contains(content), "{content}: {record}");
    }
}

//! Gemini's streams without `alt=sse`: one JSON array, which must be valid however the stream ends.

use crate::{
    network::MemoryNet,
    node::{Answer, Node, in_turn, provider},
    script::{Script, Step, chunk, head, send},
};
use cliproxy_domain::ProviderKind;
use serde_json::Value;
use std::time::Duration;

const CONTENT: &str = r#"{"candidates":[{"content":{"parts":[{"text":"Hi"}],"role":"model"}}]}"#;
const STOP: &str = r#"{"candidates":[{"content":{"parts":[{"text":"!"}]},"finishReason":"STOP"}]}"#;

/// What a client of Gemini's API gets of an array that the only provider sends in these pieces, one after another.
async fn told(steps: Vec<Step>) -> (Node, Answer) {
    let net = MemoryNet::new();
    let apart = steps.into_iter().flat_map(|step| [step, Step::Pause(Duration::from_secs(1))]);
    Script::play(&net, "a", vec![apart.collect()]);
    let node = Node::start(&net, in_turn(vec![provider("a", ProviderKind::Gemini)])).await;
    let answer = node.ask("/v1beta/models/m:streamGenerateContent", r#"{"contents":[]}"#).await;
    (node, answer)
}

fn array() -> Step {
    head("200 OK", "application/json")
}

/// Reads the answer as a client does; gives the elements before the last, and the message of the error in that.
fn elements_and_error(answer: &Answer) -> (Vec<Value>, String) {
    let elements: Result<Vec<Value>, _> = serde_json::from_str(&answer.body);
    let mut elements = elements.unwrap_or_else(|error| panic!("{error}: {answer:?}"));
    let last = elements.pop().expect("an element");
    let message = last["error"]["message"].as_str().unwrap_or_else(|| panic!("no error: {answer:?}"));
    (elements, message.to_owned())
}

fn parsed(element: &str) -> Value {
    serde_json::from_str(element).expect("JSON")
}

#[tokio::test(start_paused = true)]
async fn an_array_passes_as_it_came() {
    let whole = format!("[{CONTENT}\n,\r\n{STOP}\n]\n");
    let (first, rest) = whole.split_at(whole.len() - 40);
    let (_, answer) = told(vec![array(), send(first), send(rest)]).await;
    assert_eq!((answer.body, answer.complete), (whole, true));
}

#[tokio::test(start_paused = true)]
async fn an_array_cut_anywhere_is_closed_after_an_error() {
    let rest = format!(",\r\n{STOP}\n");
    for cut in 0..=rest.len() {
        let (node, answer) = told(vec![array(), send(format!("[{CONTENT}")), send(&rest[..cut])]).await;
        let (elements, message) = elements_and_error(&answer);
        // The last element is whole one byte before the line end that follows it.
        let whole =
            if cut >= rest.len() - 1 { vec![parsed(CONTENT), parsed(STOP)] } else { vec![parsed(CONTENT)] };
        assert_eq!(
            (elements, message.as_str()),
            (whole, "the provider's stream ended early"),
            "cut at {cut}"
        );
        let broken = "cliproxy_attempts_total{provider=\"a\",outcome=\"stream_broken\"}";
        assert_eq!((node.metric(broken), answer.complete), (1, true));
    }
}

#[tokio::test(start_paused = true)]
async fn an_element_cut_in_the_piece_of_the_first_content_is_not_passed_on() {
    let (_, answer) = told(vec![array(), send(format!("[{CONTENT},{}", &STOP[..30]))]).await;
    assert_eq!(elements_and_error(&answer).0, [parsed(CONTENT)]);
}

#[tokio::test(start_paused = true)]
async fn an_element_that_never_goes_on_is_replaced_by_the_error() {
    let pieces = vec![array(), send(format!("[{CONTENT},")), send(&STOP[..30]), Step::Hang];
    let (_, answer) = told(pieces).await;
    let (elements, message) = elements_and_error(&answer);
    assert_eq!(elements, [parsed(CONTENT)]);
    assert!(message.contains("timeouts.idle"), "{message}");
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_breaks_within_an_element_is_told() {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
    let (_, answer) = told(vec![send(head), chunk(&format!("[{CONTENT}\n,")), chunk(&STOP[..30])]).await;
    let (elements, message) = elements_and_error(&answer);
    assert_eq!((elements, message.as_str()), (vec![parsed(CONTENT)], "the provider's answer broke off"));
}

#[tokio::test(start_paused = true)]
async fn an_element_that_nobody_can_read_is_replaced_by_the_error() {
    for pieces in [
        vec![send(format!("[{CONTENT},{STOP},{{\"usageMetadata\":what}}]"))],
        vec![send(format!("[{CONTENT},{STOP},{{\"usageMeta")), send("data\":what}]")],
    ] {
        let (_, answer) = told([vec![array()], pieces].concat()).await;
        let (elements, message) = elements_and_error(&answer);
        assert_eq!(elements, [parsed(CONTENT), parsed(STOP)]);
        assert_eq!(message, "the provider sent an event that is not valid JSON");
    }
}

#[tokio::test(start_paused = true)]
async fn a_providers_own_error_element_passes_as_it_came() {
    let error = r#"{"error":{"code":503,"message":"no","status":"UNAVAILABLE"}}"#;
    let whole = format!("[{CONTENT},{error}]");
    let (first, rest) = whole.split_at(whole.len() - 20);
    let (_, answer) = told(vec![array(), send(first), send(rest)]).await;
    assert_eq!(answer.body, whole);
}

/// An element that is too large to be held back flows; cut, it cannot be mended.
#[tokio::test(start_paused = true)]
async fn a_large_element_reaches_the_client_as_far_as_it_came() {
    let large = CONTENT.replace("Hi", &"x".repeat(100_000));
    let (first, rest) = large.split_at(70_000);
    let (_, answer) = told(vec![array(), send(format!("[{CONTENT},")), send(first), send(&rest[..9])]).await;
    assert_eq!(answer.body, format!("[{CONTENT},{}", &large[..70_009]));
}

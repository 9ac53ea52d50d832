//! Streams whose provider is slow to begin: clients are kept alive in their own dialect.

use crate::{CLIPROXY, apis::Api};
use cliproxy_testkit::{
    Answer, Client, Config, Launch, Process,
    mock::{Behaviour, ErrorKind, Latency, MockProvider, Rule},
    now, provider,
};
use futures_util::future::join_all;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// A piece of an answer, and when it came.
type Piece = (Duration, Vec<u8>);

/// An answer as it came: when its head did, then its pieces.
struct Told {
    head: Duration,
    pieces: Vec<Piece>,
    answer: Answer,
}

async fn gateway(rule: Rule) -> (Process, MockProvider) {
    let mock = provider("late", rule);
    let mut config = Config::new().set(&["server", "retries"], json!({"max_attempts": 1}));
    for kind in ["openai", "anthropic", "gemini"] {
        config = config.provider(kind, kind, &mock.base_url());
    }
    (Launch::new(CLIPROXY, "serve").config(config).ready().await, mock)
}

async fn listen(client: &Client, (path, body): (String, String)) -> Told {
    let asked: Instant = now();
    let client = client.clone().patience(Duration::from_secs(60));
    let mut stream = client.post_stream(&path, body).await;
    let head = now() - asked;
    let mut pieces = Vec::new();
    while let Some(piece) = stream.chunk().await.expect("the body ends properly") {
        pieces.push((now() - asked, piece.to_vec()));
    }
    let body = pieces.iter().flat_map(|(_, piece)| piece.clone()).collect::<Vec<u8>>();
    let answer = Answer { status: stream.status, headers: stream.headers.clone(), body: body.into() };
    Told { head, pieces, answer }
}

/// What keeps a client of each API alive: what its SDK neither shows nor trips over.
fn keep_alive(api: Api) -> &'static str {
    match api {
        Api::Chat | Api::Responses => ": keep-alive\n\n",
        Api::Messages => "event: ping\ndata: {\"type\":\"ping\"}\n\n",
        Api::Gemini => "\r\n",
    }
}

/// Gemini's other framing, which has no place for a keep-alive.
fn array() -> (String, String) {
    let (path, body) = Api::Gemini.request("gemini/model", true);
    (path.replace("?alt=sse", ""), body)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_whose_provider_is_slow_gets_its_head_and_keep_alives_and_then_the_answer() {
    let latency = Latency { time_to_first_token_ms: 27_000, ..Latency::default() };
    let (gateway, _mock) = gateway(Rule::new(Behaviour::Answer).latency(latency)).await;
    let client = gateway.client().await;
    let asked = Api::ALL.map(|api| listen(&client, api.request(&format!("{}/model", api.kind()), true)));
    let (told, array) = tokio::join!(join_all(asked), listen(&client, array()));
    for (api, told) in Api::ALL.into_iter().zip(told) {
        head_came_early(&told, "text/event-stream");
        let (first, rest) = told.pieces.split_first().expect("there are pieces");
        assert_eq!(String::from_utf8_lossy(&first.1), keep_alive(api), "{api:?}");
        assert!((20..27).contains(&first.0.as_secs()), "{api:?}: {:?}", first.0);
        assert!(rest.iter().all(|(at, _)| at.as_secs() >= 26), "{api:?}");
        let text = told.answer.text()[keep_alive(api).len()..].to_owned();
        assert!(text.contains("late"), "{api:?}: {text}");
        assert!(text.ends_with(if api == Api::Gemini { "}\r\n\r\n" } else { "\n\n" }), "{api:?}: {text:?}");
        let comments = told.answer.events().iter().filter(|event| !event.is_dispatched()).count();
        assert_eq!(comments, usize::from(keep_alive(api).starts_with(':')), "{api:?}");
    }
    head_came_early(&array, "application/json");
    assert!(array.pieces.iter().all(|(at, _)| at.as_secs() >= 26));
    assert!(array.answer.json().as_array().is_some_and(|events| !events.is_empty()));
}

fn head_came_early(told: &Told, kind: &str) {
    assert_eq!(told.answer.status, 200);
    assert!((8..20).contains(&told.head.as_secs()), "{:?}", told.head);
    assert!(told.answer.header("content-type").starts_with(kind), "{:?}", told.answer.headers);
    assert_eq!(told.answer.header("cache-control"), "no-cache");
    assert!(!told.answer.header("x-request-id").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_after_the_head_is_told_within_the_stream() {
    let latency = Latency { headers_ms: 12_000, ..Latency::default() };
    let (gateway, mock) = gateway(Rule::new(Behaviour::error(ErrorKind::ServerError)).latency(latency)).await;
    let client = gateway.client().await;
    let asked = Api::ALL.map(|api| listen(&client, api.request(&format!("{}/model", api.kind()), true)));
    let (told, array) = tokio::join!(join_all(asked), listen(&client, array()));
    for (api, told) in Api::ALL.into_iter().zip(told) {
        head_came_early(&told, "text/event-stream");
        let events = told.answer.events();
        let [event] = events.as_slice() else { panic!("{api:?}: {events:?}") };
        let value = event.json();
        match api {
            Api::Chat | Api::Messages | Api::Gemini => {
                let (kind, message) = api.error(&value);
                assert!(!kind.is_empty() && !message.is_empty(), "{api:?}: {value}");
            }
            // Its response was never announced: the flat event, which the SDK raises on.
            Api::Responses => {
                assert_eq!(value["type"], "error");
                assert!(value["message"].is_string() && value["code"].is_string(), "{value}");
            }
        }
        let name = match api {
            Api::Chat | Api::Gemini => None,
            Api::Responses | Api::Messages => Some("error"),
        };
        assert_eq!(event.name.as_deref(), name, "{api:?}");
    }
    head_came_early(&array, "application/json");
    let list: Vec<Value> = array.answer.json().as_array().cloned().expect("the array is closed");
    assert_eq!(list.len(), 1);
    Api::Gemini.error(&list[0]);
    assert_eq!(mock.totals().errors, 5);
}

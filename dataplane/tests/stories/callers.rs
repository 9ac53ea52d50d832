//! Clients with keys of their own: who is served, with what, and what is counted for whom.

use crate::{
    network::MemoryNet,
    node::{Answer, Node, in_turn, post, provider},
    script::{Script, Step, document, events, send},
};
use cliproxy_domain::{
    Client, ClientKey, KeyHash, ModelPattern, Price, PriceEntry, Priority, ProviderKind, RateLimits, Snapshot,
};
use http_body_util::BodyExt as _;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::time::Duration;

const CHAT_PATH: &str = "/v1/chat/completions";
const ASK: &str = r#"{"model":"m"}"#;
/// 1,000 prompt tokens and 100 generated ones.
const ANSWER: &str = r#"{"id":"1","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"Hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1000,"completion_tokens":100,"total_tokens":1100}}"#;
const COST: f64 = 0.0045;

/// A client whose key is its name with `-key` behind.
pub fn client(name: &str) -> Client {
    Client {
        name: name.into(),
        keys: vec![ClientKey { hash: hash(&format!("{name}-key")), expires_at: None }],
        models: Vec::new(),
        providers: Vec::new(),
        tags: [("team".to_owned(), "search".to_owned())].into(),
        rate_limit: RateLimits::default(),
        budgets: Vec::new(),
        priority: Priority::Normal,
    }
}

fn hash(key: &str) -> KeyHash {
    KeyHash(Sha256::digest(key.as_bytes()).into())
}

/// Adds clients to a configuration.
pub fn with_clients(mut snapshot: Snapshot, clients: Vec<Client>) -> Snapshot {
    snapshot.clients = clients.into_iter().map(|client| (client.name.clone(), client)).collect();
    snapshot
}

/// Two providers that serve `m` in turn, at 3 dollars for a million prompt tokens and 15 for as many generated ones.
fn priced() -> Snapshot {
    let provider = |name| {
        let price = PriceEntry::for_all(Price::new(3_000_000, 15_000_000), "config-t");
        cliproxy_domain::Provider { prices: vec![price], ..provider(name, ProviderKind::OpenAi) }
    };
    in_turn(vec![provider("a"), provider("b")])
}

/// Asks with this key; with none where it is empty.
pub async fn ask_as(node: &Node, key: &str, path: &str, body: &str) -> Answer {
    let mut request = post(path, body);
    if !key.is_empty() {
        request.headers_mut().insert("x-api-key", key.parse().expect("a value"));
    }
    Answer::read(node.open(request).await).await
}

fn error(answer: &Answer) -> Value {
    serde_json::from_str::<Value>(&answer.body).expect("JSON")["error"].take()
}

#[tokio::test(start_paused = true)]
async fn a_key_is_needed_and_goes_no_further() {
    let net = MemoryNet::new();
    let up = Script::play(&net, "a", vec![document("200 OK", ANSWER)]);
    let node = Node::start(&net, with_clients(priced(), vec![client("ci")])).await;
    let missing = ask_as(&node, "", CHAT_PATH, ASK).await;
    assert_eq!((missing.status.as_u16(), &error(&missing)["code"]), (401, &"missing_api_key".into()));
    let wrong = ask_as(&node, "ci-key-not", CHAT_PATH, ASK).await;
    assert_eq!((wrong.status.as_u16(), &error(&wrong)["code"]), (401, &"invalid_api_key".into()));
    assert!(!wrong.body.contains("ci-key"), "{}", wrong.body);
    assert!(up.requests().is_empty());
    let good = ask_as(&node, "ci-key", CHAT_PATH, ASK).await;
    assert_eq!(good.status, 200);
    assert!(!up.requests()[0].contains("ci-key"), "{:?}", up.requests());
}

#[tokio::test(start_paused = true)]
async fn a_refusal_speaks_the_clients_dialect() {
    let net = MemoryNet::new();
    let node = Node::start(&net, with_clients(priced(), vec![client("ci")])).await;
    let anthropic = ask_as(&node, "", "/v1/messages", ASK).await;
    assert_eq!(anthropic.status, 401);
    assert_eq!(error(&anthropic)["type"], "authentication_error");
    let gemini = ask_as(&node, "", "/v1beta/models/m:generateContent?key=nobodys", "{}").await;
    assert_eq!(error(&gemini)["status"], "UNAUTHENTICATED", "{}", gemini.body);
}

#[tokio::test(start_paused = true)]
async fn a_client_is_served_with_its_models_by_its_providers_alone() {
    let net = MemoryNet::new();
    let (a, b) = (
        Script::play(&net, "a", vec![document("200 OK", ANSWER)]),
        Script::play(&net, "b", vec![document("200 OK", ANSWER)]),
    );
    let only_b = Client {
        models: vec![ModelPattern::new("m"), ModelPattern::new("gpt-*")],
        providers: vec!["b".into()],
        ..client("ci")
    };
    let node = Node::start(&net, with_clients(priced(), vec![only_b, client("all")])).await;
    let served = ask_as(&node, "ci-key", CHAT_PATH, ASK).await;
    assert_eq!(
        (served.status.as_u16(), &served.headers["x-cliproxy-provider"]),
        (200, &"b".parse().unwrap())
    );
    let other = ask_as(&node, "ci-key", CHAT_PATH, r#"{"model":"b/claude"}"#).await;
    assert_eq!((other.status.as_u16(), &error(&other)["code"]), (403, &"model_not_allowed".into()));
    assert_eq!(
        error(&other)["message"],
        "client ci may not ask for the model `b/claude`: it may ask for `m`, `gpt-*`"
    );
    let pinned = ask_as(&node, "ci-key", CHAT_PATH, r#"{"model":"a/gpt-5"}"#).await;
    assert_eq!((pinned.status.as_u16(), &error(&pinned)["code"]), (403, &"provider_not_allowed".into()));
    assert_eq!(ask_as(&node, "all-key", CHAT_PATH, ASK).await.headers["x-cliproxy-provider"], "a");
    assert_eq!((a.requests().len(), b.requests().len()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn the_list_of_models_is_of_those_that_the_client_may_ask_for() {
    let mut named = provider("a", ProviderKind::OpenAi);
    named.models = vec![ModelPattern::new("gpt-5"), ModelPattern::new("gpt-5-mini")];
    let few = Client { models: vec![ModelPattern::new("*-mini")], ..client("few") };
    let none = Client { providers: vec!["b".into()], ..client("none") };
    let node =
        Node::start(&MemoryNet::new(), with_clients(in_turn(vec![named]), vec![few, none, client("all")]))
            .await;
    let list = async |key: &str| {
        let mut request = post("/v1/models", "");
        *request.method_mut() = http::Method::GET;
        request.headers_mut().insert("x-api-key", key.parse().expect("a value"));
        let answer = Answer::read(node.open(request).await).await;
        let list: Value = serde_json::from_str(&answer.body).expect("JSON");
        let ids = list["data"].as_array().expect("a list").iter().map(|model| model["id"].to_string());
        ids.collect::<Vec<_>>().join(",")
    };
    assert_eq!(list("few-key").await, r#""gpt-5-mini""#);
    assert_eq!(list("none-key").await, "");
    assert_eq!(list("all-key").await, r#""m","gpt-5","gpt-5-mini""#);
}

/// Gives the value of a series that may have a fraction.
fn dollars(node: &Node, series: &str) -> f64 {
    let text = node.metrics();
    let line = text.lines().find_map(|line| line.strip_prefix(series));
    line.map_or(0.0, |value| value.trim().parse().expect("a number"))
}

#[tokio::test(start_paused = true)]
async fn what_a_client_took_is_counted_for_it_with_what_it_cost() {
    let net = MemoryNet::new();
    Script::play(&net, "a", vec![document("500 Internal Server Error", "{}"), document("200 OK", ANSWER)]);
    Script::play(&net, "b", vec![document("200 OK", ANSWER)]);
    let node = Node::start(&net, with_clients(priced(), vec![client("ci")])).await;
    let mut request = post(CHAT_PATH, ASK);
    request.headers_mut().insert("authorization", "Bearer ci-key".parse().expect("a value"));
    request.headers_mut().insert("x-request-id", "mine-1".parse().expect("a value"));
    assert_eq!(Answer::read(node.open(request).await).await.status, 200);
    let of_client = |series: &str| format!("cliproxy_client_{series}");
    assert_eq!(node.metric(&of_client("requests_total{client=\"ci\",status=\"success\"}")), 1);
    assert_eq!(node.metric(&of_client("tokens_total{client=\"ci\",type=\"input\"}")), 1_000);
    assert_eq!(node.metric(&of_client("tokens_total{client=\"ci\",type=\"output\"}")), 100);
    assert_eq!(dollars(&node, &of_client("cost_usd_total{client=\"ci\"}")), COST);
    assert_eq!(dollars(&node, "cliproxy_cost_usd_total{provider=\"b\",model=\"up\"}"), COST);
    assert_eq!(dollars(&node, "cliproxy_cost_usd_total{provider=\"a\",model=\"up\"}"), 0.0);
    let mut kept = post("/v0/operations/requests/mine-1", "");
    *kept.method_mut() = http::Method::GET;
    let record = Answer::read(node.open(kept).await).await;
    let record = serde_json::from_str::<Value>(&record.body).expect("JSON")["request"].take();
    assert_eq!(record["client"], "ci");
    assert_eq!(record["key"], hash("ci-key").id().0);
    assert_eq!(record["tags"]["team"], "search");
    let last = record["attempts"].as_array().expect("attempts").last().expect("two");
    assert_eq!((&last["cost_usd"], &last["price"]), (&COST.into(), &"config-t".into()));
}

#[tokio::test(start_paused = true)]
async fn what_was_heard_before_a_hang_up_costs_the_client() {
    let net = MemoryNet::new();
    let content = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi\"}}]}\n\n";
    Script::play(&net, "a", vec![vec![events(), send(content), Step::Hang]]);
    let node = Node::start(&net, with_clients(priced(), vec![client("ci")])).await;
    let mut request = post(CHAT_PATH, r#"{"model":"m","stream":true}"#);
    request.headers_mut().insert("x-api-key", "ci-key".parse().expect("a value"));
    let mut response = node.open(request).await;
    response.frame().await.expect("a frame").expect("a good one");
    drop(response);
    while node.metric("cliproxy_attempts_total{provider=\"a\",outcome=\"client_gone\"}") == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(dollars(&node, "cliproxy_client_cost_usd_total{client=\"ci\"}") > 0.0, "{}", node.metrics());
    assert_eq!(node.metric("cliproxy_client_requests_total{client=\"ci\",status=\"error\"}"), 1);
}

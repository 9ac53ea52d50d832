//! What calls take of quotas: reserved before they are sent, counted while they are answered, settled at their end.

use crate::{
    network::MemoryNet,
    node::{Answer, Node, in_turn, post, provider},
    script::{CHAT, Script, Step, chat, document, events, refused, send},
};
use cliproxy_domain::{
    BudgetId, LimitSubject, Price, PriceEntry, Provider, ProviderKind, Quota, QuotaReset, QuotaUnit,
    Snapshot, SpentPolicy,
};
use http_body_util::BodyExt as _;
use std::time::Duration;

const PATH: &str = "/v1/chat/completions";
const STREAM: &str = r#"{"model":"m","stream":true}"#;
const CONTENT: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi\"}}]}\n\n";
const STOP: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
const DONE: &str = "data: [DONE]\n\n";

fn id(name: &str, unit: QuotaUnit) -> BudgetId {
    BudgetId { subject: LimitSubject::Provider(name.into()), unit }
}

fn tokens() -> BudgetId {
    id("a", QuotaUnit::Tokens)
}

fn with_quota(name: &str, quota: Quota) -> Provider {
    Provider { quota: Some(quota), ..provider(name, ProviderKind::OpenAi) }
}

fn daily(limit: u64, unit: QuotaUnit) -> Quota {
    Quota::new(limit, unit, QuotaReset::Daily)
}

async fn node_with(quota: Quota, answers: Vec<Vec<Step>>) -> (Node, Script) {
    let net = MemoryNet::new();
    let script = Script::play(&net, "a", answers);
    (Node::start(&net, in_turn(vec![with_quota("a", quota)])).await, script)
}

/// Waits until the node has counted so much.
async fn spends(node: &Node, id: &BudgetId, amount: u64) {
    for _ in 0..1_000 {
        if node.spent(id).0 == amount {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("{amount} are to be spent, and these are: {:?}", node.spent(id));
}

#[tokio::test(start_paused = true)]
async fn a_call_settles_by_the_providers_figures() {
    let (node, _) = node_with(daily(100_000, QuotaUnit::Tokens), vec![chat()]).await;
    assert_eq!(node.ask(PATH, r#"{"model":"m","max_tokens":500}"#).await.status, 200);
    assert_eq!(node.spent(&tokens()), (5, 99_995));
    assert_eq!(node.metric("cliproxy_quota_reservations_total{result=\"waited\"}"), 1, "for the first grant");
    assert_eq!(node.metric("cliproxy_quota_estimate_ratio_count{provider=\"a\"}"), 1);
}

#[tokio::test(start_paused = true)]
async fn concurrent_calls_never_pass_a_limit() {
    let net = MemoryNet::new();
    let slow = [vec![Step::Pause(Duration::from_millis(200))], document("200 OK", CHAT)].concat();
    let script = Script::play(&net, "a", vec![slow]);
    let node = Node::start(&net, in_turn(vec![with_quota("a", daily(100, QuotaUnit::Tokens))])).await;
    let body = r#"{"model":"m","max_tokens":10}"#;
    let asked = (0..40).map(|_| node.ask(PATH, body));
    let answers = futures_util::future::join_all(asked).await;
    let served = answers.iter().filter(|answer| answer.status == 200).count();
    let refused = answers.iter().filter(|answer| answer.status == 429).count();
    assert_eq!((served, served + refused), (script.requests().len(), 40));
    assert!((1..10).contains(&served), "each may take some thirty, so that {served} are too many at once");
    assert!(answers.iter().filter(|answer| answer.status == 429).all(|answer| {
        answer.body.contains("quota_unavailable") && answer.headers.contains_key("retry-after")
    }));
    for _ in 0..40 {
        node.ask(PATH, body).await;
    }
    let (spent, left) = node.spent(&tokens());
    assert_eq!(spent, script.requests().len() as u64 * 5, "as the provider counts");
    assert!(spent <= 100 && spent + left.unsigned_abs() == 100, "{spent} {left}");
    assert!(spent >= 60, "what is not used is used by others: {spent}");
}

#[tokio::test(start_paused = true)]
async fn a_quota_that_is_used_up_is_told_by_name_and_end_and_begins_anew() {
    let (node, script) = node_with(daily(2, QuotaUnit::Requests), vec![chat()]).await;
    for _ in 0..2 {
        assert_eq!(node.ask(PATH, r#"{"model":"m"}"#).await.status, 200);
    }
    let answer = node.ask(PATH, r#"{"model":"m"}"#).await;
    assert_eq!(answer.status, 429);
    let told: serde_json::Value = serde_json::from_str(&answer.body).expect("JSON");
    assert_eq!(told["error"]["code"], "quota_exhausted");
    assert_eq!(
        told["error"]["message"],
        "the quota of provider a (2 requests, daily) is used up until 2026-11-02T00:00:00Z"
    );
    let wait: u64 = answer.headers["retry-after"].to_str().expect("text").parse().expect("seconds");
    assert!((43_190..=43_200).contains(&wait), "{wait}");
    assert_eq!(script.requests().len(), 2);
    assert_eq!(node.metric("cliproxy_quota_reservations_total{result=\"exhausted\"}"), 1);
    tokio::time::sleep(Duration::from_secs(wait + 1)).await;
    assert_eq!(node.ask(PATH, r#"{"model":"m"}"#).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_spent_provider_is_left_out_and_the_next_one_serves() {
    let net = MemoryNet::new();
    let (a, b) = (Script::play(&net, "a", vec![chat()]), Script::play(&net, "b", vec![chat()]));
    let quota = daily(1, QuotaUnit::Requests);
    let snapshot = in_turn(vec![with_quota("a", quota), provider("b", ProviderKind::OpenAi)]);
    let node = Node::start(&net, snapshot).await;
    for served_by in ["a", "b", "b"] {
        let answer = node.ask(PATH, r#"{"model":"m"}"#).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.headers["x-cliproxy-provider"], served_by);
    }
    assert_eq!((a.requests().len(), b.requests().len()), (1, 2));
}

/// Reads one event of a stream, and goes away.
async fn hang_up(node: &Node) {
    let mut response = node.open(post(PATH, STREAM)).await;
    response.frame().await.expect("a frame").expect("a good one");
    drop(response);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_hangs_up_costs_what_it_heard() {
    let steps = vec![events(), send(CONTENT.repeat(7)), Step::Hang];
    let (node, _) = node_with(daily(100_000, QuotaUnit::Tokens), vec![steps]).await;
    hang_up(&node).await;
    // The prompt by its bytes, and one token an event.
    spends(&node, &tokens(), STREAM.len() as u64 / 4 + 7).await;
    assert_eq!(node.spent(&tokens()).1 + STREAM.len() as i64 / 4 + 7, 100_000, "the rest is there again");
}

#[tokio::test(start_paused = true)]
async fn a_response_in_the_background_costs_what_it_may_take_as_nobody_hears_what_it_takes() {
    let queued =
        r#"{"id":"resp_1","object":"response","status":"queued","model":"up","output":[],"usage":null}"#;
    let (node, _) = node_with(daily(100_000, QuotaUnit::Tokens), vec![document("200 OK", queued)]).await;
    let body = r#"{"model":"m","input":"hi","background":true,"max_output_tokens":7000}"#;
    let answer = node.ask("/v1/responses", body).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let (spent, left) = node.spent(&tokens());
    assert!((7_000..7_100).contains(&spent), "{spent}");
    assert_eq!(spent + left.unsigned_abs(), 100_000);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_given_up_before_its_answer_costs_its_prompt() {
    let (node, _) = node_with(daily(100_000, QuotaUnit::Tokens), vec![vec![Step::Hang]]).await;
    let waiting = tokio::time::timeout(Duration::from_secs(3), node.ask(PATH, r#"{"model":"m"}"#));
    assert!(waiting.await.is_err(), "nothing is answered yet");
    // 13 bytes, and what a message costs beside its text.
    spends(&node, &tokens(), 13_u64.div_ceil(3) + 16).await;
}

#[tokio::test(start_paused = true)]
async fn a_refused_call_costs_a_call_and_no_tokens() {
    let refusal = || vec![refused("400 Bad Request", "")];
    let (node, _) = node_with(daily(100_000, QuotaUnit::Tokens), refusal()).await;
    assert_eq!(node.ask(PATH, r#"{"model":"m"}"#).await.status, 400);
    assert_eq!(node.spent(&tokens()), (0, 100_000));
    let (node, _) = node_with(daily(10, QuotaUnit::Requests), refusal()).await;
    assert_eq!(node.ask(PATH, r#"{"model":"m"}"#).await.status, 400);
    assert_eq!(node.spent(&id("a", QuotaUnit::Requests)), (1, 9));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_reached_nobody_costs_nothing() {
    let net = MemoryNet::new();
    let snapshot = in_turn(vec![with_quota("nowhere", daily(10, QuotaUnit::Requests))]);
    let node = Node::start(&net, snapshot).await;
    assert_eq!(node.ask(PATH, r#"{"model":"m"}"#).await.status, 502);
    assert_eq!(node.spent(&id("nowhere", QuotaUnit::Requests)), (0, 10));
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_outgrows_its_quota_ends_as_one_that_reached_its_maximum() {
    // Forty for the prompt as it is reserved, and twenty that the model may say of what is left.
    let quota = Quota { reserve_output: 20, ..daily(60, QuotaUnit::Tokens) };
    let steps = vec![
        events(),
        send(CONTENT.repeat(200)),
        Step::Pause(Duration::from_millis(1)),
        send(CONTENT.repeat(200)),
        send(STOP),
        send(DONE),
    ];
    let (node, _) = node_with(quota, vec![steps]).await;
    let answer = node.ask(PATH, STREAM).await;
    assert!(answer.complete, "{answer:?}");
    let events: Vec<&str> = answer.body.split_terminator("\n\n").collect();
    assert_eq!(events.last(), Some(&"data: [DONE]"));
    let end: serde_json::Value =
        serde_json::from_str(&events[events.len() - 2]["data: ".len()..]).expect("JSON");
    assert_eq!(end["choices"][0]["finish_reason"], "length");
    assert!(events.len() < 400, "{}", events.len());
    assert_eq!(node.metric("cliproxy_quota_answers_ended_early_total"), 1);
    let (spent, left) = node.spent(&tokens());
    assert!(left < 0, "what came before it could be ended is counted: {spent}");
    assert!(node.metric("cliproxy_quota_overdraft_total{unit=\"tokens\"}") > 0);
    let refused = node.ask(PATH, STREAM).await;
    assert_eq!(refused.status, 429, "there is nothing left");

    let (kept, of_refused) = (record(&node, &answer).await, record(&node, &refused).await);
    assert_eq!(kept["outcome"], "success");
    assert_eq!(kept["why"], "ended early: no more was to be had of provider a (tokens)");
    assert_eq!(of_refused["code"], "quota_exhausted");
    let why = of_refused["why"].as_str().expect("text");
    assert!(why.starts_with("the quota of provider a (60 tokens, daily) is used up until "), "{why}");
}

/// Gives what is kept of a request.
async fn record(node: &Node, answer: &Answer) -> serde_json::Value {
    let id = answer.headers["x-request-id"].to_str().expect("text");
    let kept = node.get(&format!("/v0/operations/requests/{id}")).await;
    serde_json::from_str::<serde_json::Value>(&kept.body).expect("JSON")["request"].take()
}

/// A request about an image, which is far larger than it costs.
fn about_an_image() -> String {
    let image = format!("data:image/png;base64,{}", "A".repeat(400_000));
    let parts = format!(r#"[{{"type":"image_url","image_url":{{"url":"{image}"}}}}]"#);
    format!(r#"{{"model":"m","stream":true,"messages":[{{"role":"user","content":{parts}}}]}}"#)
}

#[tokio::test(start_paused = true)]
async fn a_stream_about_an_image_does_not_end_early_for_the_images_length() {
    let whole = [&CONTENT.repeat(40), STOP, DONE].concat();
    let (node, _) =
        node_with(daily(20_000, QuotaUnit::Tokens), vec![vec![events(), send(whole.clone())]]).await;
    let answer = node.ask(PATH, &about_an_image()).await;
    assert_eq!((answer.status.as_u16(), answer.body.as_str()), (200, whole.as_str()));
    assert_eq!(node.metric("cliproxy_quota_answers_ended_early_total"), 0);
    let (spent, left) = node.spent(&tokens());
    assert!((5_000..5_200).contains(&spent), "what an image costs at most, where nobody says it: {spent}");
    assert_eq!(spent + left.unsigned_abs(), 20_000);
}

#[tokio::test(start_paused = true)]
async fn a_large_answer_in_one_piece_costs_what_stands_at_its_end_and_nothing_more_meanwhile() {
    let said = "x".repeat(5 << 20);
    let usage = r#""usage":{"prompt_tokens":3,"completion_tokens":40,"total_tokens":43}"#;
    let body = format!(r#"{{"choices":[{{"index":0,"message":{{"content":"{said}"}}}}],{usage}}}"#);
    let (node, _) = node_with(daily(100_000, QuotaUnit::Tokens), vec![document("200 OK", &body)]).await;
    assert_eq!(node.ask(PATH, r#"{"model":"m","max_tokens":50}"#).await.body.len(), body.len());
    assert_eq!(node.spent(&tokens()), (43, 99_957));
    assert_eq!(node.metric("cliproxy_quota_overdraft_total{unit=\"tokens\"}"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_stream_may_go_on_to_its_end_where_the_quota_says_so() {
    let quota = Quota { reserve_output: 20, policy: SpentPolicy::Finish, ..daily(60, QuotaUnit::Tokens) };
    let whole = [&CONTENT.repeat(400), STOP, DONE].concat();
    let (node, _) = node_with(quota, vec![vec![events(), send(whole.clone())]]).await;
    assert_eq!(node.ask(PATH, STREAM).await.body, whole);
    spends(&node, &tokens(), STREAM.len() as u64 / 4 + 400).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_reserved_for_a_request_without_a_maximum_is_the_most_where_nothing_may_be_outgrown() {
    let quota = Quota { policy: SpentPolicy::RejectNew, ..daily(10_000, QuotaUnit::Tokens) };
    let (node, script) = node_with(quota, vec![chat()]).await;
    let refused = node.ask(PATH, r#"{"model":"m"}"#).await;
    assert_eq!(refused.status, 429, "the model may say more than there is");
    assert_eq!(node.ask(PATH, r#"{"model":"m","max_tokens":50}"#).await.status, 200);
    assert_eq!(script.requests().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_record_of_a_request_tells_what_was_reserved_and_spent() {
    let (node, _) = node_with(daily(1_000, QuotaUnit::Tokens), vec![refused("500 Oh", ""), chat()]).await;
    let answer = node.ask(PATH, r#"{"model":"m","max_tokens":50}"#).await;
    assert_eq!(answer.status, 200);
    let request = answer.headers["x-request-id"].to_str().expect("text");
    let record = node.get(&format!("/v0/operations/requests/{request}")).await;
    let record: serde_json::Value = serde_json::from_str(&record.body).expect("JSON");
    let record = &record["request"];
    assert_eq!(record["attempts"][0]["spent_tokens"], 0, "{record}");
    assert_eq!(record["attempts"][1]["spent_tokens"], 5, "{record}");
    assert!(record["attempts"][1]["reserved_tokens"].as_u64() > Some(50), "{record}");
}

#[tokio::test(start_paused = true)]
async fn a_quota_that_is_taken_away_holds_nobody_back() {
    let (node, _) = node_with(daily(1, QuotaUnit::Requests), vec![chat()]).await;
    assert_eq!(node.ask(PATH, r#"{"model":"m"}"#).await.status, 200);
    assert_eq!(node.ask(PATH, r#"{"model":"m"}"#).await.status, 429);
    let free: Snapshot = in_turn(vec![provider("a", ProviderKind::OpenAi)]);
    node.adopt(free);
    assert_eq!(node.ask(PATH, r#"{"model":"m"}"#).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_model_without_a_price_is_not_called_on_account_of_a_quota_in_dollars() {
    let (node, script) = node_with(daily(1_000_000_000, QuotaUnit::Usd), vec![chat()]).await;
    let answer = node.ask(PATH, r#"{"model":"m"}"#).await;
    assert_eq!(answer.status, 403, "{}", answer.body);
    let told: serde_json::Value = serde_json::from_str(&answer.body).expect("JSON");
    assert_eq!(told["error"]["code"], "no_price");
    assert_eq!(
        told["error"]["message"],
        "the model `up` of provider a has no price, so that the quota of provider a (1 US dollars, daily) cannot be \
         held: give `cost_per_1k_tokens` of the provider, or an entry of its `prices` for that model"
    );
    assert!(script.requests().is_empty());
    assert!(!answer.headers.contains_key("retry-after"), "no wait changes it");
    let request = answer.headers["x-request-id"].to_str().expect("text");
    let record = node.get(&format!("/v0/operations/requests/{request}")).await.body;
    assert!(record.contains("\"excluded\":\"no_price\""), "{record}");
    assert_eq!(node.metric("cliproxy_exclusions_total{reason=\"no_price\"}"), 1);
}

#[tokio::test(start_paused = true)]
async fn where_one_target_has_no_price_those_that_have_one_are_tried() {
    let net = MemoryNet::new();
    let (a, b) = (Script::play(&net, "a", vec![chat()]), Script::play(&net, "b", vec![chat()]));
    let (quota, price) = (daily(1_000_000_000, QuotaUnit::Usd), Price::new(1_000_000, 2_000_000));
    let priced = vec![PriceEntry::for_all(price, "config-t")];
    let b_priced = Provider { prices: priced, ..with_quota("b", quota.clone()) };
    let node = Node::start(&net, in_turn(vec![with_quota("a", quota), b_priced])).await;
    let answer = node.ask(PATH, r#"{"model":"m","max_tokens":10}"#).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!((a.requests().len(), b.requests().len()), (0, 1));
    assert!(node.spent(&id("b", QuotaUnit::Usd)).0 > 0);
}

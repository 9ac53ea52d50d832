//! What a node spends of limits that its control plane grants, and what it does while that one is away.

use crate::{
    control::{Control, ENDPOINT},
    network::MemoryNet,
    node::{Node, PausedClock, configuration, pass, until},
    provider::Provider,
};
use cliproxy_domain::{
    BudgetId, LimitSubject, LossMode, Quota, QuotaReset, QuotaUnit, RateGrant, RateId, RateKind, RateLimits,
    Snapshot,
};
use cliproxy_host::{Clock as _, MemoryDisk};
use std::time::Duration;

const DAY: Duration = Duration::from_secs(86_400);
/// What [`ask`] reserves for an answer of ten tokens.
const HELD: u64 = 67;
/// What the provider says that every answer took.
const EACH: u64 = 2;

fn tokens() -> BudgetId {
    BudgetId { subject: LimitSubject::Provider("a".into()), unit: QuotaUnit::Tokens }
}

fn limited(limit: u64, on_loss: LossMode) -> Snapshot {
    let mut snapshot = configuration(&["a"]);
    let provider = snapshot.providers.get_mut("a").expect("the provider");
    provider.quota = Some(Quota { on_loss, ..Quota::new(limit, QuotaUnit::Tokens, QuotaReset::Daily) });
    provider.health_check.enabled = false;
    snapshot
}

async fn node_of(net: &MemoryNet, disk: &MemoryDisk, snapshot: Snapshot) -> (Control, Node) {
    let control = Control::new(net, snapshot);
    control.begin();
    let node = Node::start(net, disk, &[ENDPOINT], None).await;
    until("the configuration", || node.live.known().is_some() && !node.live.is_cut_off()).await;
    (control, node)
}

async fn ask(node: &Node, max_tokens: u64) -> (u16, String) {
    let body =
        format!(r#"{{"model":"m","max_tokens":{max_tokens},"messages":[{{"role":"user","content":"hi"}}]}}"#);
    node.request("POST", "/v1/chat/completions", &body).await
}

/// Waits until the node has again what the first request took.
async fn holds_as_much_again(control: &Control) {
    until("as much again is held", || control.booked(&tokens()) == (EACH, HELD)).await;
    // And has heard of it.
    pass(Duration::from_millis(100)).await;
}

#[tokio::test(start_paused = true)]
async fn a_request_gets_its_slice_while_it_waits_and_what_it_spent_is_told_within_seconds() {
    let (net, disk) = (MemoryNet::default(), MemoryDisk::default());
    let a = Provider::play(&net, "a");
    let (control, node) = node_of(&net, &disk, limited(1_000, LossMode::Strict)).await;
    control.has_budget(&tokens(), 1_000, DAY);
    assert_eq!(ask(&node, 20).await.0, 200);
    until("it is told", || control.booked(&tokens()).0 == EACH).await;
    assert_eq!(a.asked().iter().filter(|asked| asked.starts_with("POST")).count(), 1);
    assert_eq!(node.metric("cliproxy_quota_reservations_total{result=\"waited\"}"), 1);
    node.stop().await;
    assert_eq!(control.booked(&tokens()), (EACH, 0), "what was left went back with the node");
}

#[tokio::test(start_paused = true)]
async fn the_period_is_known_before_the_first_request() {
    let (net, disk) = (MemoryNet::default(), MemoryDisk::default());
    let _a = Provider::play(&net, "a");
    let control = Control::new(&net, limited(1_000, LossMode::Strict));
    control.has_budget(&tokens(), 1_000, DAY);
    control.begin();
    let began = PausedClock.now();
    let node = Node::start(&net, &disk, &[ENDPOINT], None).await;
    let known =
        || node.live.limits().budget(&tokens()).is_some_and(|purse| purse.state(PausedClock.now()).is_some());
    until("the period", known).await;
    let took = PausedClock.now() - began;
    assert!(took < Duration::from_millis(200), "{took:?}");
    node.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_comes_after_its_claim_was_given_up_makes_no_period_longer() {
    let (net, disk) = (MemoryNet::default(), MemoryDisk::default());
    let (control, ends_in) = (Control::new(&net, limited(1_000, LossMode::Strict)), Duration::from_secs(60));
    control.quotas(|quotas| quotas.underway = Duration::from_secs(3));
    let ends = PausedClock.now() + ends_in;
    control.has_budget(&tokens(), 1_000, ends_in);
    control.begin();
    let node = Node::start(&net, &disk, &[ENDPOINT], None).await;
    for _ in 0..10 {
        pass(Duration::from_secs(1)).await;
        let limits = node.live.limits();
        let state = limits.budget(&tokens()).and_then(|purse| purse.state(PausedClock.passed()));
        if let Some(state) = state {
            assert!(PausedClock.now() + state.ends_in <= ends, "{state:?}");
        }
    }
    let limits = node.live.limits();
    let known = limits.budget(&tokens()).and_then(|purse| purse.state(PausedClock.passed()));
    assert!(known.is_some(), "and it is an answer all the same");
    node.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_outgrows_its_slice_halts_for_the_next_and_ends_only_where_there_is_none() {
    const SAID: &str =
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Well, well, well, well\"}}]}\n\n";
    const STOP: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
    const DONE: &str = "data: [DONE]\n\n";
    const ANSWER: [&str; 402] = {
        let mut pieces = [SAID; 402];
        (pieces[400], pieces[401]) = (STOP, DONE);
        pieces
    };
    for (limit, is_whole) in [(100_000, true), (1_000, false)] {
        let (net, disk) = (MemoryNet::default(), MemoryDisk::default());
        Provider::play(&net, "a").set_stream(&ANSWER);
        let mut snapshot = limited(limit, LossMode::Strict);
        let quota = snapshot.providers.get_mut("a").and_then(|provider| provider.quota.as_mut());
        quota.expect("a quota").reserve_output = 20;
        let (control, node) = node_of(&net, &disk, snapshot).await;
        control.has_budget(&tokens(), limit, DAY);
        control.quotas(|quotas| quotas.delay = Duration::from_millis(100));
        let (status, body) =
            node.request("POST", "/v1/chat/completions", r#"{"model":"m","stream":true}"#).await;
        assert_eq!(status, 200);
        assert!(body.ends_with(DONE), "{}", body.len());
        assert_eq!(body == ANSWER.concat(), is_whole, "{limit}: {}", body.len());
        assert_eq!(body.contains(r#""finish_reason":"length""#), !is_whole);
        let ended = node.metric("cliproxy_quota_answers_ended_early_total");
        assert_eq!(ended, if is_whole { 0 } else { 1 });
        if !is_whole {
            let used = || control.booked(&tokens()).0;
            until("it is booked", || used() > 0).await;
            assert!((900..1_050).contains(&used()), "nearly all of it was of use: {}", used());
        }
        node.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_busy_store_costs_a_request_time_and_not_its_answer() {
    let (net, disk) = (MemoryNet::default(), MemoryDisk::default());
    let _a = Provider::play(&net, "a");
    let (control, node) = node_of(&net, &disk, limited(1_000, LossMode::Strict)).await;
    control.has_budget(&tokens(), 1_000, DAY);
    control.quotas(|quotas| quotas.delay = Duration::from_millis(300));
    assert_eq!(ask(&node, 20).await.0, 200);
    // Whoever comes after a pause finds what the last one took.
    pass(Duration::from_secs(30)).await;
    let began = PausedClock.now();
    assert_eq!(ask(&node, 20).await.0, 200);
    let took = PausedClock.now() - began;
    assert!(took < Duration::from_millis(50), "{took:?}");
    node.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_request_that_has_another_choice_does_not_wait_for_a_busy_store() {
    let (net, disk) = (MemoryNet::default(), MemoryDisk::default());
    let (a, b) = (Provider::play(&net, "a"), Provider::play(&net, "b"));
    let mut snapshot = configuration(&["a", "b"]);
    let provider = snapshot.providers.get_mut("a").expect("the provider");
    provider.quota = Some(Quota::new(1_000, QuotaUnit::Tokens, QuotaReset::Daily));
    snapshot.providers.values_mut().for_each(|provider| provider.health_check.enabled = false);
    let (control, node) = node_of(&net, &disk, snapshot).await;
    control.has_budget(&tokens(), 1_000, DAY);
    control.quotas(|quotas| quotas.delay = Duration::from_millis(300));
    for _ in 0..2 {
        let began = PausedClock.now();
        assert_eq!(ask(&node, 20).await.0, 200);
        let took = PausedClock.now() - began;
        assert!(took < Duration::from_millis(100), "{took:?}");
    }
    let asked =
        |provider: &Provider| provider.asked().iter().filter(|asked| asked.starts_with("POST")).count();
    assert!(asked(&b) >= 1, "{} {}", asked(&a), asked(&b));
    node.stop().await;
}

#[tokio::test(start_paused = true)]
async fn many_requests_at_once_take_no_more_than_the_control_plane_has() {
    let (net, disk) = (MemoryNet::default(), MemoryDisk::default());
    let a = Provider::play(&net, "a");
    let (control, node) = node_of(&net, &disk, limited(100, LossMode::Strict)).await;
    control.has_budget(&tokens(), 100, DAY);
    for _ in 0..5 {
        let asked = (0..30).map(|_| ask(&node, 10));
        let answers = futures_util::future::join_all(asked).await;
        assert!(answers.iter().all(|(status, _)| matches!(status, 200 | 429)), "{answers:?}");
    }
    let served = a.asked().iter().filter(|asked| asked.starts_with("POST")).count() as u64;
    assert!(served * EACH <= 100 && served > 5, "{served}");
    until("all of it is told", || control.booked(&tokens()).0 == served * EACH).await;
    node.stop().await;
}

#[tokio::test(start_paused = true)]
async fn while_the_control_plane_is_away_what_is_held_is_spent_and_nothing_beyond() {
    let (net, disk) = (MemoryNet::default(), MemoryDisk::default());
    let a = Provider::play(&net, "a");
    let (control, node) = node_of(&net, &disk, limited(1_000, LossMode::Strict)).await;
    control.has_budget(&tokens(), 1_000, DAY);
    assert_eq!(ask(&node, 10).await.0, 200);
    holds_as_much_again(&control).await;
    control.end();
    until("the loss", || node.live.is_cut_off()).await;
    let mut served = 1;
    let refused = loop {
        let (status, body) = ask(&node, 10).await;
        if status != 200 {
            break (status, body);
        }
        served += 1;
        assert!(served * EACH <= 1_000);
    };
    assert_eq!(refused.0, 429);
    assert!(
        refused.1.contains("quota_unavailable") && refused.1.contains("no control plane"),
        "{}",
        refused.1
    );
    assert!(served > 1, "what it held was there to be spent");
    assert_eq!(a.asked().iter().filter(|asked| asked.starts_with("POST")).count() as u64, served);
    control.begin();
    until("the connection", || !node.live.is_cut_off()).await;
    until("what was spent is told", || control.booked(&tokens()).0 == served * EACH).await;
    control.limits_budget(&tokens(), 3_000);
    assert_eq!(ask(&node, 10).await.0, 200);
    node.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_control_plane_without_its_store_keeps_nobody_from_what_is_held_and_lets_nothing_else_through() {
    let (net, disk) = (MemoryNet::default(), MemoryDisk::default());
    let _a = Provider::play(&net, "a");
    let (control, node) = node_of(&net, &disk, limited(1_000, LossMode::Strict)).await;
    control.has_budget(&tokens(), 1_000, DAY);
    assert_eq!(ask(&node, 10).await.0, 200);
    holds_as_much_again(&control).await;
    control.quotas(|quotas| quotas.hold = true);
    assert_eq!(ask(&node, 10).await.0, 200, "that much is held");
    let (status, body) = ask(&node, 900).await;
    assert_eq!(status, 429);
    assert!(body.contains("quota_unavailable"), "{body}");
    control.quotas(|quotas| quotas.hold = false);
    pass(Duration::from_secs(4)).await;
    assert_eq!(ask(&node, 700).await.0, 200);
    node.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_optimistic_quota_holds_nobody_back_while_the_control_plane_is_away() {
    let (net, disk) = (MemoryNet::default(), MemoryDisk::default());
    let _a = Provider::play(&net, "a");
    let (control, node) = node_of(&net, &disk, limited(50, LossMode::Optimistic)).await;
    control.has_budget(&tokens(), 50, DAY);
    assert_eq!(ask(&node, 500).await.0, 429, "it holds while somebody grants");
    control.end();
    until("the loss", || node.live.is_cut_off()).await;
    assert_eq!(ask(&node, 500).await.0, 200);
    for _ in 0..40 {
        assert_eq!(ask(&node, 500).await.0, 200);
    }
    assert!(node.metric("cliproxy_quota_reservations_total{result=\"unlimited\"}") > 0);
    control.begin();
    until("all of it is booked", || control.booked(&tokens()).0 == 41 * EACH).await;
    assert_eq!(ask(&node, 500).await.0, 429, "it holds again");
    node.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_a_node_that_starts_during_the_loss_serves_optimistically_is_booked_when_the_period_is_known() {
    let (net, disk) = (MemoryNet::default(), MemoryDisk::default());
    let _a = Provider::play(&net, "a");
    let (control, node) = node_of(&net, &disk, limited(50, LossMode::Optimistic)).await;
    control.has_budget(&tokens(), 50, DAY);
    control.end();
    node.stop().await;
    let node = Node::start(&net, &disk, &[ENDPOINT], None).await;
    pass(Duration::from_secs(4)).await;
    for _ in 0..10 {
        assert_eq!(ask(&node, 500).await.0, 200);
    }
    control.begin();
    until("all of it is booked", || control.booked(&tokens()).0 == 10 * EACH).await;
    node.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_recall_is_answered_at_once() {
    let (net, disk) = (MemoryNet::default(), MemoryDisk::default());
    let _a = Provider::play(&net, "a");
    let (control, node) = node_of(&net, &disk, limited(1_000, LossMode::Strict)).await;
    control.has_budget(&tokens(), 1_000, DAY);
    assert_eq!(ask(&node, 100).await.0, 200);
    assert!(control.booked(&tokens()).1 > 0);
    let began = PausedClock.now();
    control.recalls(&tokens());
    until("it went back", || control.booked(&tokens()).1 == 0).await;
    let took = PausedClock.now() - began;
    assert!(took < Duration::from_millis(100), "{took:?}");
    node.stop().await;
}

/// Has the node hear of another configuration, as one that connects anew.
async fn reconfigure(control: &Control, node: &Node, snapshot: Snapshot) {
    control.configure_next(snapshot);
    control.end();
    until("the loss", || node.live.is_cut_off()).await;
    control.begin();
    until("the next configuration", || !node.live.is_cut_off()).await;
}

#[tokio::test(start_paused = true)]
async fn a_budget_that_is_put_back_is_not_held_twice() {
    let (net, disk) = (MemoryNet::default(), MemoryDisk::default());
    let _a = Provider::play(&net, "a");
    let (control, node) = node_of(&net, &disk, limited(1_000, LossMode::Strict)).await;
    control.has_budget(&tokens(), 1_000, DAY);
    assert_eq!(ask(&node, 500).await.0, 200);
    for _ in 0..2 {
        reconfigure(&control, &node, configuration(&["a"])).await;
        until("its last word", || node.live.limits().budget(&tokens()).is_none()).await;
        assert_eq!(control.booked(&tokens()).1, 0);
        reconfigure(&control, &node, limited(1_000, LossMode::Strict)).await;
        for _ in 0..1_000 {
            pass(Duration::from_millis(1)).await;
            let limits = node.live.limits();
            let held = limits.budget(&tokens()).and_then(|purse| purse.state(PausedClock.now()));
            let (balance, out) = (held.map_or(0, |held| held.balance), control.booked(&tokens()).1);
            assert!(u64::try_from(balance).unwrap_or(0) <= out, "{held:?}, and {out} are out");
        }
        assert_eq!(ask(&node, 500).await.0, 200);
    }
    node.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_a_killed_node_held_comes_back_with_its_next_start() {
    let (net, disk) = (MemoryNet::default(), MemoryDisk::default());
    let _a = Provider::play(&net, "a");
    let (control, node) = node_of(&net, &disk, limited(1_000, LossMode::Strict)).await;
    control.has_budget(&tokens(), 1_000, DAY);
    assert_eq!(ask(&node, 500).await.0, 200);
    until("it is told", || control.booked(&tokens()).0 == EACH).await;
    let held = control.booked(&tokens()).1;
    assert!(held > 400, "{held}");
    node.die();
    let node = Node::start(&net, &disk, &[ENDPOINT], None).await;
    until("it is back", || control.booked(&tokens()).1 == 0).await;
    let spent = control.booked(&tokens()).0;
    // The journal is ahead of what is spent by a sixteenth of what is held, or by one request.
    assert!((EACH..100).contains(&spent), "next to nothing is stranded: {spent}");
    assert_eq!(ask(&node, 500).await.0, 200);
    node.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_credential_at_its_requests_per_minute_is_left_out_and_told() {
    let (net, disk) = (MemoryNet::default(), MemoryDisk::default());
    let _a = Provider::play(&net, "a");
    let mut snapshot = configuration(&["a"]);
    let provider = snapshot.providers.get_mut("a").expect("the provider");
    provider.credentials[0].rate_limit = RateLimits { requests_per_minute: Some(3), ..RateLimits::default() };
    let (control, node) = node_of(&net, &disk, snapshot).await;
    let subject = LimitSubject::Credential("a".into(), "main".into());
    let id = RateId { subject, kind: RateKind::RequestsPerMinute };
    let ttl = Duration::from_secs(10);
    control.has_rate(RateGrant { id, share: 3, ttl, safe_share: 1, limit: 3, recall: false });
    // Callers without a class of their own may use 95 % of it, rounded up.
    for _ in 0..3 {
        assert_eq!(ask(&node, 10).await.0, 200);
    }
    let (status, body) = ask(&node, 10).await;
    assert_eq!(status, 429);
    assert!(body.contains("rate_limit_exceeded") && body.contains("3 requests per minute"), "{body}");
    pass(Duration::from_secs(62)).await;
    assert_eq!(ask(&node, 10).await.0, 200);
    node.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_node_that_stops_keeps_no_more_of_a_share_than_it_used() {
    let (net, disk) = (MemoryNet::default(), MemoryDisk::default());
    let _a = Provider::play(&net, "a");
    let mut snapshot = configuration(&["a"]);
    let provider = snapshot.providers.get_mut("a").expect("the provider");
    let rates = RateLimits { requests_per_minute: Some(100), ..RateLimits::default() };
    provider.credentials[0].rate_limit = rates;
    let (control, node) = node_of(&net, &disk, snapshot).await;
    let subject = LimitSubject::Credential("a".into(), "main".into());
    let id = RateId { subject, kind: RateKind::RequestsPerMinute };
    let ttl = Duration::from_secs(10);
    control.has_rate(RateGrant { id, share: 50, ttl, safe_share: 45, limit: 100, recall: false });
    assert_eq!(ask(&node, 10).await.0, 200);
    node.stop().await;
    let claims = control.told().claims;
    let last = claims.last().and_then(|claims| claims.rates.first()).expect("a last word");
    assert_eq!((last.closing, last.held, last.demand), (true, 1, 0));
}

#[tokio::test(start_paused = true)]
async fn what_a_provider_says_of_its_limits_is_told_to_all() {
    let (net, disk) = (MemoryNet::default(), MemoryDisk::default());
    let a = Provider::play(&net, "a");
    let mut snapshot = configuration(&["a"]);
    let provider = snapshot.providers.get_mut("a").expect("the provider");
    provider.credentials[0].rate_limit =
        RateLimits { requests_per_minute: Some(100), ..RateLimits::default() };
    let (control, node) = node_of(&net, &disk, snapshot).await;
    let subject = LimitSubject::Credential("a".into(), "main".into());
    let id = RateId { subject, kind: RateKind::RequestsPerMinute };
    let ttl = Duration::from_secs(10);
    control.has_rate(RateGrant { id, share: 50, ttl, safe_share: 45, limit: 100, recall: false });
    a.set_headers(&[
        ("x-ratelimit-limit-requests", "60"),
        ("x-ratelimit-remaining-requests", "59"),
        ("x-ratelimit-reset-requests", "1s"),
    ]);
    assert_eq!(ask(&node, 10).await.0, 200);
    let is_told = || {
        let claims = control.told().claims;
        let rates = claims.iter().flat_map(|claim| &claim.rates);
        rates.filter_map(|rate| rate.upstream.as_ref()).any(|said| said.limit == 60)
    };
    until("it is told", is_told).await;
    node.stop().await;
}

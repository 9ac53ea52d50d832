use super::*;
use crate::{
    authenticate::Caller,
    decode::{Delivery, UpstreamPath},
    refusal::{QUOTA_UNAVAILABLE, RATE_LIMITED},
    upstream::Upstreams,
};
use bytes::Bytes;
use cliproxy_domain::{
    Client, ConfigId, Dialect, ErrorClass, LimitSubject, LossMode, RateGrant, RateId, RateLimits, Snapshot,
};
use cliproxy_host::{Peer, SystemClock, SystemNet};

fn client(rate_limit: RateLimits) -> Client {
    Client {
        name: "ci".into(),
        keys: Vec::new(),
        models: Vec::new(),
        providers: Vec::new(),
        tags: Default::default(),
        rate_limit,
        budgets: Vec::new(),
        priority: Priority::Low,
    }
}

fn gate(rate_limit: RateLimits) -> Gate {
    let live = Live::new(Upstreams::new(Arc::new(SystemNet)).unwrap(), 0);
    let client = client(rate_limit);
    let clients = [(client.name.clone(), client)].into();
    live.adopt(ConfigId(1), Snapshot { clients, ..Snapshot::default() }).unwrap();
    live.set_cut_off(false);
    let leases = Arc::new(LeaseWatch::new(false, SystemClock.now()));
    Gate { live: Arc::new(live), clock: Arc::new(SystemClock), leases }
}

/// Gives this node so much of a rate.
fn grant(gate: &Gate, kind: RateKind, share: u64) {
    let id = RateId { subject: LimitSubject::Client("ci".into()), kind };
    let limits = gate.live.limits();
    let rate = limits.rate(&id).unwrap();
    let limit = rate.state(gate.clock.passed()).limit;
    let _claim = rate.claim(1, gate.clock.passed());
    let ttl = Duration::from_secs(600);
    rate.apply(&RateGrant { id, share, ttl, safe_share: 0, limit, recall: false }, 1);
    gate.live.lease_news().granted();
}

fn limits(requests: Option<u64>, tokens: Option<u64>, open: Option<u64>) -> RateLimits {
    RateLimits {
        requests_per_minute: requests,
        tokens_per_minute: tokens,
        concurrent_requests: open,
        on_loss: LossMode::Safe,
    }
}

fn call(body: &'static str) -> Call {
    let caller = Caller {
        client: Some(Arc::new(client(RateLimits::default()))),
        ..Caller::anonymous(Peer { address: ([127, 0, 0, 1], 1).into() })
    };
    Call {
        id: "r".into(),
        caller,
        started: SystemClock.now(),
        dialect: Dialect::OpenAiChat,
        operation: Operation::Generate,
        delivery: Delivery::Whole,
        model: "m".into(),
        model_spans: Vec::new(),
        session: None,
        path: UpstreamPath::Fixed("/chat/completions"),
        query: None,
        headers: Default::default(),
        body: Bytes::from_static(body.as_bytes()),
        size: Default::default(),
    }
}

const AWAY: Duration = Duration::from_secs(5);
const SMALL: &str = r#"{"max_tokens":10,"messages":[]}"#;

#[tokio::test(start_paused = true)]
async fn a_client_asks_as_often_as_its_limit_says_whatever_its_class() {
    let gate = gate(limits(Some(3), None, None));
    grant(&gate, RateKind::RequestsPerMinute, 3);
    for _ in 0..3 {
        assert!(gate.admit(&call(SMALL)).await.is_ok());
    }
    let refusal = gate.admit(&call(SMALL)).await.err().unwrap();
    assert_eq!((refusal.class, refusal.code), (ErrorClass::RateLimit, Some(RATE_LIMITED)));
    assert_eq!(refusal.message, "the limit of client ci is reached: 3 requests per minute");
    let wait = refusal.retry_after.unwrap();
    assert!(wait > Duration::from_secs(55) && wait <= Duration::from_secs(62), "{wait:?}");
    tokio::time::advance(wait).await;
    assert!(gate.admit(&call(SMALL)).await.is_ok(), "it may ask again when it was told that it may");
}

#[tokio::test(start_paused = true)]
async fn who_finds_too_little_waits_for_more_and_not_for_long() {
    let gate = Arc::new(gate(limits(Some(10), None, None)));
    grant(&gate, RateKind::RequestsPerMinute, 1);
    assert!(gate.admit(&call(SMALL)).await.is_ok());
    // The configuration was news.
    gate.live.lease_news().wanted().await;
    let waiting = tokio::spawn({
        let gate = Arc::clone(&gate);
        async move { gate.admit(&call(SMALL)).await.is_ok() }
    });
    gate.live.lease_news().wanted().await;
    grant(&gate, RateKind::RequestsPerMinute, 2);
    assert!(waiting.await.unwrap());
    let began = SystemClock.now();
    assert!(gate.admit(&call(SMALL)).await.is_err());
    assert_eq!(SystemClock.now() - began, MOST_WAIT);
}

#[tokio::test(start_paused = true)]
async fn who_asks_before_anything_was_granted_waits_for_that_and_is_not_called_too_fast() {
    let gate = Arc::new(gate(limits(Some(10), None, None)));
    let asks = |gate: &Arc<Gate>| {
        let gate = Arc::clone(gate);
        tokio::spawn(async move { gate.admit(&call(SMALL)).await.is_ok() })
    };
    let waiting = asks(&gate);
    tokio::time::sleep(LAST_WAIT / 2).await;
    assert!(!waiting.is_finished(), "the store is busy");
    grant(&gate, RateKind::RequestsPerMinute, 1);
    assert!(waiting.await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_a_control_plane_that_is_away() {
    let gate = gate(limits(Some(10), None, None));
    gate.live.set_cut_off(true);
    tokio::time::advance(Duration::from_secs(3)).await;
    let began = SystemClock.now();
    let refusal = gate.admit(&call(SMALL)).await.err().unwrap();
    assert_eq!((refusal.code, refusal.retry_after), (Some(QUOTA_UNAVAILABLE), Some(AWAY)));
    assert_eq!(SystemClock.now(), began);
}

#[tokio::test(start_paused = true)]
async fn what_a_strict_limit_has_no_more_of_without_a_control_plane_is_not_called_reached() {
    for (on_loss, share, told) in [
        (LossMode::Strict, 1, QUOTA_UNAVAILABLE),
        (LossMode::Strict, 0, QUOTA_UNAVAILABLE),
        (LossMode::Strict, 10, RATE_LIMITED),
        (LossMode::Safe, 1, RATE_LIMITED),
    ] {
        let gate = gate(RateLimits { on_loss, ..limits(Some(10), None, None) });
        grant(&gate, RateKind::RequestsPerMinute, share);
        gate.leases.answered();
        gate.live.set_cut_off(true);
        for _ in 0..share {
            assert!(gate.admit(&call(SMALL)).await.is_ok());
        }
        let refusal = gate.admit(&call(SMALL)).await.err().unwrap();
        assert_eq!(refusal.code, Some(told), "{on_loss:?} with a share of {share}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_place_among_the_open_requests_is_free_again_when_one_ends() {
    let gate = gate(limits(Some(10), None, Some(1)));
    grant(&gate, RateKind::RequestsPerMinute, 10);
    grant(&gate, RateKind::ConcurrentRequests, 1);
    let mut open = gate.admit(&call(SMALL)).await.unwrap();
    let refusal = gate.admit(&call(SMALL)).await.err().unwrap();
    assert_eq!(refusal.message, "the limit of client ci is reached: 1 requests at the same time");
    let limits = gate.live.limits();
    let requests = limits.of_client(&"ci".into()).unwrap().rate(RateKind::RequestsPerMinute).unwrap();
    assert_eq!(
        requests.rate.state(gate.clock.passed()).used,
        1,
        "what is refused takes nothing of the others"
    );
    open.settle(5);
    assert!(gate.admit(&call(SMALL)).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn tokens_count_as_estimated_and_then_as_they_were() {
    let gate = gate(limits(None, Some(1_000), None));
    grant(&gate, RateKind::TokensPerMinute, 1_000);
    let used = || {
        let limits = gate.live.limits();
        let held = limits.of_client(&"ci".into()).unwrap();
        held.rates[0].rate.state(gate.clock.passed()).used
    };
    let mut toll = gate.admit(&call(r#"{"max_tokens":64000,"messages":[]}"#)).await.unwrap();
    let estimated = used();
    assert!((125..250).contains(&estimated), "an eighth of the limit for the answer: {estimated}");
    toll.settle(700);
    assert_eq!(used(), 700);
    let mut handed_on = gate.admit(&call(SMALL)).await.unwrap();
    assert!(used() > 700);
    handed_on.undo();
    assert_eq!(used(), 700, "who serves it counts it");
}

#[tokio::test(start_paused = true)]
async fn what_is_larger_than_the_whole_limit_is_told_not_to_come_again() {
    let gate = gate(limits(None, Some(20), None));
    grant(&gate, RateKind::TokensPerMinute, 20);
    let large =
        r#"{"messages":[{"role":"user","content":"a long text of many words that is more than the limit"}]}"#;
    let refusal = gate.admit(&call(large)).await.err().unwrap();
    assert_eq!((refusal.class, refusal.code), (ErrorClass::SpendOrDailyLimit, Some(RATE_LIMITED)));
    assert_eq!(refusal.retry_after, None);
}

#[tokio::test(start_paused = true)]
async fn a_client_without_limits_takes_nothing() {
    let gate = gate(RateLimits::default());
    assert!(gate.admit(&call(SMALL)).await.unwrap().taken.is_empty());
}

//! What clients are told where the control plane's word on quotas keeps every target out.

use crate::{
    control::{Control, ENDPOINT},
    network::MemoryNet,
    node::{Node, PausedClock, configuration, until},
    provider::Provider,
};
use cliproxy_domain::{
    BudgetId, Cooldown, CooldownCause, CooldownKey, Evidence, Hint, LimitSubject, NodeId, Permit, Quota,
    QuotaReset, QuotaSignal, QuotaUnit, Snapshot, WallTime,
};
use cliproxy_host::{Clock as _, MemoryDisk};
use serde_json::Value;
use std::time::Duration;

const BODY: &str = r#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#;

fn after(seconds: u64) -> WallTime {
    PausedClock.wall().plus(Duration::from_secs(seconds))
}

fn of_provider(name: &str) -> LimitSubject {
    LimitSubject::Provider(name.into())
}

fn used_up(subject: LimitSubject, resets_at: WallTime) -> Hint {
    let budget = BudgetId { subject, unit: QuotaUnit::Tokens };
    Hint::Quota(QuotaSignal { revision: 1, budget, used: 100, leased: 0, spent_at: None, resets_at })
}

/// Two providers, each with a quota, as their keys have.
fn limited() -> Snapshot {
    let mut snapshot = configuration(&["a", "b"]);
    let quota = Some(Quota::new(100, QuotaUnit::Tokens, QuotaReset::Daily));
    for provider in snapshot.providers.values_mut() {
        provider.health_check.enabled = false;
        provider.credentials[0].quota.clone_from(&quota);
        provider.quota.clone_from(&quota);
    }
    snapshot
}

/// Gives the status and the error of a request at a node that was told `hints`; no provider hears of it.
async fn told(hints: Vec<Hint>) -> (u16, Value) {
    let (net, disk) = (MemoryNet::default(), MemoryDisk::default());
    let (a, b) = (Provider::play(&net, "a"), Provider::play(&net, "b"));
    let control = Control::new(&net, limited());
    hints.into_iter().for_each(|hint| control.say_at_first(hint));
    control.begin();
    let node = Node::start(&net, &disk, &[ENDPOINT], None).await;
    until("the configuration", || node.live.known().is_some() && !node.live.is_cut_off()).await;
    let (status, body) = node.request("POST", "/v1/chat/completions", BODY).await;
    node.stop().await;
    assert!(a.asked().iter().chain(&b.asked()).all(|asked| !asked.starts_with("POST")));
    let mut told: Value = serde_json::from_str(&body).expect("JSON");
    (status, told["error"].take())
}

#[tokio::test(start_paused = true)]
async fn where_every_quota_is_used_up_the_one_that_begins_anew_first_is_named() {
    let (sooner, later) = (after(100), after(200));
    let (status, error) =
        told(vec![used_up(of_provider("a"), later), used_up(of_provider("b"), sooner)]).await;
    assert_eq!((status, &error["code"]), (429, &"quota_exhausted".into()), "{error}");
    let message = format!("the quota of provider b (100 tokens, daily) is used up until {sooner}");
    assert_eq!(error["message"], message);
}

#[tokio::test(start_paused = true)]
async fn the_quota_of_a_key_that_is_used_up_is_named_as_that() {
    let (sooner, later) = (after(100), after(200));
    let key = LimitSubject::Credential("b".into(), "main".into());
    let (status, error) = told(vec![used_up(of_provider("a"), later), used_up(key, sooner)]).await;
    assert_eq!((status, &error["code"]), (429, &"quota_exhausted".into()), "{error}");
    let message = format!("the quota of credential b/main (100 tokens, daily) is used up until {sooner}");
    assert_eq!(error["message"], message);
}

#[tokio::test(start_paused = true)]
async fn where_another_reason_keeps_a_target_out_all_reasons_are_told() {
    let rest = Cooldown {
        key: CooldownKey::provider("b".into()),
        epoch: 1,
        round: 0,
        started_at: PausedClock.wall(),
        until: after(50),
        cleared: false,
        cause: CooldownCause::Error,
        source: NodeId::from("other"),
        permit: Permit::default(),
        streak: 0,
        evidence: Evidence::default(),
    };
    let (status, error) = told(vec![used_up(of_provider("a"), after(100)), Hint::Cooldown(rest)]).await;
    assert_eq!((status, &error["code"]), (503, &"all_targets_resting".into()), "{error}");
    let message = error["message"].as_str().expect("text");
    assert!(message.contains("a (quota_exhausted, ") && message.contains("b/main (cooldown: "), "{message}");
}

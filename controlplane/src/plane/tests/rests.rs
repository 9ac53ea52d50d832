//! What rests for what all nodes report, and what does not.

use super::{harness::*, node::TestNode};
use cliproxy_domain::{
    AuditEntry, AuditQuery, Cooldown, CooldownCause, CooldownKey, Hint, LedgerKey, Quota, QuotaReset,
    QuotaUnit, Secret, UrgentEvent, UrgentKind, audit::SYSTEM,
};
use cliproxy_engine::cooldown;
use cliproxy_host::Clock;
use cliproxy_store::Store;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

async fn two_nodes(plane: &Plane) -> (TestNode, TestNode) {
    (TestNode::connect(plane, "node-1").await, TestNode::connect(plane, "node-2").await)
}

/// Lets both nodes report failures in turn, so far apart.
async fn failures(plane: &Plane, nodes: &mut [&mut TestNode], count: usize, apart: Duration) {
    for i in 0..count {
        let node = i % nodes.len();
        nodes[node].tells(failure(&format!("failure-{i}-{}", plane.clock.wall()), "claude")).await;
        plane.clock.advance_wall(apart);
    }
}

fn claude_rests(node: &TestNode) -> bool {
    node.rest(&provider_key("claude")).is_some_and(|rest| !rest.cleared)
}

async fn audit(plane: &Plane, action: &str) -> Vec<AuditEntry> {
    let query = AuditQuery { action: Some(action.into()), ..AuditQuery::default() };
    plane.store.audit(query).await.unwrap()
}

#[tokio::test]
async fn five_errors_spread_over_two_nodes_let_the_provider_rest_on_both() {
    let plane = Plane::configured().await;
    let (mut one, mut two) = two_nodes(&plane).await;
    failures(&plane, &mut [&mut one, &mut two], 4, 10 * SECOND).await;
    assert!(plane.state.hints.cooldowns().is_empty(), "four are not enough");
    failures(&plane, &mut [&mut one], 1, Duration::ZERO).await;
    for node in [&one, &two] {
        node.learns(claude_rests).await;
    }
    let rest = two.rest(&provider_key("claude")).unwrap();
    assert_eq!((rest.cause, rest.evidence.errors, rest.evidence.window), (CooldownCause::Error, 5, MINUTE));
    assert_eq!(rest.until, plane.clock.wall().plus(2 * MINUTE));
    assert_eq!(stored_rests(&plane.store).await.1, [rest]);
    plane.stop().await;
}

#[tokio::test]
async fn five_errors_spread_over_more_than_the_window_do_not() {
    let plane = Plane::configured().await;
    let (mut one, mut two) = two_nodes(&plane).await;
    failures(&plane, &mut [&mut one, &mut two], 20, Duration::from_millis(15_001)).await;
    assert!(plane.state.hints.cooldowns().is_empty());
    plane.stop().await;
}

#[tokio::test]
async fn a_late_report_counts_when_it_happened() {
    let plane = Plane::configured().await;
    let (mut one, mut two) = two_nodes(&plane).await;
    failures(&plane, &mut [&mut one], 4, SECOND).await;
    let late = UrgentEvent { age: 2 * MINUTE, ..failure("late", "claude") };
    two.tells(late).await;
    assert!(plane.state.hints.cooldowns().is_empty());
    two.tells(failure("in-time", "claude")).await;
    one.learns(claude_rests).await;
    plane.stop().await;
}

#[tokio::test]
async fn the_limit_of_one_key_lets_no_other_rest() {
    let plane = Plane::configured().await;
    let (mut one, two) = two_nodes(&plane).await;
    one.tells(event("event-1", "main", MINUTE)).await;
    two.learns(|node| node.rest(&credential_key("main")).is_some()).await;
    let keys: Vec<CooldownKey> = plane.state.hints.cooldowns().into_iter().map(|rest| rest.key).collect();
    assert_eq!(keys, [credential_key("main")]);
    plane.stop().await;
}

#[tokio::test]
async fn a_hint_of_a_year_is_believed_for_an_hour_and_the_audit_log_says_so() {
    let plane = Plane::configured().await;
    let mut node = TestNode::connect(&plane, "node-1").await;
    let year = Duration::from_secs(365 * 24 * 3_600);
    node.tells(event("event-1", "main", year)).await;
    node.learns(|node| node.rest(&credential_key("main")).is_some()).await;
    let rest = node.rest(&credential_key("main")).unwrap();
    assert_eq!(rest.until, START.plus(60 * MINUTE));
    assert_eq!((rest.evidence.hint, rest.evidence.clamped), (Some(year), true));
    let entries = audit(&plane, "cooldown_started").await;
    let [entry] = entries.as_slice() else { panic!("{entries:?}") };
    assert_eq!(
        (entry.actor.as_str(), entry.from.as_str(), entry.subject.as_str()),
        (SYSTEM, "node-1", "claude/main")
    );
    let said = "rate_limit (429); the provider named a wait of 31536000 s, of which 3600 s are believed";
    assert_eq!(entry.reason, said);
    let after: serde_json::Value = serde_json::from_str(&entry.after).unwrap();
    assert_eq!(
        (after["hint_seconds"].as_f64(), after["clamped"].as_bool()),
        (Some(31_536_000.0), Some(true))
    );
    plane.stop().await;
}

#[tokio::test]
async fn a_rest_that_is_extended_is_told_and_one_that_is_only_repeated_is_not() {
    let plane = Plane::configured().await;
    let mut node = TestNode::connect(&plane, "node-1").await;
    node.tells(event("event-1", "main", MINUTE)).await;
    node.tells(event("event-2", "main", MINUTE)).await;
    plane.clock.advance_wall(Duration::from_millis(100));
    node.tells(event("event-3", "main", MINUTE)).await;
    node.tells(event("event-4", "main", MINUTE / 2)).await;
    assert_eq!(plane.audited("claude").await, ["cooldown_started"]);
    assert_eq!(stored_rests(&plane.store).await.0, 1);
    node.tells(event("event-5", "main", 2 * MINUTE)).await;
    assert_eq!(plane.audited("claude").await, ["cooldown_started", "cooldown_extended"]);
    let entry = audit(&plane, "cooldown_extended").await.remove(0);
    let ends = |json: &str| serde_json::from_str::<serde_json::Value>(json).unwrap()["ends_at"].clone();
    assert_eq!(
        (ends(&entry.before), ends(&entry.after)),
        ("2026-02-19T22:51:30Z".into(), "2026-02-19T22:52:30Z".into())
    );
    plane.stop().await;
}

#[tokio::test]
async fn stale_limits_in_flight_do_not_undo_an_operators_recovery() {
    let plane = Plane::configured().await;
    let (mut one, two) = two_nodes(&plane).await;
    one.tells(event("event-1", "main", MINUTE)).await;
    let key = provider_key("claude");
    let epoch = plane.state.outlook().provider("claude").unwrap().highest_epoch(&key.scope);
    let word = cooldown::recover(key, epoch, START, "ops", "the limit was raised");
    let entry = AuditEntry { action: "recovered".into(), ..sample_entry() };
    plane.decide.say(vec![Hint::Cooldown(word)], entry, None).await.unwrap();
    for i in 0..10 {
        one.tells(event(&format!("stale-{i}"), "main", MINUTE)).await;
        one.tells(failure(&format!("stale-failure-{i}"), "claude")).await;
    }
    two.learns(|node| node.rest(&provider_key("claude")).is_some_and(|word| word.epoch == 1)).await;
    let known = plane.state.outlook();
    let claude = known.provider("claude").unwrap();
    let usable = |name| match claude.governing(claude.credential(name).unwrap(), "m", START) {
        Some((_, stage)) => matches!(stage, cooldown::Stage::Rising(_)),
        None => true,
    };
    assert!(usable("main") && usable("spare"), "{claude:?}");
    assert_eq!(plane.metric("cliproxy_controlplane_stale_events_total"), 20.0);
    assert_eq!(plane.audited("claude").await, ["cooldown_started", "recovered"]);

    // One whose request started afterwards counts.
    one.tells(UrgentEvent { seen_epoch: 1, ..event("fresh", "main", MINUTE) }).await;
    two.learns(|node| node.rest(&credential_key("main")).is_some_and(|rest| rest.epoch == 1)).await;
    plane.stop().await;
}

fn sample_entry() -> AuditEntry {
    AuditEntry {
        id: "entry-1".into(),
        at: START,
        actor: "ops".into(),
        from: "127.0.0.1".into(),
        action: String::new(),
        provider: Some("claude".into()),
        subject: "claude".into(),
        reason: "the limit was raised".into(),
        before: String::new(),
        after: String::new(),
    }
}

#[tokio::test]
async fn an_operators_word_is_in_force_before_it_is_stored_and_its_number_is_told() {
    let plane = Plane::configured().await;
    let node = TestNode::connect(&plane, "node-1").await;
    plane.store.faults().delay_commits(Duration::from_millis(300));
    let word = cooldown::force(provider_key("claude"), 0, START, MINUTE, "ops", "maintenance");
    let decide = plane.decide.clone();
    let said =
        tokio::spawn(async move { decide.say(vec![Hint::Cooldown(word)], sample_entry(), None).await });
    node.learns(claude_rests).await;
    assert!(!said.is_finished(), "it was stored before a node knew of it");
    let version = within(said).await.unwrap().unwrap();
    assert_eq!(version.0, 1);
    let mut acks = plane.state.nodes.watch();
    within(acks.wait_for(|_| plane.state.nodes.with_hints(version) == (1, 1))).await.unwrap();
    plane.stop().await;
}

#[tokio::test]
async fn an_operator_is_told_at_how_many_nodes_a_word_holds_that_the_store_did_not_take() {
    let plane = Plane::configured().await;
    let node = TestNode::connect(&plane, "node-1").await;
    plane.store.faults().delay_commits(Duration::from_secs(6));
    let word = cooldown::force(provider_key("claude"), 0, START, MINUTE, "ops", "maintenance");
    let error = plane.decide.say(vec![Hint::Cooldown(word)], sample_entry(), None).await.unwrap_err();
    let told = error.to_string();
    assert!(told.contains("holds at the 1 nodes that are connected to this control plane"), "{told}");
    node.learns(claude_rests).await;
    plane.store.faults().delay_commits(Duration::ZERO);
    plane.stop().await;
}

#[tokio::test]
async fn an_operators_word_starts_the_count_of_errors_anew() {
    let plane = Plane::configured().await;
    let mut node = TestNode::connect(&plane, "node-1").await;
    failures(&plane, &mut [&mut node], 4, Duration::ZERO).await;
    let word = cooldown::recover(provider_key("claude"), 0, START, "ops", "");
    plane.decide.say(vec![Hint::Cooldown(word)], sample_entry(), None).await.unwrap();
    for i in 0..4 {
        node.tells(UrgentEvent { seen_epoch: 1, ..failure(&format!("after-{i}"), "claude") }).await;
    }
    assert!(plane.state.hints.cooldowns().iter().all(|rest| rest.cleared));
    node.tells(UrgentEvent { seen_epoch: 1, ..failure("after-5", "claude") }).await;
    node.learns(claude_rests).await;
    plane.stop().await;
}

#[tokio::test]
async fn a_refused_credential_rests_alone_until_its_key_is_changed() {
    let plane = Plane::configured().await;
    let (mut one, two) = two_nodes(&plane).await;
    let refused = UrgentEvent {
        kind: UrgentKind::CredentialRejected,
        http_status: 401,
        error_type: "credential_rejected".into(),
        hint: None,
        ..event("event-1", "main", MINUTE)
    };
    one.tells(refused).await;
    one.tells(event("event-2", "spare", MINUTE)).await;
    two.learns(|node| node.rest(&credential_key("spare")).is_some()).await;
    let rest = two.rest(&credential_key("main")).unwrap();
    assert_eq!((rest.cause, rest.until), (CooldownCause::CredentialRejected, START.plus(5 * MINUTE)));

    let mut renewed = snapshot();
    for credential in &mut renewed.providers.get_mut("claude").unwrap().credentials {
        credential.api_key = Secret::new("sk-renewed");
    }
    plane.handle.apply(renewed, "file", "reload").await.unwrap();
    two.learns(|node| node.rest(&credential_key("main")).is_some_and(|rest| rest.cleared)).await;
    let spare = two.rest(&credential_key("spare")).unwrap();
    assert!(!spare.cleared, "another key does not lift a rate limit: {spare:?}");
    eventually(async || plane.audited("claude").await.contains(&"cooldown_ended".to_owned())).await;
    plane.stop().await;
}

#[tokio::test]
async fn a_spent_limit_rests_until_the_quota_begins_anew() {
    let mut configured = snapshot();
    let quota = Quota::new(1_000, QuotaUnit::Tokens, QuotaReset::Hourly);
    configured.providers.get_mut("claude").unwrap().quota = Some(quota);
    let plane = Plane::configured_with(configured).await;
    let mut node = TestNode::connect(&plane, "node-1").await;
    let spent =
        UrgentEvent { kind: UrgentKind::QuotaExhausted, hint: None, ..event("event-1", "main", MINUTE) };
    node.tells(spent).await;
    let rest = plane.state.hints.cooldown(&credential_key("main")).unwrap();
    assert_eq!(
        (rest.cause, rest.until.to_string()),
        (CooldownCause::QuotaExhausted, "2026-02-19T23:00:00Z".into())
    );
    plane.stop().await;
}

#[tokio::test]
async fn what_is_not_configured_never_rests() {
    let plane = Plane::configured().await;
    let mut node = TestNode::connect(&plane, "node-1").await;
    let elsewhere = event("event-1", "main", MINUTE);
    let subject = LedgerKey { provider: "mistral".into(), ..elsewhere.subject.clone() };
    node.tells(UrgentEvent { subject, ..elsewhere }).await;
    node.tells(event("event-2", "no-such-key", MINUTE)).await;
    assert!(plane.state.hints.cooldowns().is_empty());
    assert!(plane.store.event_ids().is_empty());
    plane.stop().await;
}

#[tokio::test]
async fn a_provider_that_went_away_takes_its_rests_and_errors_along() {
    let plane = Plane::configured().await;
    let mut node = TestNode::connect(&plane, "node-1").await;
    node.tells(event("event-1", "main", MINUTE)).await;
    failures(&plane, &mut [&mut node], 4, Duration::ZERO).await;
    let mut without = snapshot();
    without.providers.remove("claude");
    without.models.clear();
    plane.handle.apply(without, "file", "reload").await.unwrap();
    eventually(async || plane.state.hints.cooldowns().is_empty()).await;
    plane.handle.apply(snapshot(), "file", "reload").await.unwrap();
    failures(&plane, &mut [&mut node], 4, Duration::ZERO).await;
    assert!(plane.state.hints.cooldowns().is_empty(), "the errors of before were counted");
    plane.stop().await;
}

#[tokio::test]
async fn events_that_nothing_follows_from_are_recorded_within_bounds() {
    let mut patient = snapshot();
    patient.policy.cooldown.error_threshold = u32::MAX;
    let plane = Plane::configured_with(patient).await;
    let mut node = TestNode::connect(&plane, "node-1").await;
    failures(&plane, &mut [&mut node], 150, Duration::ZERO).await;
    assert_eq!(plane.store.event_ids().len(), 100);
    plane.clock.advance_wall(MINUTE);
    failures(&plane, &mut [&mut node], 1, Duration::ZERO).await;
    assert_eq!(plane.store.event_ids().len(), 101);
    plane.stop().await;
}

#[tokio::test]
async fn a_restart_keeps_what_rests_to_the_last_field() {
    let plane = Plane::configured().await;
    let mut node = TestNode::connect(&plane, "node-1").await;
    node.tells(event("event-1", "main", 7 * MINUTE)).await;
    failures(&plane, &mut [&mut node], 5, SECOND).await;
    let before: Vec<Cooldown> = plane.state.hints.cooldowns();
    assert_eq!(before.len(), 2);
    drop(node);
    let plane = plane.restarted().await;
    assert_eq!(plane.state.hints.cooldowns(), before);
    let node = TestNode::connect(&plane, "node-1").await;
    node.learns(claude_rests).await;
    plane.stop().await;
}

#[tokio::test]
async fn what_ended_more_than_a_day_ago_is_forgotten_save_an_operators_word() {
    let store = memory();
    let old = Cooldown { until: START.minus(26 * 60 * MINUTE), ..rest_of(&event("event-1", "main", MINUTE)) };
    let word = cooldown::recover(provider_key("openai"), 0, old.until, "ops", "");
    let kept = rest_of(&event("event-2", "spare", MINUTE));
    let hints = [old, word.clone(), kept.clone()].map(Hint::Cooldown);
    store_hints(&store, hints.to_vec()).await;
    let plane = Plane::start_on(store).await;
    eventually(async || stored_rests(&plane.store).await.1.len() == 2).await;
    assert_eq!(plane.state.hints.cooldowns(), [kept, word]);
    plane.stop().await;
}

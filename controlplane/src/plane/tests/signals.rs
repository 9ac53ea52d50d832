//! What nodes are told of latency, of the mix of tokens, and of quotas.

use super::{
    harness::*,
    node::{TestNode, calls},
};
use cliproxy_domain::{
    AttemptCounts, BudgetId, Hint, HintKey, LedgerRow, Measured, Price, PriceEntry, Quota, QuotaReset,
    QuotaSignal, QuotaUnit, Signal, Snapshot, TokenUsage,
};
use cliproxy_host::Clock;
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);

fn answers() -> Vec<LedgerRow> {
    let attempts = AttemptCounts {
        ok: 3,
        latency_us: 3_500_000,
        streams: 2,
        stream_us: 3_000_000,
        first_event_us: 400_000,
        ..Default::default()
    };
    let tokens = TokenUsage { input: 300, output: 100, ..Default::default() };
    calls("claude", attempts).into_iter().map(|row| LedgerRow { tokens, ..row }).collect()
}

fn measured(node: &TestNode) -> Option<Measured> {
    let key = HintKey::Signal("claude".into(), "m".into());
    node.board().into_iter().find(|hint| hint.key() == key).map(|hint| match hint {
        Hint::Signal(Signal { measured, .. }) => measured,
        other => panic!("{other:?} is no signal"),
    })
}

fn quota_in(node: &TestNode, unit: QuotaUnit) -> Option<QuotaSignal> {
    let key = HintKey::Quota(BudgetId::of_provider("claude", unit));
    node.board().into_iter().find(|hint| hint.key() == key).map(|hint| match hint {
        Hint::Quota(quota) => quota,
        other => panic!("{other:?} is no quota"),
    })
}

fn quota(node: &TestNode) -> Option<QuotaSignal> {
    quota_in(node, QuotaUnit::Tokens)
}

/// Claude with a quota of 1,000 an hour.
fn with_quota(unit: QuotaUnit) -> Snapshot {
    let mut snapshot = snapshot();
    let claude = snapshot.providers.get_mut("claude").unwrap();
    claude.quota = Some(Quota::new(1_000, unit, QuotaReset::Hourly));
    claude.prices = vec![PriceEntry::for_all(Price::new(3_000_000, 15_000_000), "config-0")];
    snapshot
}

#[tokio::test]
async fn what_all_nodes_measured_goes_to_all_nodes() {
    let plane = Plane::configured().await;
    let mut one = TestNode::connect(&plane, "node-1").await;
    let mut two = TestNode::connect(&plane, "node-2").await;
    one.calls(answers()).await;
    two.calls(answers()).await;
    let expected = Measured {
        streams: 4,
        first_event_us: 200_000,
        wholes: 2,
        whole_us: 500_000,
        input_tokens: 600,
        output_tokens: 200,
    };
    for node in [&one, &two] {
        node.learns(|node| measured(node).as_ref() == Some(&expected)).await;
    }
    let late = TestNode::connect(&plane, "node-3").await;
    late.learns(|node| measured(node).as_ref() == Some(&expected)).await;
    plane.stop().await;
}

#[tokio::test]
async fn what_was_measured_before_a_restart_still_counts_and_once() {
    let plane = Plane::configured().await;
    let mut node = TestNode::connect(&plane, "node-1").await;
    node.calls(answers()).await;
    node.learns(|node| measured(node).is_some()).await;
    drop(node);
    let plane = plane.restarted().await;
    plane.clock.advance_wall(MINUTE);
    let mut node = TestNode::connect(&plane, "node-1").await;
    node.learns(|node| measured(node).is_some_and(|measured| measured.streams == 2)).await;
    node.calls(answers()).await;
    node.learns(|node| measured(node).is_some_and(|measured| measured.streams == 4)).await;
    plane.stop().await;
}

#[tokio::test]
async fn another_window_is_measured_from_what_the_store_counted() {
    let plane = Plane::configured().await;
    let mut node = TestNode::connect(&plane, "node-1").await;
    node.calls(answers()).await;
    plane.clock.advance_wall(4 * MINUTE);
    node.calls(answers()).await;
    node.learns(|node| measured(node).is_some_and(|measured| measured.streams == 4)).await;
    let mut shorter = snapshot();
    shorter.policy.latency_window = 2 * MINUTE;
    plane.handle.apply(shorter, "file", "reload").await.unwrap();
    node.learns(|node| measured(node).is_some_and(|measured| measured.streams == 2)).await;
    plane.stop().await;
}

#[tokio::test]
async fn what_is_used_of_a_quota_adds_up_over_nodes_and_restarts() {
    let plane = Plane::configured_with(with_quota(QuotaUnit::Tokens)).await;
    let mut one = TestNode::connect(&plane, "node-1").await;
    let mut two = TestNode::connect(&plane, "node-2").await;
    one.learns(|node| quota(node).is_some_and(|quota| quota.used == 0)).await;
    one.calls(answers()).await;
    two.calls(answers()).await;
    one.learns(|node| quota(node).is_some_and(|quota| quota.used == 800)).await;
    let resets_at = quota(&one).unwrap().resets_at;
    assert_eq!(resets_at.to_string(), "2026-02-19T23:00:00Z");
    let left = plane.state.outlook().provider("claude").unwrap().quota.unwrap().left();
    assert_eq!(left, 200);
    drop((one, two));
    let plane = plane.restarted().await;
    let mut node = TestNode::connect(&plane, "node-1").await;
    node.learns(|node| quota(node).is_some_and(|quota| quota.used == 800)).await;
    plane.clock.advance_wall(resets_at.since(plane.clock.wall()));
    node.learns(|node| quota(node).is_some_and(|quota| quota.used == 0)).await;
    plane.clock.advance_wall(2 * MINUTE);
    node.calls(answers()).await;
    node.learns(|node| quota(node).is_some_and(|quota| quota.used == 400)).await;
    plane.stop().await;
}

#[tokio::test]
async fn money_is_counted_by_the_providers_price() {
    let plane = Plane::configured_with(with_quota(QuotaUnit::Usd)).await;
    let mut node = TestNode::connect(&plane, "node-1").await;
    node.calls(answers()).await;
    // 300 at 0.003 and 100 at 0.015 US dollars for 1,000.
    node.learns(|node| quota_in(node, QuotaUnit::Usd).is_some_and(|quota| quota.used == 900_000 + 1_500_000))
        .await;
    plane.stop().await;
}

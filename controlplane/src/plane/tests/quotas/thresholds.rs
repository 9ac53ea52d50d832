//! Of what is spent of a budget somebody is told, once a period.

use super::*;
use crate::plane::tests::replicas::Pair;

fn crossed(plane: &Plane, percent: u8) -> f64 {
    plane.metric(&format!("cliproxy_controlplane_quota_thresholds_total{{percent=\"{percent}\"}}"))
}

#[tokio::test]
async fn what_is_spent_crosses_each_threshold_once_and_what_is_only_held_crosses_none() {
    let plane = Plane::configured_with(with_tokens(1_000)).await;
    let mut node = Claimant::connect(&plane, "node-1").await;
    node.claims(&tokens(), 990, 990).await;
    assert_eq!(crossed(&plane, 50), 0.0, "nothing is spent");
    for spent in [499, 500, 600, 960] {
        node.sums.spent = spent;
        node.claims(&tokens(), 0, 0).await;
    }
    eventually(async || plane.audited("claude").await.len() >= 3).await;
    assert_eq!(plane.audited("claude").await, ["quota_threshold"; 3]);
    assert_eq!([50, 80, 95].map(|percent| crossed(&plane, percent)), [1.0; 3]);
    let restarted = plane.restarted().await;
    node.moves(&restarted).await;
    node.sums.spent = 990;
    node.claims(&tokens(), 0, 0).await;
    assert_eq!(crossed(&restarted, 95), 0.0, "it was told before");
    restarted.stop().await;
}

#[tokio::test]
async fn what_was_crossed_in_a_commit_that_nobody_vouched_for_is_in_the_audit_log_once() {
    for strike in [Strike::AnswerLost, Strike::CommitLost] {
        let plane = Plane::configured_with(with_tokens(1_000)).await;
        let mut node = Claimant::connect(&plane, "node-1").await;
        node.claims(&tokens(), 990, 990).await;
        plane.store.faults().strike([strike]);
        node.sums.spent = 600;
        node.says(&tokens(), 0, 0).await;
        plane.metric_reaches("cliproxy_controlplane_quota_claims_unanswered_total", 1.0).await;
        // Whoever answers next finds in the books that it was told, if it was.
        let restarted = plane.restarted().await;
        node.moves(&restarted).await;
        node.claims(&tokens(), 0, 0).await;
        assert_eq!(restarted.audited("claude").await, ["quota_threshold"], "{strike:?}");
        restarted.stop().await;
    }
}

#[tokio::test]
async fn an_alert_stands_while_the_period_runs_and_says_whose_budget_it_is() {
    let plane = Plane::configured_with(with_tokens(1_000)).await;
    let mut node = Claimant::connect(&plane, "node-1").await;
    let grant = node.claims(&tokens(), 990, 990).await;
    node.sums.spent = 800;
    node.claims(&tokens(), 0, 0).await;
    let alerts = async || plane.get("/v0/operations/alerts").await.json["alerts"].clone();
    eventually(async || alerts().await[0]["name"] == "quota_threshold").await;
    let budget = alerts().await[0]["budget"].clone();
    assert_eq!((budget["subject"].as_str(), budget["level"].as_u64()), (Some("provider claude"), Some(80)));
    assert_eq!((budget["used"].as_f64(), budget["limit"].as_f64()), (Some(800.0), Some(1_000.0)));
    let claude = r#"{subject="provider claude",unit="tokens"}"#;
    plane.metric_reaches(&format!("cliproxy_quota_used{claude}"), 800.0).await;
    plane.metric_reaches(&format!("cliproxy_quota_leased{claude}"), 190.0).await;
    plane.metric_reaches(&format!("cliproxy_quota_limit{claude}"), 1_000.0).await;
    plane.clock.advance_wall(grant.ends_in);
    assert_eq!(alerts().await, serde_json::json!([]));
    plane.stop().await;
}

#[tokio::test]
async fn over_two_replicas_a_threshold_is_told_once_and_stands_at_both() {
    let pair = Pair::configured_with(with_tokens(1_000)).await;
    let mut one = Claimant::connect(&pair.a, "node-1").await;
    let mut two = Claimant::connect(&pair.b, "node-2").await;
    one.claims(&tokens(), 400, 400).await;
    two.claims(&tokens(), 400, 400).await;
    (one.sums.spent, two.sums.spent) = (300, 300);
    one.claims(&tokens(), 0, 0).await;
    two.claims(&tokens(), 0, 0).await;
    one.claims(&tokens(), 0, 0).await;
    for plane in [&pair.a, &pair.b] {
        eventually(async || {
            plane.get("/v0/operations/alerts").await.json["alerts"][0]["budget"]["used"] == 600.0
        })
        .await;
    }
    assert_eq!(crossed(&pair.a, 50) + crossed(&pair.b, 50), 1.0);
    eventually(async || pair.a.audited("claude").await == ["quota_threshold"]).await;
    pair.stop().await;
}

#[tokio::test]
async fn a_provider_that_is_used_up_shows_as_resting_until_its_limit_is_raised() {
    let plane = Plane::configured_with(with_tokens(1_000)).await;
    let mut node = Claimant::connect(&plane, "node-1").await;
    node.claims(&tokens(), 1_000, 1_000).await;
    node.sums.spent = 1_000;
    node.claims(&tokens(), 0, 0).await;
    let periods = async || plane.get("/v0/operations/cooldown/status").await.json["cooldown_periods"].clone();
    eventually(async || periods().await["claude"]["reason"] == "quota_exhausted").await;
    assert_eq!(periods().await["claude"]["ends_at"], "2026-02-19T23:00:00Z");
    plane.handle.apply(with_tokens(1_001), "file", "raised").await.unwrap();
    eventually(async || periods().await == serde_json::json!({})).await;
    plane.stop().await;
}

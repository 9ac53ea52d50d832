//! What nodes claim of limits, and what they are granted.

mod changed;
mod learning;
mod recalls;
mod thresholds;

use super::{
    claimant::{Claimant, tokens},
    harness::*,
    node::{TestNode, calls},
};
use cliproxy_domain::{
    AttemptCounts, BudgetClaim, BudgetId, Incarnation, LedgerRow, LimitSubject, Quota, QuotaReset, QuotaUnit,
    RateId, RateKind, RateLimits, Snapshot, TokenUsage,
};
use cliproxy_store::memory::Strike;
use std::time::Duration;
use tonic::Code;

/// Claude with so many tokens an hour.
fn with_tokens(limit: u64) -> Snapshot {
    let mut snapshot = snapshot();
    let claude = snapshot.providers.get_mut("claude").unwrap();
    claude.quota = Some(Quota::new(limit, QuotaUnit::Tokens, QuotaReset::Hourly));
    snapshot
}

/// Calls to Claude that took so many tokens.
fn took(tokens: u64) -> Vec<LedgerRow> {
    let attempts = AttemptCounts { ok: 1, latency_us: 1_000, ..Default::default() };
    let tokens = TokenUsage { input: tokens, ..Default::default() };
    calls("claude", attempts).into_iter().map(|row| LedgerRow { tokens, ..row }).collect()
}

#[tokio::test]
async fn what_all_nodes_are_granted_is_the_limit_and_never_more() {
    let plane = Plane::configured_with(with_tokens(10_000)).await;
    let mut one = Claimant::connect(&plane, "node-1").await;
    let mut two = Claimant::connect(&plane, "node-2").await;
    for _ in 0..60 {
        one.claims(&tokens(), 5_000, 0).await;
        two.claims(&tokens(), 5_000, 100).await;
        assert!(one.sums.granted + two.sums.granted <= 10_000);
    }
    let all = one.sums.granted + two.sums.granted;
    assert!(all > 9_900, "{all} of 10,000 were granted");
    let grant = two.claims(&tokens(), 5_000, 100).await;
    assert_eq!((grant.limit, grant.used, grant.leased), (10_000, 0, all));
    assert!(plane.metric("cliproxy_controlplane_quota_claims_unmet_total") >= 1.0);
    plane.stop().await;
}

#[tokio::test]
async fn nobody_is_answered_while_the_store_is_away_and_nothing_is_lost_by_it() {
    let plane = Plane::configured_with(with_tokens(1_000)).await;
    let mut node = Claimant::connect(&plane, "node-1").await;
    let before = node.claims(&tokens(), 100, 100).await.granted;
    plane.store.faults().set_unavailable(true);
    node.says(&tokens(), 300, 300).await;
    plane.metric_reaches("cliproxy_controlplane_quota_claims_unanswered_total", 1.0).await;
    assert!(node.hears_nothing(Duration::from_millis(20)).await);
    plane.store.faults().heal();
    let grant = node.claims(&tokens(), 300, 300).await;
    assert_eq!((before, grant.granted, grant.leased), (100, 400, 400));
    plane.stop().await;
}

#[tokio::test]
async fn a_grant_whose_commit_nobody_vouches_for_is_told_by_the_next_answer_and_not_given_twice() {
    for strike in [Strike::AnswerLost, Strike::CommitLost] {
        let plane = Plane::configured_with(with_tokens(1_000)).await;
        let mut node = Claimant::connect(&plane, "node-1").await;
        node.claims(&tokens(), 0, 0).await;
        plane.store.faults().strike([strike]);
        node.says(&tokens(), 300, 300).await;
        plane.metric_reaches("cliproxy_controlplane_quota_claims_unanswered_total", 1.0).await;
        let grant = node.claims(&tokens(), 300, 300).await;
        assert_eq!((grant.granted, grant.leased), (300, 300), "{strike:?}");
        plane.stop().await;
    }
}

#[tokio::test]
async fn what_the_ledger_counted_before_anything_was_granted_is_spent() {
    let plane = Plane::configured_with(with_tokens(1_000)).await;
    let mut node = TestNode::connect(&plane, "node-1").await;
    node.calls(took(400)).await;
    let mut claimant = Claimant::connect(&plane, "node-1").await;
    let grant = claimant.claims(&tokens(), 700, 700).await;
    assert_eq!((grant.used, grant.granted), (400, 0), "700 are more than what is left");
    assert_eq!(claimant.claims(&tokens(), 600, 600).await.granted, 600);
    // What is reported from now on was granted: it is settled by what the node says it spent.
    node.calls(took(600)).await;
    claimant.sums.spent = 600;
    assert_eq!(claimant.claims(&tokens(), 0, 0).await.used, 1_000);
    plane.stop().await;
}

#[tokio::test]
async fn a_new_period_begins_with_nothing_spent_whatever_the_ledger_counts_late() {
    let plane = Plane::configured_with(with_tokens(1_000)).await;
    let mut node = TestNode::connect(&plane, "node-1").await;
    let mut claimant = Claimant::connect(&plane, "node-1").await;
    let first = claimant.claims(&tokens(), 500, 500).await;
    plane.clock.advance_wall(first.ends_in + Duration::from_secs(2));
    // Begun in the period before and ended in this one: it is settled there.
    node.calls(took(500)).await;
    claimant.sums.spent = 500;
    let next = claimant.claims(&tokens(), 900, 900).await;
    assert_eq!(next.period, first.period.plus(Duration::from_secs(3_600)));
    assert_eq!((next.used, next.granted), (0, 900));
    plane.stop().await;
}

#[tokio::test]
async fn a_limit_that_is_raised_holds_with_the_next_claim_and_one_that_is_gone_is_not_answered() {
    let plane = Plane::configured_with(with_tokens(100)).await;
    let mut node = Claimant::connect(&plane, "node-1").await;
    assert_eq!(node.claims(&tokens(), 200, 200).await.granted, 0);
    plane.handle.apply(with_tokens(500), "file", "raised").await.unwrap();
    let grant = node.claims(&tokens(), 200, 200).await;
    assert_eq!((grant.limit, grant.granted), (500, 200));
    plane.handle.apply(snapshot(), "file", "dropped").await.unwrap();
    node.says(&tokens(), 200, 200).await;
    assert!(node.answer().await.budgets.is_empty());
    plane.stop().await;
}

#[tokio::test]
async fn a_rate_is_shared_out_to_its_limit() {
    let mut snapshot = snapshot();
    let main = &mut snapshot.providers.get_mut("claude").unwrap().credentials[0];
    main.rate_limit = RateLimits { requests_per_minute: Some(100), ..RateLimits::default() };
    let subject = LimitSubject::Credential("claude".into(), main.name.clone());
    let rate = RateId { subject, kind: RateKind::RequestsPerMinute };
    let plane = Plane::configured_with(snapshot).await;
    let _nodes = [TestNode::connect(&plane, "node-1").await, TestNode::connect(&plane, "node-2").await];
    let mut one = Claimant::connect(&plane, "node-1").await;
    let mut two = Claimant::connect(&plane, "node-2").await;
    let first = one.claims_rate(&rate, 0, 100).await;
    assert_eq!((first.limit, first.safe_share, first.ttl), (100, 45, Duration::from_secs(10)));
    let mut shares = (first.share, 0);
    for _ in 0..5 {
        shares.1 = two.claims_rate(&rate, shares.1, 100).await.share;
        assert!(shares.0 + shares.1 <= 100, "{shares:?}");
        shares.0 = one.claims_rate(&rate, shares.0.min(50), 100).await.share;
        assert!(shares.0 + shares.1 <= 100, "{shares:?}");
    }
    assert!(shares.0.abs_diff(shares.1) <= 2, "{shares:?}");
    plane.stop().await;
}

#[tokio::test]
async fn what_a_process_of_before_left_is_settled_by_the_next_one_and_what_is_left_is_granted_again() {
    let plane = Plane::configured_with(with_tokens(1_000)).await;
    let mut node = Claimant::connect(&plane, "node-1").await;
    let left = node.claims(&tokens(), 800, 800).await;
    let mut next = Claimant::connect(&plane, "node-1").await;
    next.is_process(Incarnation(2));
    let closing = BudgetClaim {
        id: tokens(),
        holder: Incarnation(1),
        period: Some(left.period),
        granted: 800,
        spent: 250,
        returned: 0,
        want: 0,
        least: 0,
        closing: true,
    };
    next.sends(vec![closing], Vec::new()).await;
    let own = next.answer().await.budgets.remove(0).granted;
    assert_eq!(own, 0, "it is told what it has itself, not what the process before it had");
    let grant = next.claims(&tokens(), 750, 750).await;
    assert_eq!((grant.used, grant.granted), (250, 750));
    plane.stop().await;
}

#[tokio::test]
async fn a_claim_about_too_much_ends_the_stream_and_one_that_means_nothing_costs_that_alone() {
    let plane = Plane::configured_with(with_tokens(1_000)).await;
    let mut node = Claimant::connect(&plane, "node-1").await;
    let claim = |client: usize| BudgetClaim {
        id: BudgetId { subject: LimitSubject::Client(format!("c{client}").into()), unit: QuotaUnit::Tokens },
        holder: Incarnation(1),
        period: None,
        granted: 0,
        spent: 0,
        returned: 0,
        want: 1,
        least: 0,
        closing: false,
    };
    let nonsense = BudgetClaim { want: u64::MAX, ..claim(0) };
    let sound = BudgetClaim { id: tokens(), want: 10, least: 10, ..claim(0) };
    node.sends(vec![nonsense, sound], Vec::new()).await;
    assert_eq!(node.answer().await.budgets[0].granted, 10);
    node.sends((0..=4_096).map(claim).collect(), Vec::new()).await;
    assert_eq!(node.ends().await.code(), Code::InvalidArgument);
    plane.stop().await;
}

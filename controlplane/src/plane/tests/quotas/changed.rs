//! An operator changes a budget while it is spent.

use super::*;

#[tokio::test]
async fn a_budget_that_is_put_back_counts_what_was_used_while_it_was_away() {
    let plane = Plane::configured_with(with_tokens(1_000)).await;
    let mut node = TestNode::connect(&plane, "node-1").await;
    let mut claimant = Claimant::connect(&plane, "node-1").await;
    claimant.claims(&tokens(), 100, 100).await;
    claimant.sums.spent = 100;
    assert_eq!(claimant.claims(&tokens(), 0, 0).await.used, 100);
    node.calls(took(100)).await;
    plane.handle.apply(snapshot(), "file", "dropped").await.unwrap();
    claimant.says(&tokens(), 0, 0).await;
    assert!(claimant.answer().await.budgets.is_empty());
    node.calls(took(500)).await;
    plane.handle.apply(with_tokens(1_000), "file", "put back").await.unwrap();
    let grant = claimant.claims(&tokens(), 500, 500).await;
    assert_eq!((grant.used, grant.granted), (600, 100), "400 are left");
    // From here on it is settled by what the node says.
    node.calls(took(50)).await;
    assert_eq!(claimant.claims(&tokens(), 400, 400).await.granted, 500);
    plane.stop().await;
}

#[tokio::test]
async fn another_reset_counts_what_is_out_and_what_the_ledger_has_not_heard_of() {
    let plane = Plane::configured_with(with_tokens(1_000)).await;
    let mut node = TestNode::connect(&plane, "node-1").await;
    let mut claimant = Claimant::connect(&plane, "node-1").await;
    claimant.claims(&tokens(), 300, 300).await;
    claimant.sums.spent = 200;
    claimant.claims(&tokens(), 0, 0).await;
    node.calls(took(150)).await;
    let mut daily = with_tokens(1_000);
    let quota = Quota::new(1_000, QuotaUnit::Tokens, QuotaReset::Daily);
    daily.providers.get_mut("claude").unwrap().quota = Some(quota);
    plane.handle.apply(daily, "file", "by the day").await.unwrap();
    let mut other = Claimant::connect(&plane, "node-2").await;
    let grant = other.claims(&tokens(), 700, 700).await;
    assert_eq!((grant.used, grant.granted), (300, 700), "150 are counted, 50 will be, and 100 may be spent");
    plane.stop().await;
}

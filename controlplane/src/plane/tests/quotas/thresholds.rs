//! Of what is spent of a budget somebody is told, once a period.

use super::*;

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

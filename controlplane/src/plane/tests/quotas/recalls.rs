//! What one node holds while another waits.

use super::*;
use crate::plane::tests::replicas::Pair;

async fn gives_back(holder: &mut Claimant) {
    let asked = holder.hears().await;
    assert!(asked.budgets[0].recall, "{asked:?}");
    assert_eq!((&asked.budgets[0].id, asked.budgets[0].granted), (&tokens(), holder.sums.granted));
    holder.sums.returned = holder.sums.granted - holder.sums.spent;
    holder.claims(&tokens(), 0, 0).await;
}

#[tokio::test]
async fn what_a_node_does_not_need_is_asked_for_when_another_waits_for_it() {
    let plane = Plane::configured_with(with_tokens(1_000)).await;
    let mut idle = Claimant::connect(&plane, "node-1").await;
    idle.claims(&tokens(), 900, 900).await;
    let mut busy = Claimant::connect(&plane, "node-2").await;
    assert_eq!(busy.claims(&tokens(), 500, 500).await.granted, 0);
    gives_back(&mut idle).await;
    assert_eq!(busy.claims(&tokens(), 500, 500).await.granted, 500);
    assert_eq!(plane.metric("cliproxy_controlplane_quota_recalls_total"), 1.0);
    plane.stop().await;
}

#[tokio::test]
async fn a_node_of_another_replica_is_asked_by_its_own_within_a_second() {
    let pair = Pair::configured_with(with_tokens(1_000)).await;
    let mut idle = Claimant::connect(&pair.a, "node-1").await;
    idle.claims(&tokens(), 900, 900).await;
    let mut busy = Claimant::connect(&pair.b, "node-2").await;
    let waits = Duration::from_secs(1);
    assert_eq!(busy.claims(&tokens(), 500, 500).await.granted, 0);
    tokio::time::timeout(waits, gives_back(&mut idle)).await.expect("it was not asked within a second");
    assert_eq!(busy.claims(&tokens(), 500, 500).await.granted, 500);
    pair.stop().await;
}

#[tokio::test]
async fn two_replicas_grant_of_the_same_books() {
    let pair = Pair::configured_with(with_tokens(10_000)).await;
    let mut one = Claimant::connect(&pair.a, "node-1").await;
    let mut two = Claimant::connect(&pair.b, "node-2").await;
    for _ in 0..40 {
        one.says(&tokens(), 3_000, 50).await;
        two.claims(&tokens(), 3_000, 50).await;
        let grant = one.answer().await.budgets.remove(0);
        (one.sums.period, one.sums.granted) = (Some(grant.period), grant.granted);
        assert!(one.sums.granted + two.sums.granted <= 10_000);
    }
    assert!(one.sums.granted + two.sums.granted > 9_900);
    // Sums are those of the node, wherever it claims.
    one.sums.spent = one.sums.granted;
    one.moves(&pair.b).await;
    let grant = one.claims(&tokens(), 0, 0).await;
    assert_eq!((grant.granted, grant.used), (one.sums.granted, one.sums.spent));
    pair.stop().await;
}

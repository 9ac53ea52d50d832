//! The store goes back to an earlier state, and has forgotten what nodes hold.

use super::*;
use crate::plane::tests::replicas::Pair;
use cliproxy_domain::HistoryId;

#[tokio::test]
async fn what_the_store_forgot_is_not_granted_again_before_its_holder_has_said_so() {
    let pair = Pair::configured_with(with_tokens(1_000)).await;
    let (pair, _one, _two) = pair.with_nodes().await;
    let mut holder = Claimant::connect(&pair.a, "node-1").await;
    holder.claims(&tokens(), 0, 0).await;
    let savepoint = pair.store.savepoint();
    assert_eq!(holder.claims(&tokens(), 700, 700).await.granted, 700);
    pair.store.roll_back(&savepoint, HistoryId("history-2".into()));
    for plane in [&pair.a, &pair.b] {
        eventually(async || plane.state.history().0 == "history-2").await;
    }
    let mut other = Claimant::connect(&pair.b, "node-2").await;
    assert_eq!(other.claims(&tokens(), 600, 600).await.granted, 0, "they are listened to first");
    holder.moves(&pair.a).await;
    let kept = holder.claims(&tokens(), 200, 200).await;
    assert_eq!((kept.granted, kept.leased), (700, 700), "what it has is its own, and no more");
    pair.a.clock.advance(Duration::from_secs(15));
    assert_eq!(other.claims(&tokens(), 300, 300).await.granted, 300);
    assert_eq!(other.claims(&tokens(), 300, 300).await.granted, 300, "the rest is node-1's");
    pair.stop().await;
}

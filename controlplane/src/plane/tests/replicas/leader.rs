//! Who leads, and what becomes of one that did.

use super::*;
use cliproxy_domain::{Fence, Lease, LeaseName};
use cliproxy_host::Clock;
use cliproxy_store::Store;
use std::time::Duration;

#[tokio::test]
async fn one_of_two_leads_and_the_other_takes_over_at_once_when_it_ends() {
    let pair = Pair::start().await;
    assert_eq!((leads(&pair.a), leads(&pair.b)), (true, false));
    let Pair { a, b, .. } = pair;
    // Once it knows who is connected to the other, it stands for the lease, and is told who has it.
    b.metric_reaches("cliproxy_controlplane_leader_epoch", 1.0).await;
    let clock = a.clock.clone();
    a.stop().await;
    let ended = clock.now();
    b.metric_reaches("cliproxy_controlplane_leading", 1.0).await;
    let took = clock.now() - ended;
    assert!(took < Duration::from_millis(200), "it took {took:?}");
    assert_eq!(b.metric("cliproxy_controlplane_leader_epoch"), 2.0);
    eventually(async || b.metric("cliproxy_controlplane_replicas") == 1.0).await;
    b.stop().await;
}

#[tokio::test]
async fn a_replica_that_has_just_come_takes_over_at_once_as_well() {
    let Pair { a, b, .. } = Pair::start().await;
    let clock = a.clock.clone();
    a.stop().await;
    let ended = clock.now();
    b.metric_reaches("cliproxy_controlplane_leading", 1.0).await;
    let took = clock.now() - ended;
    assert!(took < Duration::from_millis(200), "it took {took:?}");
    b.stop().await;
}

#[tokio::test]
async fn when_the_leader_is_killed_another_leads_within_its_lease() {
    let pair = Pair::start().await;
    let Pair { a, b, .. } = pair;
    let killed = a.clock.now();
    let clock = a.clock.clone();
    a.kill().await;
    b.metric_reaches("cliproxy_controlplane_leading", 1.0).await;
    let took = clock.now() - killed;
    assert!(took < Duration::from_millis(5_200), "it took {took:?}");
    assert_eq!(b.metric("cliproxy_controlplane_leader_epoch"), 2.0);
    b.stop().await;
}

/// Takes the lease as another process would have once it had run out.
async fn usurp(store: &MemoryStore) -> Lease {
    let (_, held) =
        (LeaseName::control_loop(), store.lead(LeaseName::control_loop(), "x".into(), Duration::ZERO));
    let held = held.await.unwrap();
    let fence = Fence { lease: LeaseName::control_loop(), holder: held.holder, epoch: held.epoch };
    store.resign(fence).await.unwrap();
    store.lead(LeaseName::control_loop(), "usurper".into(), Duration::from_secs(60)).await.unwrap()
}

#[tokio::test]
async fn what_a_leader_decides_that_leads_no_more_reaches_neither_the_store_nor_a_node() {
    let store = shared();
    let clock = Arc::new(TestClock::default());
    let plane = Plane::replica("cp-a", store.connect(), &clock).await;
    let mut checked = super::super::health::checked();
    checked.policy.self_healing.enabled = false;
    plane.handle.apply(checked, "file", "start").await.unwrap();
    plane.metric_reaches("cliproxy_controlplane_leading", 1.0).await;
    let node = TestNode::connect(&plane, "node-1").await;
    assert_eq!(usurp(&store).await.epoch, 2);
    for _ in 0..3 {
        node.probes("claude", 503).await;
        plane.clock.advance_wall(Duration::from_secs(1));
    }
    eventually(async || !leads(&plane)).await;
    // Either it noticed by itself, or its write told it.
    let (version, hints) = store.hints().await.unwrap();
    assert_eq!((version.0, hints.len()), (0, 0), "{hints:?}");
    assert!(node.health("claude").is_none());
    assert!(plane.audited("claude").await.is_empty());
    plane.stop().await;
}

#[tokio::test]
async fn a_leader_whose_store_is_away_stops_before_its_lease_can_have_run_out() {
    let pair = Pair::start().await;
    let cut = pair.a.clock.now();
    pair.a.store.connection_faults().set_unavailable(true);
    eventually(async || !leads(&pair.a)).await;
    let took = pair.a.clock.now() - cut;
    assert!(took < Duration::from_millis(4_500), "it took {took:?}");
    assert!(!leads(&pair.b), "there were two");
    pair.b.metric_reaches("cliproxy_controlplane_leading", 1.0).await;
    pair.a.store.connection_faults().heal();
    pair.stop().await;
}

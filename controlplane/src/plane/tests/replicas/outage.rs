//! The store is away, or goes back to an earlier state.

use super::*;
use cliproxy_domain::{
    AttemptCounts, Batch, HintVersion, HistoryId, Incarnation, LedgerKey, LedgerRow, Seq, TokenUsage,
};
use cliproxy_host::Clock;
use cliproxy_proto::{
    convert::{replica::from_bytes, telemetry::event_to_wire},
    v1,
};
use cliproxy_store::{Store, memory::Strike};
use std::{collections::BTreeSet, time::Duration};
use tonic::Code;

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_replica_without_its_store_tells_its_own_nodes_and_all_of_it_is_stored_in_the_end() {
    let (pair, one, two) = Pair::start().await.with_nodes().await;
    let again = TestNode::connect(&pair.a, "node-3").await;
    pair.a.store.connection_faults().set_unavailable(true);
    let mut events = open_events(pair.a.as_node().await).await;
    for (i, credential) in ["main", "spare"].into_iter().enumerate() {
        events.say(event_to_wire(&event(&format!("event-{i}"), credential, MINUTE))).await;
    }
    for credential in ["main", "spare"] {
        for node in [&one, &again] {
            node.learns(|node| node.rest(&credential_key(credential)).is_some()).await;
        }
    }
    assert!(two.rest(&credential_key("main")).is_none(), "nobody told it");
    assert!(pair.store.event_ids().is_empty(), "nothing is acknowledged");
    pair.a.store.connection_faults().heal();
    for i in 0..2 {
        assert_eq!(events.next().await.event_id, format!("event-{i}"));
    }
    two.learns(|node| node.rest(&credential_key("spare")).is_some()).await;
    assert!(two.rest(&credential_key("main")).is_some());
    pair.stop().await;
}

#[tokio::test]
async fn nodes_of_a_replica_that_is_cut_off_from_the_store_are_gone_after_three_seconds_and_come_back() {
    let (pair, one, two) = Pair::start().await.with_nodes().await;
    pair.a.store.connection_faults().set_unavailable(true);
    eventually(async || pair.b.state.nodes.connected_now().len() == 1).await;
    assert_eq!(pair.a.state.nodes.connected_now().len(), 2, "whoever is cut off cannot know");
    pair.a.store.connection_faults().heal();
    eventually(async || pair.b.state.nodes.connected_now().len() == 2).await;
    drop((one, two));
    pair.stop().await;
}

/// How far behind the others a replica is that follows them again.
fn lag(plane: &Plane) -> f64 {
    plane.metric("cliproxy_controlplane_log_lag_seconds")
}

#[tokio::test]
async fn a_replica_that_was_cut_off_takes_nobody_for_gone_before_it_has_listened_for_a_while() {
    let (pair, one, two) = Pair::start().await.with_nodes().await;
    for plane in [&pair.a, &pair.b] {
        plane.store.connection_faults().set_unavailable(true);
    }
    // Longer than a replica may be silent, and less than a node's stream.
    pair.a.clock.advance(Duration::from_secs(4));
    eventually(async || lag(&pair.a) >= 4.0).await;
    // It is the first to be back: the other one says nothing yet.
    pair.a.store.connection_faults().heal();
    eventually(async || lag(&pair.a) < 4.0).await;
    assert_eq!(pair.a.metric("cliproxy_controlplane_replicas"), 2.0);
    assert_eq!(pair.a.state.nodes.connected_now().len(), 2);
    pair.b.store.connection_faults().heal();
    eventually(async || pair.b.state.nodes.connected_now().len() == 2).await;
    drop((one, two));
    pair.stop().await;
}

#[tokio::test]
async fn a_replica_that_was_away_says_which_nodes_it_has_as_soon_as_it_is_back() {
    let (pair, one, two) = Pair::start().await.with_nodes().await;
    let before = pair.store.newest_post().await.unwrap();
    // As processes that slept: nothing of theirs failed, and others may have taken their nodes for gone.
    pair.a.clock.advance(Duration::from_secs(4));
    let back = pair.a.clock.now();
    let listed = async || {
        let posts = pair.store.posts_since(before, u32::MAX).await.unwrap().unwrap();
        let posts = posts.iter().map(|post| from_bytes(&post.body, START, |odd| panic!("{odd}")).unwrap());
        let listed: BTreeSet<_> =
            posts.filter(|post| post.whole && post.nodes.len() == 1).map(|post| post.name).collect();
        listed.len() == 2
    };
    eventually(listed).await;
    let took = pair.a.clock.now() - back;
    assert!(took < Duration::from_secs(3), "it took {took:?}");
    drop((one, two));
    pair.stop().await;
}

#[tokio::test]
async fn a_node_that_left_while_the_store_was_away_for_a_moment_is_gone_at_the_other_replica_too() {
    let (pair, one, two) = Pair::start().await.with_nodes().await;
    let dropped = || pair.b.metric("cliproxy_controlplane_posts_dropped_total");
    pair.b.store.connection_faults().set_unavailable(true);
    drop(two);
    eventually(async || pair.b.state.nodes.ours().is_empty()).await;
    // The second post that fails from here on was made after the node had gone.
    let before = dropped();
    eventually(async || dropped() >= before + 2.0).await;
    pair.b.store.connection_faults().heal();
    let healed = pair.b.clock.now();
    eventually(async || {
        // Something changes all the time, of nodes that are connected elsewhere.
        pair.b.state.nodes.acked_hints(&"node-1".into(), HintVersion(0));
        pair.a.state.nodes.connected_now().len() == 1
    })
    .await;
    let took = pair.b.clock.now() - healed;
    assert!(took < Duration::from_secs(2), "it took {took:?}");
    drop(one);
    pair.stop().await;
}

#[tokio::test]
async fn after_a_failover_that_lost_commits_streams_end_and_what_was_lost_is_stored_again() {
    let (pair, mut one, two) = Pair::start().await.with_nodes().await;
    let savepoint = pair.store.savepoint();
    one.tells(event("event-1", "main", MINUTE)).await;
    two.learns(|node| node.rest(&credential_key("main")).is_some()).await;
    let mut stream = open_sync(pair.b.as_node().await).await;
    let hello = v1::Hello { node_id: "node-9".into(), ..Default::default() };
    stream.say(v1::SyncUp { message: Some(v1::sync_up::Message::Hello(hello)) }).await;
    pair.store.roll_back(&savepoint, HistoryId("history-2".into()));
    let status = loop {
        if let Err(status) = stream.result().await {
            break status;
        }
    };
    assert_eq!(status.code(), Code::Aborted);
    eventually(async || stored_rests(&pair.store).await.1.len() == 1).await;
    let three = TestNode::connect(&pair.b, "node-3").await;
    three.learns(|node| node.rest(&credential_key("main")).is_some()).await;
    assert_eq!(pair.b.handle.history(), HistoryId("history-2".into()));
    eventually(async || pair.a.handle.history() == HistoryId("history-2".into())).await;
    // One leads again, and numbers go on.
    let mut four = TestNode::connect(&pair.a, "node-4").await;
    four.tells(event("event-2", "spare", MINUTE)).await;
    three.learns(|node| node.rest(&credential_key("spare")).is_some()).await;
    eventually(async || leads(&pair.a) != leads(&pair.b)).await;
    assert_eq!(pair.store.history().await.unwrap(), HistoryId("history-2".into()));
    drop((one, two));
    pair.stop().await;
}

/// Has a replica tell the others of one call.
fn calls_once(plane: &Plane) {
    let key = LedgerKey { provider: "claude".into(), credential: "main".into(), model: "m".into() };
    let attempts = AttemptCounts { ok: 1, ..AttemptCounts::default() };
    let row = LedgerRow { key: key.into(), attempts, tokens: TokenUsage::default(), cost_nanos: 0 };
    let window = Duration::from_secs(1);
    let batch =
        Batch { incarnation: Incarnation(1), seq: Seq(1), window_start: START, window, rows: vec![row] };
    plane.state.outbox.usage(&batch, START);
}

fn heard_calls(plane: &Plane) -> u64 {
    plane.state.traffic.lock().minute(&"claude".into(), START).attempts.ok
}

#[tokio::test]
async fn what_is_told_while_answers_and_commits_are_lost_is_heard_once() {
    let pair = Pair::start().await;
    let strikes = [Strike::AnswerLost, Strike::CommitLost, Strike::None].repeat(50);
    pair.a.store.connection_faults().strike(strikes);
    for told in 1..=3 {
        calls_once(&pair.a);
        eventually(async || heard_calls(&pair.b) >= told).await;
    }
    pair.a.store.connection_faults().heal();
    // Behind whatever was said twice.
    calls_once(&pair.a);
    eventually(async || heard_calls(&pair.b) >= 4).await;
    assert_eq!(heard_calls(&pair.b), 4);
    pair.stop().await;
}

//! What nodes left alone, as they died of it: offered when they take it again, and told of until they have it.

use super::{
    harness::*,
    moving::{Sync, connect, hello, is_sent_nothing, reads, up},
};
use cliproxy_proto::v1::{self, sync_down::Message};
use std::time::Duration;

#[tokio::test]
async fn a_node_is_not_sent_a_configuration_that_it_died_of_and_operators_are_told() {
    let plane = Plane::configured().await;
    plane.handle.apply(snapshot_with_attempts(5), "file", "reload").await.unwrap();
    let died = || v1::Hello { crash_looped_config: 2, ..hello("node-1", 0) };
    let (mut talk, _) = connect(plane.as_node().await, died()).await.unwrap();
    is_sent_nothing(&mut talk).await;
    let alerts = plane.get("/v0/operations/alerts").await.json.to_string();
    assert!(alerts.contains("it died three times within a minute"), "{alerts}");
    assert_eq!(plane.metric("cliproxy_controlplane_crash_loops_total"), 1.0);
    connect(plane.as_node().await, died()).await.unwrap();
    assert_eq!(plane.metric("cliproxy_controlplane_crash_loops_total"), 1.0, "it is known by now");
    plane.handle.apply(snapshot_with_attempts(6), "file", "mended").await.unwrap();
    let sent = reads(&mut talk, |message| match message {
        Message::Delta(delta) if delta.line() == v1::Line::Config => Some((delta.from, delta.to)),
        _ => None,
    });
    assert_eq!(sent.await, (1, 3));
    plane.stop().await;
}

#[tokio::test]
async fn a_node_that_is_started_again_and_did_not_die_of_a_configuration_is_offered_it_anew() {
    let plane = Plane::configured().await;
    plane.handle.apply(snapshot_with_attempts(5), "file", "reload").await.unwrap();
    let died = |incarnation| v1::Hello { incarnation, crash_looped_config: 2, ..hello("node-1", 0) };
    connect(plane.as_node().await, died(1)).await.unwrap();
    let (mut talk, _) = connect(plane.as_node().await, died(2)).await.unwrap();
    is_sent_nothing(&mut talk).await;
    assert_eq!(plane.metric("cliproxy_controlplane_crash_loops_total"), 1.0, "it is known by now");
    // Its note of it was removed.
    let mended = v1::Hello { incarnation: 3, ..hello("node-1", 0) };
    let (mut talk, _) = connect(plane.as_node().await, mended).await.unwrap();
    let sent = reads(&mut talk, |message| match message {
        Message::Delta(delta) if delta.line() == v1::Line::Config => Some((delta.from, delta.to)),
        _ => None,
    });
    assert_eq!(sent.await, (1, 2));
    plane.stop().await;
}

/// Acknowledges a configuration.
async fn took(talk: &Sync, version: u64, nonce: &str) {
    let ack = v1::Ack { nonce: nonce.into(), line: v1::Line::Config.into(), version, ..v1::Ack::default() };
    talk.say(up(v1::sync_up::Message::Ack(ack))).await;
}

/// Waits for a difference of configurations; gives its nonce with it.
async fn is_sent(talk: &mut Sync) -> (u64, u64, String) {
    reads(talk, |message| match message {
        Message::Delta(delta) if delta.line() == v1::Line::Config => {
            Some((delta.from, delta.to, delta.nonce))
        }
        _ => None,
    })
    .await
}

#[tokio::test]
async fn what_a_node_leaves_alone_for_a_while_is_offered_again_by_itself_and_the_refusal_goes_when_it_is_taken()
 {
    let plane = Plane::configured().await;
    plane.handle.apply(snapshot_with_attempts(5), "file", "reload").await.unwrap();
    let left_alone =
        v1::Hello { crash_looped_config: 2, crash_looped_again_ms: 300_000, ..hello("node-1", 0) };
    let (mut talk, _) = connect(plane.as_node().await, left_alone).await.unwrap();
    let alerts = plane.get("/v0/operations/alerts").await.json.to_string();
    assert!(alerts.contains("node-1 runs configuration 1 and refuses configuration 2"), "{alerts}");
    assert!(alerts.contains("it is tried again at 20"), "{alerts}");
    is_sent_nothing(&mut talk).await;
    plane.clock.advance_wall(Duration::from_secs(300));
    let (from, to, nonce) = is_sent(&mut talk).await;
    assert_eq!((from, to), (1, 2));
    took(&talk, 2, &nonce).await;
    eventually(async || plane.get("/v0/operations/nodes").await.json["nodes"]["node-1"]["refused"].is_null())
        .await;
    plane.stop().await;
}

#[tokio::test]
async fn the_same_configuration_sent_again_is_tried_again_by_whoever_refused_it() {
    let plane = Plane::configured().await;
    plane.handle.apply(snapshot_with_attempts(5), "file", "reload").await.unwrap();
    assert_eq!(plane.handle.apply(snapshot_with_attempts(5), "ops", "the same").await.unwrap().0, 2);
    let died = v1::Hello { crash_looped_config: 2, crash_looped_again_ms: 300_000, ..hello("node-1", 0) };
    let (mut talk, _) = connect(plane.as_node().await, died).await.unwrap();
    is_sent_nothing(&mut talk).await;
    let sent = plane.handle.apply(snapshot_with_attempts(5), "ops", "again").await.unwrap();
    assert!(sent.0 > 2, "it has a new number");
    let (from, to, nonce) = is_sent(&mut talk).await;
    assert_eq!((from, to), (1, sent.0));
    took(&talk, sent.0, &nonce).await;
    eventually(async || plane.get("/v0/operations/alerts").await.json["alerts"] == serde_json::json!([]))
        .await;
    assert_eq!(plane.handle.apply(snapshot_with_attempts(5), "ops", "the same").await.unwrap(), sent);
    plane.stop().await;
}

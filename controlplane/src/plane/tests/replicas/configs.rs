//! Configurations that one replica puts in force.

use super::*;
use cliproxy_domain::{ConfigId, HistoryId};
use cliproxy_store::Store;
use hyper::Method;

const CONFIG: &str = "/v0/operations/config";

fn attempts(plane: &Plane) -> u32 {
    plane.state.active().unwrap().snapshot.policy.retries.max_attempts
}

async fn put(plane: &Plane, query: &str, text: &'static str) -> Answer {
    plane.send(Method::PUT, &format!("{CONFIG}{query}"), text, Some("application/yaml")).await
}

#[tokio::test]
async fn a_configuration_that_one_replica_takes_is_in_force_at_the_nodes_of_the_other() {
    let (pair, _one, _two) = Pair::start().await.with_nodes().await;
    let answer = put(&pair.a, "", "attempts: 7").await;
    assert_eq!((answer.status, &answer.json["config"]), (hyper::StatusCode::OK, &2.into()));
    eventually(async || pair.b.state.nodes.all().iter().all(|node| node.config == ConfigId(2))).await;
    assert_eq!(attempts(&pair.b), 7);
    assert_eq!(pair.b.get(CONFIG).await.json["text"], "attempts: 7");
    pair.stop().await;
}

#[tokio::test]
async fn of_two_changes_that_are_to_replace_the_same_one_is_refused() {
    let pair = Pair::start().await;
    let (a, b) =
        tokio::join!(put(&pair.a, "?expected=1", "attempts: 7"), put(&pair.b, "?expected=1", "attempts: 8"));
    let statuses = [a.status.as_u16(), b.status.as_u16()];
    assert!(statuses.contains(&200) && statuses.iter().any(|status| *status >= 400), "{statuses:?}");
    let won = if statuses[0] == 200 { 7 } else { 8 };
    for plane in [&pair.a, &pair.b] {
        eventually(async || attempts(plane) == won).await;
    }
    pair.stop().await;
}

#[tokio::test]
async fn a_replica_that_cannot_make_the_newest_says_so_and_offers_its_nodes_nothing() {
    let pair = Pair::start().await;
    let node = TestNode::connect(&pair.b, "node-1").await;
    eventually(async || pair.b.state.nodes.get(&"node-1".into()).unwrap().config == ConfigId(1)).await;
    // What the first replica reads is no text to the second.
    let proposal = crate::Proposal {
        snapshot: snapshot_with_attempts(9),
        text: Some("nonsense".to_owned()),
        follows: Some(ConfigId(1)),
        author: crate::Author::file("reload"),
    };
    pair.a.handle.propose(proposal).await.unwrap();
    pair.b.metric_reaches("cliproxy_controlplane_config_unmade", 1.0).await;
    let ready = pair.b.get("/ready").await;
    assert_eq!(
        (ready.status.as_u16(), &ready.json["reason"]),
        (503, &"the newest configuration cannot be made here".into())
    );
    assert_eq!(pair.b.state.offered(), ConfigId(0));
    assert_eq!(attempts(&pair.b), snapshot().policy.retries.max_attempts, "decisions go by the one before");
    // Whoever sends a sound one mends it.
    put(&pair.a, "", "attempts: 4").await;
    eventually(async || pair.b.state.nodes.get(&"node-1".into()).unwrap().config == ConfigId(3)).await;
    assert_eq!(pair.b.get("/ready").await.status.as_u16(), 200);
    drop(node);
    pair.stop().await;
}

#[tokio::test]
async fn a_configuration_that_could_not_be_numbered_anew_at_once_is_numbered_later() {
    let pair = Pair::start().await;
    let savepoint = pair.store.savepoint();
    put(&pair.a, "", "attempts: 7").await;
    eventually(async || attempts(&pair.b) == 7).await;
    for plane in [&pair.a, &pair.b] {
        plane.texts.fail_to_number();
    }
    pair.store.roll_back(&savepoint, HistoryId("history-2".into()));
    eventually(async || pair.store.configs(1).await.unwrap()[0].id == ConfigId(3)).await;
    for plane in [&pair.a, &pair.b] {
        eventually(async || plane.handle.in_force() == ConfigId(3)).await;
        assert_eq!(attempts(plane), 7);
    }
    pair.stop().await;
}

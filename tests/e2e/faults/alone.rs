//! Nodes without any control plane.

use super::fixture::{RATE, books_are_exact, layout, none_failed};
use cliproxy_testkit::{
    Cluster, LONG_PATIENCE,
    cluster::MODEL,
    mock::{Behaviour, Hint, Rule},
};
use serde_json::json;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn without_a_control_plane_nodes_serve_rest_what_was_refused_and_account_for_all_of_it_later() {
    let mut cluster = Cluster::start(layout()).await;
    let traffic = cluster.traffic(RATE);
    traffic.next(60).await;
    for control in &mut cluster.controls {
        control.process.kill9();
    }
    for node in &cluster.nodes {
        node.stands("stale", LONG_PATIENCE).await;
    }
    traffic.goes_on(Duration::from_secs(3)).await;
    let node = &cluster.nodes[0];
    let hint = Hint { retry_after_s: Some(600), ..Hint::default() };
    let rule = Rule::new(Behaviour::rate_limit(hint)).for_key("first").for_model("own");
    cluster.mock.set_rules(vec![rule]).expect("a sound rule");
    let own = json!({"model": "up/own", "messages": [{"role": "user", "content": "hi"}]}).to_string();
    for _ in 0..6 {
        assert_eq!(
            node.client.post("/v1/chat/completions", own.clone()).await.status,
            200,
            "the other key serves"
        );
    }
    let log = cluster.mock.log();
    let refused = log.entries.iter().filter(|entry| &*entry.model == "own" && entry.status == 429).count();
    assert_eq!(refused, 1, "what rests at the node is not asked again");
    let started: Vec<_> = cluster.nodes.iter().map(|node| node.process.id()).collect();
    for control in &mut cluster.controls {
        control.restart().await;
    }
    cluster.connected(LONG_PATIENCE).await;
    traffic.next(60).await;
    let record = traffic.stop().await;
    println!("without a control plane: {record}");
    none_failed(&record);
    assert_eq!(started, cluster.nodes.iter().map(|node| node.process.id()).collect::<Vec<_>>());
    assert!(cluster.truth().keys().any(|(_, model)| model == MODEL));
    books_are_exact(cluster).await;
}

//! Keys of clients on several nodes: what is made and taken back while running holds everywhere at once, and a node that
//! has nobody to ask knows them as before.

use super::fixture::{Cluster, Node, add, with_keys};
use crate::apis::Api;
use cliproxy_testkit::{Answer, Config, PATIENCE, now, poll_until};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

async fn cluster() -> (Cluster, cliproxy_testkit::mock::MockProvider) {
    let mock = with_keys(&["main"]);
    let config = add(Config::new(), "up", Api::Chat, &mock, &["main"])
        .set(&["clients"], json!([{"name": "ci", "keys": [{"key": "cpk-configured"}]}]));
    (Cluster::start(config).await, mock)
}

async fn ask(node: &Node, key: &str) -> Answer {
    let (path, body) = Api::Chat.request("up/m", false);
    node.client.json(&path, body).header("x-api-key", key).send().await.expect("an answer")
}

async fn change(cluster: &Cluster, path: &str) -> Value {
    let path = format!("/v0/operations/clients/ci/keys{path}");
    let answer = cluster.operators.post(&path, "{}").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

/// Gives how long after `since` every node answers a key with `status`.
async fn everywhere(cluster: &Cluster, key: &str, status: u16, since: Instant) -> Duration {
    for node in cluster.nodes() {
        let told = || async { (ask(node, key).await.status == status).then_some(()) };
        poll_until(&format!("{status} at node {}", node.name), PATIENCE, told).await;
    }
    since.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_made_while_running_serves_and_a_revoked_one_is_refused_on_every_node_within_a_second()
{
    let (cluster, _mock) = cluster().await;
    let made = change(&cluster, "").await;
    let (key, id) = (made["key"].as_str().expect("a key"), made["details"]["id"].as_str().expect("an id"));
    everywhere(&cluster, key, 200, now()).await;
    let revoked = now();
    change(&cluster, &format!("/{id}/revoke")).await;
    let took = everywhere(&cluster, key, 401, revoked).await;
    println!("a revoked key was refused on both nodes {took:?} after it was asked for");
    assert!(took < Duration::from_secs(1), "{took:?}");
    assert_eq!(ask(&cluster.a, key).await.json()["error"]["code"], "revoked_api_key");
    everywhere(&cluster, "cpk-configured", 200, now()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_work_as_before_while_the_control_plane_is_away_and_after_a_restart_without_it() {
    let (mut cluster, _mock) = cluster().await;
    let made = change(&cluster, "").await;
    let good = made["key"].as_str().expect("a key").to_owned();
    let gone = change(&cluster, "").await;
    let (bad, id) = (gone["key"].as_str().expect("a key").to_owned(), gone["details"]["id"].clone());
    change(&cluster, &format!("/{}/revoke", id.as_str().expect("an id"))).await;
    everywhere(&cluster, &bad, 401, now()).await;
    cluster.control.kill9();
    for node in cluster.nodes() {
        node.is("stale").await;
    }
    let as_before = async |node: &Node| {
        for (key, status) in
            [("cpk-configured", 200), (good.as_str(), 200), (bad.as_str(), 401), ("cpk-nobodys", 401)]
        {
            let answer = ask(node, key).await;
            assert_eq!(answer.status, status, "{}: {}", node.name, answer.text());
        }
    };
    as_before(&cluster.a).await;
    as_before(&cluster.b).await;
    // What was saved as the last known good has the words on keys as well.
    cluster.b.process.terminate();
    assert!(cluster.b.process.wait_exit(PATIENCE).await.success());
    cluster.b.process.restart();
    cluster.b.process.ready().await;
    cluster.b.client = cluster.b.process.client().await;
    as_before(&cluster.b).await;
}

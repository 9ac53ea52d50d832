//! Clients' keys: what one control plane is told holds at every node, whoever it is connected to.

use super::fixture::{BUSY, layout};
use cliproxy_testkit::{Client, Cluster, LONG_PATIENCE, now, poll_every};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const KEYS: &str = "/v0/operations/clients/ci/keys";
/// From one request of a node to the next.
const LOOK: Duration = Duration::from_millis(5);
/// How soon a revoked key is refused everywhere on a machine of one's own.
const PROMISED: Duration = Duration::from_secs(1);
const ROUNDS: usize = 9;

async fn post(operators: &Client, path: &str) -> Value {
    let answer = operators.post(path, "{}").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

async fn asks(node: &Client, key: &str) -> u16 {
    let call = node.request(http::Method::GET, "/v1/models").header("authorization", format!("Bearer {key}"));
    call.send().await.expect("the node answers").status
}

/// Waits until a node refuses a key; gives when.
async fn refused(node: &Client, key: &str) -> Instant {
    let is_refused = || async { (asks(node, key).await == 401).then(now) };
    poll_every(LOOK, "a revoked key to be refused", LONG_PATIENCE, is_refused).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_key_is_refused_on_every_node_within_a_second() {
    let cluster = Cluster::start(layout().nodes(4).set(&["clients"], json!([{"name": "ci"}]))).await;
    let nodes: Vec<Client> = cluster.nodes.iter().map(|node| node.client.clone()).collect();
    assert_eq!(asks(&nodes[0], "cpk_unknown").await, 401, "a key is needed");
    let mut took = Vec::new();
    for round in 0..ROUNDS {
        // Each control plane by turns, over the port of a node in the end.
        let operators = match round % 3 {
            2 => &nodes[3],
            control => &cluster.controls[control].operators,
        };
        let made = post(operators, KEYS).await;
        let key = made["key"].as_str().expect("it is shown").to_owned();
        for node in &nodes {
            assert_eq!(
                asks(node, &key).await,
                200,
                "it can be used on every node once it is answered: {made}"
            );
        }
        let path = format!("{KEYS}/{}/revoke", made["details"]["id"].as_str().expect("its name"));
        let said = now();
        let waiting = nodes.iter().map(|node| refused(node, &key));
        let (_, refused) = tokio::join!(post(operators, &path), futures_util::future::join_all(waiting));
        took.push(refused.into_iter().map(|at| at.saturating_duration_since(said)).max().unwrap_or_default());
        for node in &nodes {
            assert_eq!(asks(node, &key).await, 401, "and it stays refused");
        }
    }
    took.sort();
    let (median, slowest) = (took[ROUNDS / 2], took[ROUNDS - 1]);
    println!(
        "a revoked key was refused on all 4 nodes of 2 control planes after {} ms (median of {ROUNDS}), {} ms at most",
        median.as_millis(),
        slowest.as_millis()
    );
    assert!(median < PROMISED && slowest < BUSY, "{took:?}");
}

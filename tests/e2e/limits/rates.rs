//! A client's rate over four nodes.

use super::fixture::{Outcome, answer_with, answers, ask, layout, nodes_of};
use cliproxy_testkit::{Client, Cluster, LONG_PATIENCE, Layout, now};
use futures_util::future::join_all;
use serde_json::json;
use std::time::Duration;

const LIMIT: usize = 60;
const NODES: usize = 4;
pub const KEY: &str = "cpk_rates";
/// Its SHA-256.
pub const HASH: &str = "27337ca197f5bdda13da60577a203e340d44382064580d797fc67d323c8a694a";

fn limited() -> Layout {
    let client = json!({
        "name": "ci",
        "keys": [{"sha256": HASH}],
        "rate_limit": {"requests_per_minute": LIMIT},
    });
    layout().nodes(NODES).set(&["clients"], json!([client]))
}

async fn count(nodes: &[Client], each: usize) -> usize {
    let asked = nodes.iter().flat_map(|node| (0..each).map(move |_| ask(node, Some(KEY))));
    let outcomes = join_all(asked).await;
    for outcome in &outcomes {
        assert!(
            matches!(outcome, Outcome::Answered) || outcome.is_refused_with("rate_limit_exceeded"),
            "{outcome:?}"
        );
    }
    outcomes.iter().filter(|outcome| **outcome == Outcome::Answered).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_gets_what_its_limit_says_over_four_nodes() {
    let cluster = Cluster::start(limited()).await;
    answer_with(&cluster, answers(Duration::ZERO));
    let nodes = nodes_of(&cluster);
    let began = now();
    let mut answered = 0;
    // Shares go where they are asked for within seconds.
    while answered + NODES < LIMIT && now() - began < LONG_PATIENCE {
        answered += count(&nodes, LIMIT / NODES).await;
    }
    assert!(now() - began < Duration::from_secs(60), "within one minute");
    answered += count(&nodes, LIMIT).await;
    println!("{answered} of {LIMIT} requests in {:?}", now() - began);
    assert!((LIMIT - NODES..=LIMIT + NODES).contains(&answered), "{answered} of {LIMIT}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_asks_one_node_alone_gets_all_of_its_limit_there() {
    let cluster = Cluster::start(limited()).await;
    answer_with(&cluster, answers(Duration::ZERO));
    let one = [cluster.nodes[0].client.clone()];
    let began = now();
    let mut answered = 0;
    while answered + 1 < LIMIT && now() - began < Duration::from_secs(50) {
        answered += count(&one, 10).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    answered += count(&one, LIMIT).await;
    println!("{answered} of {LIMIT} requests in {:?}", now() - began);
    assert!((LIMIT - 1..=LIMIT).contains(&answered), "{answered} of {LIMIT}");
}

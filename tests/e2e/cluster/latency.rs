//! `latency` goes by what all nodes measured lately.

use super::{
    fixture::{Cluster, add, with_keys},
    traffic::{Traffic, shares},
};
use crate::apis::Api;
use cliproxy_testkit::{
    Config, PATIENCE,
    mock::{Behaviour, Latency, MockProvider, Rule},
    now, poll_until,
};
use futures_util::future::join_all;
use serde_json::json;
use std::time::Duration;

const WINDOW: Duration = Duration::from_secs(3);
/// Nodes report once a second and are told every other second what all measured, on a machine that is busy.
const REPORTS: Duration = Duration::from_secs(4);
const PACE: Duration = Duration::from_millis(20);

fn latencies(mock: &MockProvider, left_ms: u64, right_ms: u64) {
    let rule = |key: &str, headers_ms| {
        Rule::new(Behaviour::Answer).for_key(key).latency(Latency { headers_ms, ..Latency::default() })
    };
    mock.set_rules(vec![rule("left", left_ms), rule("right", right_ms)]).unwrap();
}

async fn two(left_ms: u64, right_ms: u64) -> (Cluster, MockProvider, [Traffic; 2]) {
    let mock = with_keys(&["left", "right"]);
    latencies(&mock, left_ms, right_ms);
    let config = Config::new().set(
        &["server", "operations", "load_balancing"],
        json!({"strategy": "latency", "latency_window": "3s"}),
    );
    let config = add(config, "left", Api::Chat, &mock, &["left"]);
    let config = add(config, "right", Api::Chat, &mock, &["right"]);
    let cluster = Cluster::start(config.alias("smart", &[("left", "m"), ("right", "m")])).await;
    let traffic = cluster.nodes().map(|node| Traffic::start(node, Api::Chat, "smart", PACE));
    (cluster, mock, traffic)
}

/// Gives the share, in percent, of one provider among the next answers of each node.
async fn share_of(provider: &str, traffic: &[Traffic; 2], answers: usize) -> [usize; 2] {
    let [a, b] = traffic;
    let (a, b) = tokio::join!(a.next(answers), b.next(answers));
    [a, b].map(|got| 100 * shares(&got).get(provider).copied().unwrap_or(0) / got.len())
}

async fn most_go_to(provider: &str, traffic: &[Traffic; 2]) {
    let most = || async {
        let shares = share_of(provider, traffic, 20).await;
        shares.iter().all(|share| *share >= 80).then_some(())
    };
    poll_until(&format!("most answers of both nodes from {provider}"), PATIENCE, most).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_providers_that_swap_their_latencies_are_followed_within_a_window() {
    let (_cluster, mock, traffic) = two(20, 200).await;
    most_go_to("left", &traffic).await;
    latencies(&mock, 200, 20);
    let swapped = now();
    most_go_to("right", &traffic).await;
    let took = now() - swapped;
    println!("a swap of latencies was followed after {} ms", took.as_millis());
    assert!(took <= WINDOW + REPORTS, "{took:?}");
    // The other is looked at now and then, so that a change would be seen again, and bears no more than that.
    let shares = share_of("left", &traffic, 100).await;
    assert!(shares.iter().all(|share| *share <= 15), "{shares:?} % go to the slow one");
    join_all(traffic.map(Traffic::stop)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn equal_latencies_are_shared_and_nobody_is_herded() {
    let (_cluster, _mock, traffic) = two(150, 150).await;
    // Both are known once the first window is full.
    let known = now() + WINDOW;
    let passed = || async { (now() >= known).then_some(()) };
    poll_until("full window", PATIENCE, passed).await;
    for _ in 0..3 {
        let shares = share_of("left", &traffic, 60).await;
        assert!(shares.iter().all(|share| (30..=70).contains(share)), "{shares:?} % go to one of two equals");
    }
    join_all(traffic.map(Traffic::stop)).await;
}

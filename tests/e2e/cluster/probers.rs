//! One node asks a provider whether it is well, and another does as soon as that one is gone.

use super::fixture::{Cluster, add, with_keys};
use crate::apis::Api;
use cliproxy_testkit::{
    Config, PATIENCE,
    mock::{MockProvider, Operation},
    poll_until,
};
use serde_json::json;
use std::time::Duration;

const INTERVAL: Duration = Duration::from_millis(200);
/// Until another node asks, beside an interval.
const TAKEN_OVER: Duration = Duration::from_secs(2);

async fn probed() -> (Cluster, MockProvider) {
    let mock = with_keys(&["main"]);
    let checks = json!({"interval": "200ms", "timeout": "2s", "daily_budget": 1_000_000});
    let config = Config::new().set(&["server", "operations", "health_check"], checks);
    (Cluster::start(add(config, "up", Api::Chat, &mock, &["main"])).await, mock)
}

/// Gives when the probes began, in microseconds.
fn probes(mock: &MockProvider) -> Vec<u64> {
    let log = mock.log();
    let of_probes = log.entries.iter().filter(|entry| entry.operation == Some(Operation::Models));
    let mut times: Vec<u64> = of_probes.map(|entry| entry.started_us).collect();
    times.sort_unstable();
    times
}

async fn so_many(mock: &MockProvider, count: usize) -> Vec<u64> {
    let there = || async {
        let probes = probes(mock);
        (probes.len() >= count).then_some(probes)
    };
    poll_until(&format!("{count} probes"), PATIENCE, there).await
}

/// Gives who probes: the node that was named last.
async fn prober(cluster: &Cluster) -> String {
    let named = || async {
        let lines = cluster.control.log_lines();
        let assigned = |line: &&serde_json::Value| {
            line["msg"] == "a provider's probes are assigned" && line["provider"] == "up"
        };
        lines.iter().rev().find(assigned).and_then(|line| line["nodes"].as_str().map(str::to_owned))
    };
    poll_until("assignment", PATIENCE, named).await
}

#[tokio::test(flavor = "multi_thread")]
async fn probes_are_sent_once_for_the_cluster_and_go_on_when_the_prober_is_killed() {
    let (mut cluster, mock) = probed().await;
    // Those of the first seconds came while nodes were still connecting.
    so_many(&mock, 3).await;
    let before = probes(&mock).len();
    let times = so_many(&mock, before + 15).await.split_off(before);
    let apart: Vec<u64> = times.windows(2).map(|two| two[1] - two[0]).collect();
    let mean = Duration::from_micros(apart.iter().sum::<u64>() / apart.len() as u64);
    assert!(mean >= INTERVAL.mul_f64(0.85), "{mean:?} from one probe to the next: more than one node asks");

    let name = prober(&cluster).await;
    let node = if name == "a" { &mut cluster.a } else { &mut cluster.b };
    node.process.kill9();
    let last = *probes(&mock).last().unwrap();
    let times = so_many(&mock, probes(&mock).len() + 5).await;
    let gap = times.windows(2).filter(|two| two[1] > last).map(|two| two[1] - two[0]).max().unwrap();
    let gap = Duration::from_micros(gap);
    println!("probes went on {} ms after the last of a prober that was killed", gap.as_millis());
    assert!(gap < TAKEN_OVER + INTERVAL.mul_f64(1.2), "{gap:?} without a probe");
    assert_ne!(prober(&cluster).await, name);
}

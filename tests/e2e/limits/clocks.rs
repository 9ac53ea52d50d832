//! Clocks that are wrong, and a process that slept: time is never what a limit hangs on.

use super::{
    fixture::{Outcome, answer_with, answers, ask, calls, layout, nodes_of},
    rates,
};
use cliproxy_domain::WallTime;
use cliproxy_host::{Clock as _, SystemClock};
use cliproxy_testkit::{Client, Cluster, LONG_PATIENCE, now, poll_every};
use futures_util::future::join_all;
use serde_json::json;
use std::time::Duration;

const PERIOD: Duration = Duration::from_secs(3);

/// Asks again and again, for so long.
async fn keep_asking(node: &Client, time: Duration) {
    let began = now();
    while now() - began < time {
        let outcome = ask(node, None).await;
        assert!(matches!(outcome, Outcome::Answered | Outcome::Refused(429, _)), "{outcome:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Gives which period runs by the true time, which is the database's.
fn period() -> i64 {
    let WallTime(ms) = SystemClock.wall();
    ms.div_euclid(PERIOD.as_millis() as i64)
}

#[tokio::test(flavor = "multi_thread")]
async fn clocks_that_are_ten_minutes_off_make_no_period_longer_and_none_of_it_twice() {
    const LIMIT: u64 = 20;
    let quota = json!({"limit": LIMIT, "unit": "requests", "reset": "3s"});
    let layout = layout().skewed(&["-10m", "+10m"], &["+10m", "-3m"]);
    let cluster = Cluster::start(layout.set(&["providers", "up", "quota"], quota)).await;
    answer_with(&cluster, answers(Duration::ZERO));
    let (nodes, first) = (nodes_of(&cluster), period());
    for control in &cluster.controls {
        join_all((0..6).map(|number| keep_asking(&nodes[number % 2], 2 * PERIOD))).await;
        // Each of both reckons by a clock of its own.
        control.gate.break_all();
    }
    let periods = u64::try_from(period() - first + 1).expect("time goes on");
    let calls = calls(&cluster.mock);
    println!("{calls} calls in {periods} periods of {LIMIT}");
    assert!(calls <= periods * LIMIT, "{calls} in {periods} periods");
    assert!(calls >= (periods - 2) * LIMIT / 2, "too much could not be used: {calls} in {periods} periods");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_slept_past_the_end_of_its_share_does_not_use_it_on_waking() {
    const LIMIT: usize = 60;
    let client = json!({
        "name": "ci",
        "keys": [{"sha256": rates::HASH}],
        "rate_limit": {"requests_per_minute": LIMIT},
    });
    let cluster = Cluster::start(layout().set(&["clients"], json!([client]))).await;
    answer_with(&cluster, answers(Duration::ZERO));
    let (nodes, began) = (nodes_of(&cluster), now());
    let ask_all = async |node: &Client, times: usize| {
        join_all((0..times).map(|_| ask(node, Some(rates::KEY)))).await;
    };
    for node in &nodes {
        ask_all(node, 5).await;
    }
    let asleep = &cluster.nodes[0];
    asleep.process.signal("STOP");
    let ended = || async {
        let quotas = cluster.get("quotas").await;
        let shares = quotas["rates"][0]["shares"].as_array().cloned().unwrap_or_default();
        let share = shares.into_iter().find(|share| share["node"] == *asleep.name)?;
        (share["ends_in_ms"] == 0).then_some(())
    };
    poll_every(Duration::from_millis(200), "share that has ended", LONG_PATIENCE, ended).await;
    // What the other one can get meanwhile.
    ask_all(&nodes[1], LIMIT).await;
    // These wait at the node that sleeps, and are the first that it sees.
    let waking = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        asleep.process.signal("CONT");
    };
    tokio::join!(ask_all(&nodes[0], LIMIT), waking);
    ask_all(&nodes[1], LIMIT).await;
    asleep.connected(LONG_PATIENCE).await;
    ask_all(&nodes[0], LIMIT).await;
    let (calls, took) = (calls(&cluster.mock), now() - began);
    println!("{calls} of {LIMIT} requests in {took:?}, one node asleep meanwhile");
    assert!(took < Duration::from_secs(60), "within one minute: {took:?}");
    assert!(calls <= LIMIT as u64, "{calls} of {LIMIT}");
}

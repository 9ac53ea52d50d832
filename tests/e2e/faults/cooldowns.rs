//! What one node was told holds at all, whoever they are connected to.

use super::fixture::{BUSY, RATE, books_are_exact, layout, none_failed};
use cliproxy_testkit::{
    Cluster, LONG_PATIENCE,
    cluster::MODEL,
    mock::{Behaviour, Hint, Log, Rule},
    poll_every, poll_until,
};
use serde_json::json;
use std::{fmt, time::Duration};

/// How long the provider asks to be left alone.
const REST: u64 = 600;
/// A node that did not call for so long has stopped, in microseconds.
const QUIET_US: u64 = 700_000;
/// From one look into the provider's log to the next.
const LOOK: Duration = Duration::from_millis(100);

/// What became of a credential that was refused to one node.
pub struct Found {
    /// From the end of the 429 to the beginning of the last call of another node.
    pub delay: Duration,
    /// How many calls other nodes began after it.
    pub calls: usize,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the last call of another node {} ms after the 429, {} calls",
            self.delay.as_millis(),
            self.calls
        )
    }
}

/// Has the provider refuse one call with a credential, under the load that runs; gives what the nodes did then.
pub async fn refused_once(cluster: &Cluster, credential: &str) -> Found {
    let hint = Hint { retry_after_s: Some(REST), ..Hint::default() };
    let rule = Rule::new(Behaviour::rate_limit(hint)).for_key(credential).for_model(MODEL).times(1);
    cluster.mock.set_rules(vec![rule]).expect("a sound rule");
    // Others are still called by all nodes long after the last call with the one that rests.
    let quiet = || async {
        let log = cluster.mock.log();
        let since = last_call(&log, credential).max(refusal(&log, credential)?) + QUIET_US;
        let later = log.entries.iter().filter(|entry| &*entry.key != credential && entry.started_us > since);
        (later.count() > 20).then_some(())
    };
    poll_every(LOOK, "calls of all nodes with the other credentials alone", LONG_PATIENCE, quiet).await;
    let log = cluster.mock.log();
    let refused = refusal(&log, credential).expect("it was seen");
    let late = log.entries.iter().filter(|entry| &*entry.key == credential && entry.started_us > refused);
    Found {
        delay: Duration::from_micros(last_call(&log, credential).saturating_sub(refused)),
        calls: late.count(),
    }
}

/// Gives when the provider had refused a credential.
fn refusal(log: &Log, credential: &str) -> Option<u64> {
    let refused = log.entries.iter().find(|entry| &*entry.key == credential && entry.status == 429);
    refused.map(|entry| entry.finished_us)
}

fn last_call(log: &Log, credential: &str) -> u64 {
    let calls = log.entries.iter().filter(|entry| &*entry.key == credential && &*entry.model == MODEL);
    calls.map(|entry| entry.started_us).max().unwrap_or(0)
}

/// Puts the nodes on different control planes.
async fn apart(cluster: &Cluster) {
    for (number, control) in cluster.controls.iter().enumerate() {
        let other = &cluster.nodes[1 - number];
        control.gate.close_to(other.process.id());
    }
    for control in &cluster.controls {
        let one = || async { (control.sessions().await == 1).then_some(()) };
        poll_until("one node at each control plane", LONG_PATIENCE, one).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_429_at_one_node_reaches_those_of_another_control_plane_with_and_without_a_doorbell() {
    let cluster = Cluster::start(layout().credentials(&["first", "second", "third"])).await;
    apart(&cluster).await;
    let traffic = cluster.traffic(RATE);
    traffic.next(30).await;
    let found = refused_once(&cluster, "first").await;
    println!("with a doorbell: {found}");
    assert!(found.delay < BUSY, "{found}");

    // Who listens hears nothing any more: only looking is left.
    let listeners = "SELECT pid FROM pg_stat_activity WHERE query ILIKE 'LISTEN%'";
    let listeners = cluster.postgres.sql(cliproxy_testkit::cluster::DATABASE, listeners);
    let deaf: Vec<&str> = listeners.lines().collect();
    assert!(deaf.len() >= cluster.controls.len(), "each control plane listens: {listeners:?}");
    signal("STOP", &deaf);
    let found = refused_once(&cluster, "second").await;
    signal("CONT", &deaf);
    println!("without one: {found}");
    assert!(found.delay < BUSY, "{found}");
    let record = traffic.stop().await;
    none_failed(&record);
    books_are_exact(cluster).await;
}

/// Sends a signal to processes of the database.
fn signal(name: &str, processes: &[&str]) {
    let command = format!("kill -s {name} {}", processes.join(" "));
    let sent = std::process::Command::new("/bin/sh").args(["-c", &command]).status();
    assert!(sent.is_ok_and(|status| status.success()), "{command}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_operator_recovered_stays_so_although_an_older_429_arrives_at_another_node_later() {
    let cluster = Cluster::start(layout().credentials(&["first"])).await;
    apart(&cluster).await;
    // Refused by the provider after a second and a half: the operator is quicker.
    let hint = Hint { retry_after_s: Some(REST), ..Hint::default() };
    let latency = cliproxy_testkit::mock::Latency { headers_ms: 1_500, ..Default::default() };
    let rule = Rule::new(Behaviour::rate_limit(hint)).for_model("late").latency(latency);
    cluster.mock.set_rules(vec![rule]).expect("a sound rule");
    let body = json!({"model": "up/late", "messages": [{"role": "user", "content": "hi"}]}).to_string();
    let client = cluster.nodes[0].client.clone();
    let late = tokio::spawn(async move { client.post("/v1/chat/completions", body).await.status });
    cluster.mock.wait_for(LONG_PATIENCE, |totals| totals.in_flight > 0).await.expect("it is under way");
    // At the control plane that the node is not connected to.
    let said = cluster.controls[1]
        .operators
        .post("/v0/operations/providers/up/recover", json!({"wait": "all", "timeout": "10s"}).to_string())
        .await;
    assert_eq!(said.status, 200, "{}", said.text());
    assert_eq!(late.await.expect("an answer"), 429);
    for node in &cluster.nodes {
        let asked = json!({"model": MODEL, "messages": [{"role": "user", "content": "hi"}]}).to_string();
        let answer = node.client.post("/v1/chat/completions", asked).await;
        assert_eq!(answer.status, 200, "node {}: {}", node.name, answer.text());
    }
    for control in &cluster.controls {
        let status = control.try_get("cooldown/status").await.expect("an answer");
        let subjects = status["resting"].as_object().expect("rests by subject");
        let rest = subjects.values().find(|rest| rest["stage"] == "resting" || rest["cause"] != "manual");
        assert_eq!(rest, None, "{}: {status}", control.name);
    }
    books_are_exact(cluster).await;
}

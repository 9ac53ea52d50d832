//! Whether a provider answers is decided by thresholds, over all nodes, and told once for each change.

use super::{
    fixture::{Cluster, add, text, with_keys},
    traffic::{Traffic, burst, shares},
};
use crate::apis::Api;
use cliproxy_testkit::{
    Config, Gate, PATIENCE,
    mock::{Behaviour, ErrorKind, MockProvider, Operation, Rule, Script},
    now, poll_until, provider,
};
use serde_json::{Value, json};
use std::time::Duration;

/// A provider is asked five times a second; three failures in a row are too many, two answers in a row enough.
fn checked() -> Value {
    json!({
        "enabled": true, "interval": "200ms", "timeout": "2s", "unhealthy_threshold": 3, "healthy_threshold": 2,
        "daily_budget": 1_000_000
    })
}

/// Two providers for the name `smart`, that are asked whether they are well.
async fn two() -> (Cluster, MockProvider, MockProvider) {
    let (flaps, steady) = (with_keys(&["main"]), with_keys(&["main"]));
    let config = Config::new().set(&["server", "operations", "health_check"], checked());
    let config = add(config, "flaps", Api::Chat, &flaps, &["main"]);
    let config = add(config, "steady", Api::Chat, &steady, &["main"]);
    let cluster = Cluster::start(config.alias("smart", &[("flaps", "m"), ("steady", "m")])).await;
    (cluster, flaps, steady)
}

/// Gives the states that a provider was said to be in, one after the other.
async fn said(cluster: &Cluster, provider: &str) -> Vec<String> {
    let log = cluster.audit(provider).await;
    let changes = log.into_iter().filter(|(action, _)| action == "health_changed");
    changes
        .map(|(_, entry)| {
            let after: Value = serde_json::from_str(&text(&entry["after"])).expect("a state as JSON");
            text(&after["status"])
        })
        .collect()
}

fn down() -> Behaviour {
    Behaviour::error(ErrorKind::Unavailable)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_is_down_after_three_failures_and_up_after_two_answers_and_takes_traffic_accordingly() {
    let (cluster, flaps, _steady) = two().await;
    cluster.status("flaps", "is healthy", |told| told["status"] == "healthy").await;
    flaps.set_health(down()).unwrap();
    let told = cluster.status("flaps", "is unhealthy", |told| told["status"] == "unhealthy").await;
    assert!(text(&told["why"]).contains("503"), "{told}");
    assert_eq!(told["in_cooldown"], false, "a probe is no request: {told}");
    for node in cluster.nodes() {
        let by = shares(&burst(node, Api::Chat, "smart", 10).await);
        assert_eq!(by.keys().collect::<Vec<_>>(), ["steady"], "at {}", node.name);
    }
    let explained = cluster.get("explain?model=smart").await;
    let of_flaps = |candidate: &&Value| candidate["provider"] == "flaps";
    let candidates = explained["decision"]["candidates"].as_array().unwrap();
    assert_eq!(candidates.iter().find(of_flaps).unwrap()["excluded"], "unhealthy", "{explained}");
    // Asked for by name it is the only one: then its health is no reason to refuse.
    assert_eq!(cluster.a.ask(Api::Chat, "flaps/m").await.status, 200);

    flaps.set_health(Behaviour::Answer).unwrap();
    cluster.status("flaps", "is healthy again", |told| told["status"] == "healthy").await;
    let traffic =
        cluster.nodes().map(|node| Traffic::start(node, Api::Chat, "smart", Duration::from_millis(40)));
    for traffic in traffic {
        let returned = || async { traffic.got().iter().any(|got| got.provider == "flaps").then_some(()) };
        poll_until("answer of the one that is back", PATIENCE, returned).await;
        shares(&traffic.stop().await);
    }
    assert_eq!(said(&cluster, "flaps").await, ["healthy", "unhealthy", "healthy"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_fails_twice_and_answers_once_again_and_again_changes_nothing() {
    let (cluster, flaps, _steady) = two().await;
    cluster.status("flaps", "is healthy", |told| told["status"] == "healthy").await;
    let probe = |behaviour| Rule { operation: Some(Operation::Models), ..Rule::new(behaviour) };
    let round = || [probe(down()).times(2), probe(Behaviour::Answer).times(1)];
    flaps.set_rules((0..8).flat_map(|_| round()).collect()).unwrap();
    flaps.clear_log();
    let rounds = || async { (flaps.log().probes.errors >= 16).then_some(()) };
    poll_until("sixteen failed probes", PATIENCE, rounds).await;
    cluster.settle().await;
    assert_eq!(said(&cluster, "flaps").await, ["healthy"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_nodes_broken_way_out_stops_nobody_and_two_such_ways_are_an_outage() {
    let (upstream, other) = (provider("up", Script::default()), provider("other", Script::default()));
    let gate = Gate::start(upstream.addr()).await;
    let config = Config::new()
        .set(&["server", "operations", "health_check"], checked())
        // What fails is to be judged as health alone.
        .set(&["server", "operations", "cooldown"], json!({"enabled": false}))
        // Half of all requests are tried again meanwhile.
        .set(&["server", "retries", "budget_percent"], 100)
        .provider("gated", "openai", &gate.base_url())
        .provider("other", "openai", &other.base_url())
        .alias("smart", &[("gated", "m"), ("other", "m")]);
    let cluster = Cluster::start(config).await;
    cluster.status("gated", "is healthy", |told| told["status"] == "healthy").await;
    let traffic =
        cluster.nodes().map(|node| Traffic::start(node, Api::Chat, "smart", Duration::from_millis(50)));

    let (a, b) = (cluster.a.process.id(), cluster.b.process.id());
    for (broken, whole) in [(a, 1), (b, 0)] {
        gate.close_to(broken);
        // Three times as long as it takes to be sure.
        let later = now() + Duration::from_millis(2_000);
        let passed = || async { (now() >= later).then_some(()) };
        poll_until("time for many probes", PATIENCE, passed).await;
        assert_eq!(said(&cluster, "gated").await, ["healthy"], "one node's word is not enough");
        let by = shares(&traffic[whole].next(20).await);
        assert!(by["gated"] >= 5, "the other node goes on with it: {by:?}");
        shares(&traffic[1 - whole].next(10).await);
        gate.open_to(broken);
        // Else the failures of this round are the beginning of the next.
        let node = usize::from(broken == b);
        let is_back =
            || async { traffic[node].next(10).await.iter().any(|got| got.provider == "gated").then_some(()) };
        poll_until("answer of the gated one through the way that is open again", PATIENCE, is_back).await;
    }

    gate.close_to(a);
    gate.close_to(b);
    // Whose failures were told first decides which of them the reason names.
    let told = cluster.status("gated", "is unhealthy", |told| told["status"] == "unhealthy").await;
    assert!(text(&told["why"]).contains("in a row failed"), "{told}");
    gate.open_to(a);
    gate.open_to(b);
    cluster.status("gated", "is healthy again", |told| told["status"] == "healthy").await;
    assert_eq!(said(&cluster, "gated").await, ["healthy", "unhealthy", "healthy"]);
    for traffic in traffic {
        shares(&traffic.stop().await);
    }
}

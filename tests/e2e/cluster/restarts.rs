//! What is known outlives the processes that know it.

use super::fixture::{Cluster, add, with_keys};
use crate::apis::Api;
use cliproxy_testkit::{
    Client, Config, PATIENCE,
    mock::{Behaviour, ErrorKind, Hint, MockProvider, Rule},
};
use serde_json::json;

/// A cluster in which an operator's rest, a provider's own, and an outage are known.
async fn with_knowledge() -> (Cluster, MockProvider, MockProvider) {
    let (up, sick) = (with_keys(&["by-hand", "first", "second"]), with_keys(&["main"]));
    let hint = Hint { retry_after_s: Some(600), ..Hint::default() };
    up.set_rules(vec![Rule::new(Behaviour::rate_limit(hint)).for_key("first").for_model("m").times(1)])
        .unwrap();
    let checks = json!({"interval": "200ms", "timeout": "2s", "daily_budget": 1_000_000});
    let config = Config::new().set(&["server", "operations", "health_check"], checks);
    let config = add(config, "by-hand", Api::Chat, &up, &["by-hand"]);
    let config = add(config, "limited", Api::Chat, &up, &["first", "second"]);
    let config = add(config, "sick", Api::Chat, &sick, &["main"]);
    let config = config.alias("smart", &[("sick", "m"), ("limited", "m")]);
    let cluster = Cluster::start(config).await;
    cluster.say("by-hand", "cooldown", json!({"duration": "10m", "reason": "works"})).await;
    while calls(&up, "first") == 0 {
        assert_eq!(cluster.a.ask(Api::Chat, "limited/m").await.status, 200);
    }
    cluster.rests("limited/first").await;
    // It was well for a while, so that its uptime is neither nothing nor all.
    let well = || async { (sick.log().probes.completed >= 12).then_some(()) };
    cliproxy_testkit::poll_until("probes that were answered", PATIENCE, well).await;
    sick.set_health(Behaviour::error(ErrorKind::Unavailable)).unwrap();
    cluster.status("sick", "is unhealthy", |told| told["status"] == "unhealthy").await;
    up.clear_log();
    (cluster, up, sick)
}

/// Counts the calls with a key, without those that only asked whether the provider is well.
fn calls(mock: &MockProvider, key: &str) -> u64 {
    let log = mock.log();
    log.by.iter().filter(|row| (&*row.key, &*row.model) == (key, "m")).map(|row| row.totals.requests).sum()
}

/// Holds that both nodes go by what was known.
async fn nodes_know(cluster: &Cluster, up: &MockProvider, sick: &MockProvider) {
    for node in cluster.nodes() {
        let answer = node.ask(Api::Chat, "by-hand/m").await;
        assert_eq!(answer.status, 503, "at {}: {}", node.name, answer.text());
        assert!(answer.text().contains("cooldown: manual"), "{}", answer.text());
        for _ in 0..4 {
            let answer = node.ask(Api::Chat, "smart").await;
            assert_eq!(
                answer.header("x-cliproxy-provider"),
                "limited",
                "at {}: {}",
                node.name,
                answer.text()
            );
        }
    }
    assert_eq!((calls(up, "by-hand"), calls(up, "first")), (0, 0), "what rests was called");
    assert_eq!(sick.log().of_model("m").requests, 0, "what is unhealthy was called");
}

async fn control_plane_knows(cluster: &Cluster) {
    let status = cluster.get("cooldown/status").await;
    assert_eq!(status["cooldown_periods"]["by-hand"]["reason"], "works", "{status}");
    let limited = &status["resting"]["limited/first"];
    assert_eq!((&limited["cause"], &limited["stage"]), (&"rate_limit".into(), &"resting".into()), "{status}");
    let sick = &cluster.get("providers/status").await["providers"]["sick"];
    assert_eq!(sick["status"], "unhealthy", "{sick}");
}

async fn uptime(cluster: &Cluster) -> f64 {
    cluster.get("providers/status").await["providers"]["sick"]["uptime_percent"].as_f64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn rests_and_health_survive_a_control_plane_and_a_node_that_were_killed() {
    let (mut cluster, up, sick) = with_knowledge().await;
    cluster.control.kill9();
    cluster.control.restart();
    cluster.control.ready().await;
    control_plane_knows(&cluster).await;
    cluster.connected().await;
    nodes_know(&cluster, &up, &sick).await;

    cluster.a.process.kill9();
    cluster.a.process.restart();
    cluster.a.process.ready().await;
    cluster.a.client = Client::new(cluster.a.process.address().await);
    cluster.connected().await;
    cluster.settle().await;
    nodes_know(&cluster, &up, &sick).await;
    control_plane_knows(&cluster).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_starts_while_the_control_plane_is_away_keeps_to_the_rests_that_it_knew() {
    let (mut cluster, up, _sick) = with_knowledge().await;
    cluster.control.kill9();
    cluster.a.process.terminate();
    assert!(cluster.a.process.wait_exit(PATIENCE).await.success());
    cluster.a.process.restart();
    cluster.a.process.ready().await;
    cluster.a.client = Client::new(cluster.a.process.address().await);
    let node = &cluster.a;
    let answer = node.ask(Api::Chat, "by-hand/m").await;
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert!(answer.text().contains("cooldown: manual"), "{}", answer.text());
    for _ in 0..6 {
        assert_eq!(node.ask(Api::Chat, "limited/m").await.status, 200);
    }
    assert_eq!(calls(&up, "first"), 0, "what rests was called");
    assert_eq!(node.get("cooldown/status").await["source"], "node");
}

#[tokio::test(flavor = "multi_thread")]
async fn uptime_is_that_of_the_last_day_whoever_was_restarted() {
    let (mut cluster, _up, _sick) = with_knowledge().await;
    // What was counted since it was last stored is stored in the end.
    cluster.control.terminate();
    assert!(cluster.control.wait_exit(PATIENCE).await.success());
    cluster.control.restart();
    cluster.control.ready().await;
    // It goes on failing: of nothing but that the uptime would be 0, and 100 of nothing at all.
    let once = uptime(&cluster).await;
    assert!((15.0..100.0).contains(&once), "{once}");
    cluster.control.kill9();
    cluster.control.restart();
    cluster.control.ready().await;
    let twice = uptime(&cluster).await;
    assert!((10.0..=once).contains(&twice), "{once} %, then {twice} %");
}

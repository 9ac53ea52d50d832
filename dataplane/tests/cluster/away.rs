//! What a node does while its control plane is away, and when it is back.

use crate::{
    control::{Control, ENDPOINT},
    network::MemoryNet,
    node::{Node, PausedClock, configuration, pass, until},
    provider::Provider,
};
use cliproxy_domain::{
    Cooldown, CooldownCause, CooldownKey, Evidence, Health, HealthState, Hint, Permit, ProbeAssignment,
};
use cliproxy_host::{Clock as _, MemoryDisk};
use serde_json::json;
use std::time::Duration;

const CALM: Duration = Duration::from_secs(3);

fn healthy(revision: u64) -> Hint {
    Hint::Health(Health {
        revision,
        provider: "a".into(),
        state: HealthState::Healthy,
        since: PausedClock.wall(),
        recovered: false,
        recoveries: 0,
        why: format!("word {revision}"),
    })
}

fn rest(seconds: u64) -> Hint {
    let now = PausedClock.wall();
    Hint::Cooldown(Cooldown {
        key: CooldownKey::credential("a".into(), "main".into()),
        epoch: 0,
        round: 0,
        started_at: now,
        until: now.plus(Duration::from_secs(seconds)),
        cleared: false,
        cause: CooldownCause::RateLimit,
        source: "other".into(),
        permit: Permit { number: 0, node: Some("other".into()) },
        streak: 1,
        evidence: Evidence::default(),
    })
}

/// Starts a control plane and a node that has its configuration.
async fn connected(net: &MemoryNet, disk: &MemoryDisk) -> (Control, Node) {
    let control = Control::new(net, configuration(&["a"]));
    control.begin();
    let node = Node::start(net, disk, &[ENDPOINT], None).await;
    until("the configuration", || node.live.known().is_some()).await;
    (control, node)
}

#[tokio::test(start_paused = true)]
async fn answers_say_which_configuration_they_were_made_with_and_after_a_minute_alone_that_it_may_be_old() {
    let (net, disk) = (MemoryNet::default(), MemoryDisk::default());
    let (control, node) = connected(&net, &disk).await;
    until("the connection", || !node.live.is_cut_off()).await;
    let config = node.live.known().map(|known| known.config.0.to_string());
    assert!(config.is_some());
    assert_eq!(node.signed().await, (config.clone(), None));
    control.end();
    pass(Duration::from_secs(55)).await;
    assert_eq!(node.signed().await, (config.clone(), None), "it is not so old yet");
    pass(Duration::from_secs(7)).await;
    assert_eq!(node.signed().await, (config.clone(), Some("stale".to_owned())));
    control.begin();
    until("the connection", || !node.live.is_cut_off()).await;
    pass(Duration::from_secs(2)).await;
    assert_eq!(node.signed().await, (config, None));
}

#[tokio::test(start_paused = true)]
async fn a_node_is_cut_off_when_it_heard_nothing_for_two_seconds_and_not_before() {
    let (net, disk) = (MemoryNet::default(), MemoryDisk::default());
    let (control, node) = connected(&net, &disk).await;
    until("the connection", || !node.live.is_cut_off()).await;
    control.end();
    pass(Duration::from_millis(1_000)).await;
    assert!(!node.live.is_cut_off(), "a stream that broke is opened again before anything is made of it");
    pass(Duration::from_millis(1_500)).await;
    assert!(node.live.is_cut_off());
    assert_eq!(node.metric("cliproxy_node_cut_off "), 1);
    control.begin();
    until("the connection", || !node.live.is_cut_off()).await;
    assert_eq!(node.metric("cliproxy_node_cut_off "), 0);
    node.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_node_that_is_cut_off_judges_by_itself_and_obeys_again_when_it_is_not() {
    let (net, disk) = (MemoryNet::default(), MemoryDisk::default());
    let (control, node) = connected(&net, &disk).await;
    let a = Provider::play(&net, "a");
    control.say(&Hint::Probe(ProbeAssignment {
        revision: 1,
        provider: "a".into(),
        nodes: vec!["other".into()],
        at_once: 0,
        node_count: 2,
    }));
    control.say(&healthy(7));
    until("the word", || node.health("a") == HealthState::Healthy).await;
    pass(Duration::from_secs(30)).await;
    assert_eq!(a.probes(), 0, "another node probes");

    control.end();
    a.set_health(503);
    until("its own word", || node.health("a") == HealthState::Unhealthy).await;
    assert_eq!(a.probes(), 3, "so many failures make it unhealthy");
    let (status, told) = node.operate("GET", "providers/status", "").await;
    let told = &told["providers"]["a"];
    assert_eq!((status, &told["status"]), (200, &json!("unhealthy")));
    assert_eq!(told["why"], "3 probes in a row failed (503)");
    assert!(node.metric(r#"cliproxy_node_probes_total{provider="a",result="unhealthy"} "#) == 3);

    // The control plane is back, and its last word is what holds, though it does not say it again.
    control.begin();
    until("the word of before", || node.health("a") == HealthState::Healthy).await;
    let probes = a.probes();
    pass(Duration::from_secs(60)).await;
    assert_eq!(a.probes(), probes);
    node.stop().await;
}

#[tokio::test(start_paused = true)]
async fn two_nodes_that_are_cut_off_probe_half_as_often_each() {
    let (net, disk) = (MemoryNet::default(), MemoryDisk::default());
    let (control, node) = connected(&net, &disk).await;
    let a = Provider::play(&net, "a");
    control.say(&Hint::Probe(ProbeAssignment {
        revision: 1,
        provider: "a".into(),
        nodes: vec!["me".into()],
        at_once: 0,
        node_count: 4,
    }));
    until("a probe", || a.probes() == 1).await;
    control.end();
    pass(Duration::from_secs(4_000)).await;
    // 4,000 s at an interval of 10 s, over four nodes, with full jitter.
    assert!((80..=125).contains(&a.probes()), "{} probes", a.probes());
    node.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_rests_goes_on_resting_after_a_restart_without_a_control_plane() {
    let (net, disk) = (MemoryNet::default(), MemoryDisk::default());
    let (control, node) = connected(&net, &disk).await;
    let a = Provider::play(&net, "a");
    control.say(&rest(300));
    control.say(&healthy(3));
    until("the rest", || !node.live.hints().is_empty()).await;
    assert_eq!(node.chat("a/m").await, 429);
    node.stop().await;
    control.end();

    let node = Node::start(&net, &disk, &[ENDPOINT], None).await;
    assert_eq!(node.health("a"), HealthState::Healthy);
    assert_eq!(node.chat("a/m").await, 429);
    let (_, told) = node.operate("GET", "cooldown/status", "").await;
    assert_eq!((&told["source"], &told["providers_in_cooldown"]), (&json!("node"), &json!(["a"])));
    assert!(a.asked().iter().all(|asked| asked.starts_with("GET")), "{:?}", a.asked());
    node.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_words_of_a_control_plane_with_another_history_count_from_the_first() {
    let (net, disk) = (MemoryNet::default(), MemoryDisk::default());
    let (control, node) = connected(&net, &disk).await;
    let mut sick = healthy(90);
    if let Hint::Health(health) = &mut sick {
        health.state = HealthState::Unhealthy;
    }
    control.say(&sick);
    until("the word", || node.health("a") == HealthState::Unhealthy).await;
    control.end();
    control.forget_history();
    control.say_at_first(healthy(1));
    control.begin();
    until("the new word", || node.health("a") == HealthState::Healthy).await;
    node.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_happened_while_nobody_listened_is_told_with_its_age() {
    let (net, disk) = (MemoryNet::default(), MemoryDisk::default());
    let (control, node) = connected(&net, &disk).await;
    let a = Provider::play(&net, "a");
    control.end();
    pass(CALM).await;
    a.set_calls(429, Some(40));
    assert_eq!(node.chat("a/m").await, 429);
    pass(Duration::from_secs(20)).await;
    control.begin();
    until("the event", || !control.told().events.is_empty()).await;
    let event = &control.told().events[0];
    assert_eq!((event.provider.as_str(), event.credential.as_str(), event.http_status), ("a", "main", 429));
    assert_eq!(event.hint_ms, Some(40_000), "the wait as it came");
    assert!((20_000..40_000).contains(&event.age_ms), "{} ms", event.age_ms);
    node.stop().await;
}

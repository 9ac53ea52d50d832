//! Who is probed, when, and what comes of it.

use crate::{
    control::{Control, ENDPOINT},
    network::MemoryNet,
    node::{Node, PausedClock, configuration, pass, until},
    provider::Provider,
};
use cliproxy_domain::{Credential, Health, HealthState, Hint, ProbeAssignment, Secret};
use cliproxy_host::{Clock as _, MemoryDisk};
use std::time::Duration;

fn assigned(revision: u64, nodes: &[&str], at_once: u64) -> Hint {
    Hint::Probe(ProbeAssignment {
        revision,
        provider: "a".into(),
        nodes: nodes.iter().map(|node| (*node).into()).collect(),
        at_once,
        node_count: 2,
    })
}

fn health(revision: u64, state: HealthState, recoveries: u64) -> Hint {
    Hint::Health(Health {
        revision,
        provider: "a".into(),
        state,
        since: PausedClock.wall(),
        recovered: false,
        recoveries,
        why: "the test says so".to_owned(),
    })
}

async fn connected(names: &[&str]) -> (MemoryNet, Control, Node) {
    let net = MemoryNet::default();
    let control = Control::new(&net, configuration(names));
    control.begin();
    let node = Node::start(&net, &MemoryDisk::default(), &[ENDPOINT], None).await;
    until("the configuration", || node.live.known().is_some()).await;
    (net, control, node)
}

#[tokio::test(start_paused = true)]
async fn a_node_probes_what_is_assigned_to_it_alone_and_tells_what_it_found() {
    let (net, control, node) = connected(&["a", "b"]).await;
    let (a, b) = (Provider::play(&net, "a"), Provider::play(&net, "b"));
    control.say(&assigned(1, &["me"], 0));
    until("a probe's report", || !control.told().observed.is_empty()).await;
    assert_eq!(a.asked(), ["GET /v1/models Bearer sk-a"]);
    let told = &control.told().observed[0];
    let probe = &told.probes[0];
    assert_eq!((told.node_id.as_str(), probe.provider.as_str()), ("me", "a"));
    assert_eq!((probe.healthy, probe.http_status, probe.error_type.as_str()), (true, 200, ""));

    // It is said again as long as it holds, and the node goes on at the interval.
    for _ in 0..10 {
        pass(Duration::from_secs(5)).await;
        control.say(&assigned(1, &["me"], 0));
    }
    assert!((5..=6).contains(&a.probes()), "{} probes in 50 s at an interval of 10 s", a.probes());
    assert_eq!(b.probes(), 0);
    let series = r#"cliproxy_node_probes_total{provider="a",result="healthy"} "#;
    assert_eq!(node.metric(series), a.probes() as u64);

    // What nobody says any more, or another is to do, the node leaves.
    control.say(&assigned(2, &["other"], 0));
    let before = a.probes();
    pass(Duration::from_secs(60)).await;
    assert_eq!(a.probes(), before);
    node.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_assignment_that_is_not_repeated_lapses() {
    let (net, control, node) = connected(&["a"]).await;
    let a = Provider::play(&net, "a");
    control.say(&assigned(1, &["me"], 0));
    pass(Duration::from_secs(120)).await;
    assert!((1..=3).contains(&a.probes()), "{} probes in 15 s at an interval of 10 s", a.probes());
    node.stop().await;
}

#[tokio::test(start_paused = true)]
async fn every_way_to_fail_is_told_in_the_words_of_the_metrics() {
    let (net, control, node) = connected(&["a"]).await;
    for (revision, status, word) in [
        (1, 503, "overloaded"),
        (2, 500, "upstream_error"),
        (3, 401, "credential_rejected"),
        (4, 403, "permission"),
    ] {
        let a = Provider::play(&net, "a");
        a.set_health(status);
        control.say(&assigned(revision, &["me"], revision));
        let told = || control.told().observed.iter().flat_map(|told| told.probes.clone()).next_back();
        until(word, || told().is_some_and(|probe| probe.error_type == word)).await;
        let probe = told().expect("a probe");
        assert_eq!((probe.healthy, probe.http_status), (false, u32::from(status)));
        net.cut("a");
    }
    control.say(&assigned(5, &["me"], 5));
    let told = || control.told().observed.iter().flat_map(|told| told.probes.clone()).next_back();
    until("no connection", || told().is_some_and(|probe| probe.error_type == "connect_failed")).await;
    // An answer that means nothing to a client still shows that somebody is there.
    let a = Provider::play(&net, "a");
    a.set_health(429);
    control.say(&assigned(6, &["me"], 6));
    until("an answer", || told().is_some_and(|probe| probe.healthy && probe.http_status == 429)).await;
    node.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_refused_says_nothing_of_a_provider_that_takes_another() {
    let net = MemoryNet::default();
    let mut snapshot = configuration(&["a"]);
    let credentials = &mut snapshot.providers.get_mut("a").expect("it is there").credentials;
    credentials.push(Credential::new("spare", Secret::new("sk-spare")));
    let control = Control::new(&net, snapshot);
    control.say_at_first(assigned(1, &["me"], 0));
    control.begin();
    let a = Provider::play(&net, "a");
    a.refuse("sk-a");
    let node = Node::start(&net, &MemoryDisk::default(), &[ENDPOINT], None).await;
    until("two probes", || control.told().observed.len() == 2).await;
    let probes = || control.told().observed.iter().flat_map(|told| told.probes.clone()).collect::<Vec<_>>();
    assert!(probes().iter().all(|probe| probe.healthy), "{:?}", probes());
    let asked = [
        "GET /v1/models Bearer sk-a",
        "GET /v1/models Bearer sk-spare",
        // It was the other's turn.
        "GET /v1/models Bearer sk-spare",
    ];
    assert_eq!(a.asked(), asked);
    node.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_recovery_forgets_the_connections_and_is_probed_at_once() {
    let (net, control, node) = connected(&["a"]).await;
    let a = Provider::play(&net, "a");
    control.say(&assigned(1, &["me"], 0));
    control.say(&health(1, HealthState::Unhealthy, 0));
    until("the first probe", || a.probes() == 1).await;
    assert_eq!(node.chat("a/m").await, 200);
    assert_eq!(a.connections(), (1, 0), "all goes over one connection");

    control.say(&health(2, HealthState::Unhealthy, 1));
    control.say(&assigned(2, &["me"], 1));
    let asked = Duration::from_secs(1);
    pass(asked).await;
    assert_eq!(
        (a.probes(), a.connections()),
        (2, (2, 1)),
        "the old connection is closed and a new one opened"
    );
    // The same word again is no recovery.
    control.say(&health(2, HealthState::Unhealthy, 1));
    pass(asked).await;
    assert_eq!(a.connections(), (2, 1));
    node.stop().await;
}

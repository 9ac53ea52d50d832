//! Nodes that all serve and have no control plane: they tell each other what rests, and know who is there.

use super::*;
use cliproxy_testkit::{
    mock::{Behaviour, Hint, MockProvider},
    now, provider,
};
use serde_json::json;
use std::time::Duration;

fn config(mock: &MockProvider, peers: &[String]) -> Config {
    let peers: Vec<String> = peers.iter().map(|peer| format!("http://{peer}")).collect();
    let failover = json!({
        "mode": "active_active",
        "health_check_interval": "200ms",
        "failover_timeout": "1s",
        "peers": peers,
    });
    Config::new().provider("up", "openai", &mock.base_url()).set(&["server", "failover"], failover)
}

struct Nodes {
    up: MockProvider,
    processes: Vec<Process>,
    clients: Vec<Client>,
}

async fn three() -> Nodes {
    let up = provider("up", Behaviour::default());
    let addresses = addresses::<3>();
    let config = config(&up, &addresses);
    let names = ["a", "b", "c"].iter().zip(&addresses);
    let mut processes = Vec::new();
    for (name, address) in names {
        processes.push(node(name, address, &config).start());
    }
    let mut clients = Vec::new();
    for process in &processes {
        process.ready().await;
        clients.push(process.client().await);
    }
    for client in &clients {
        sees("all three nodes", client, |shown| shown["live_nodes"] == 3).await;
    }
    Nodes { up, processes, clients }
}

/// Waits until a node says that the provider rests, or that it does not.
async fn rests(client: &Client, wanted: bool) {
    let attempt = || async {
        let status = client.get("/v0/operations/cooldown/status").await.json();
        let rests = status["resting"]
            .as_object()
            .is_some_and(|resting| resting.values().any(|rest| rest["stage"] == "resting"));
        (rests == wanted).then_some(())
    };
    poll_until(&format!("rest that is {wanted}"), PATIENCE, attempt).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_node_finds_out_the_others_go_by() {
    let nodes = three().await;
    nodes.up.set(Behaviour::rate_limit(Hint { retry_after_s: Some(600), ..Hint::default() })).unwrap();
    let asked = now();
    assert_eq!(ask(&nodes.clients[0], "up/m").await.status, 429);
    for client in &nodes.clients {
        rests(client, true).await;
    }
    println!("three nodes without a control plane knew of a rest {:?} after the request", asked.elapsed());
    for client in &nodes.clients {
        assert_eq!(ask(client, "up/m").await.status, 429);
    }
    assert_eq!(nodes.up.totals().requests, 1, "nobody else called what rests");
    // An operator's word goes the same way, and wins.
    nodes.up.set(Behaviour::default()).unwrap();
    let recovered = nodes.clients[2].post("/v0/operations/providers/up/recover", "{}").await;
    assert_eq!(recovered.status, 200, "{}", recovered.text());
    for client in &nodes.clients {
        rests(client, false).await;
        assert_eq!(ask(client, "up/m").await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_dies_is_out_and_hears_what_it_missed_when_it_is_back() {
    let mut nodes = three().await;
    nodes.processes[2].kill9();
    for client in &nodes.clients[..2] {
        let shown = sees("two nodes", client, |shown| shown["live_nodes"] == 2).await;
        assert_eq!(shown["role"], "active", "{shown}");
    }
    nodes.up.set(Behaviour::rate_limit(Hint { retry_after_s: Some(600), ..Hint::default() })).unwrap();
    assert_eq!(ask(&nodes.clients[0], "up/m").await.status, 429);
    back(&mut nodes.processes[2]).await;
    rests(&nodes.clients[2], true).await;
    assert_eq!(nodes.up.totals().requests, 1);
    let began = now();
    for client in &nodes.clients[..2] {
        sees("all three nodes", client, |shown| shown["live_nodes"] == 3).await;
    }
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn words_on_rests_are_taken_from_peers_alone() {
    let up = provider("up", Behaviour::default());
    let [own] = addresses();
    // The peers are elsewhere: nobody on this machine is one.
    let elsewhere = config(&up, &[own.clone(), "192.0.2.1:8317".to_owned()]);
    let among_others = node("a", &own, &elsewhere).ready().await;
    let client = among_others.client().await;
    let told = client.post("/v0/peers/hints", Vec::new()).await;
    assert_eq!(told.status, 403, "{}", told.text());
    assert!(told.text().contains("server.failover"), "{}", told.text());
    assert_eq!(client.get("/v0/peers/hints").await.status, 405);

    let alone = Config::new().provider("up", "openai", &up.base_url());
    let alone = Launch::new(CLIPROXY, "dataplane").config(alone).ready().await;
    assert_eq!(alone.client().await.post("/v0/peers/hints", Vec::new()).await.status, 404);
}

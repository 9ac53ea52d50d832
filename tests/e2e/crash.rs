//! Processes that die: what their clients notice, and what the books say afterwards.

use crate::{
    CLIPROXY,
    apis::Api,
    books,
    load::{Load, Providers, ask},
};
use cliproxy_testkit::{Client, Launch, PATIENCE, Process, now, poll_until};
use serde_json::Value;
use std::time::Duration;

/// A control plane and a node, each a process of its own.
struct Cluster {
    control: Process,
    node: Process,
    providers: Providers,
}

impl Cluster {
    async fn start() -> Self {
        let providers = Providers::start();
        let control = Launch::new(CLIPROXY, "controlplane").config(providers.config()).ready().await;
        let endpoint = format!("control_plane.endpoints=[\"http://{}\"]", control.nodes().await);
        let node = Launch::new(CLIPROXY, "dataplane").arg("--set").arg(endpoint).ready().await;
        Self { control, node, providers }
    }

    async fn control_plane_returns(&mut self) {
        self.control.restart();
        self.control.ready().await;
        let client = self.node.client().await;
        let connected = || async {
            let health = client.get("/health").await.json();
            (health["control_plane"] == "connected").then_some(())
        };
        poll_until("connection to the control plane", PATIENCE, connected).await;
    }
}

/// Ends the node, so that nothing more can come, and compares the store with what each provider counted.
async fn books_are_exact(control: &Process, mut node: Process, providers: &Providers) {
    for (provider, mock) in &providers.0 {
        let truth = mock.wait_for(PATIENCE, |totals| totals.in_flight == 0).await;
        let truth = truth.expect("all requests end");
        let reported = || async {
            (books::usage(control, Some(provider)).await.attempts.ok >= truth.completed).then_some(())
        };
        poll_until(&format!("{} answers of {provider} in the store", truth.completed), PATIENCE, reported)
            .await;
    }
    node.terminate();
    assert!(node.wait_exit(PATIENCE).await.success());
    compare(control, providers).await;
}

/// Compares the store with what each provider counted.
async fn compare(control: &Process, providers: &Providers) {
    for (provider, mock) in &providers.0 {
        let truth = mock.totals();
        assert_eq!((truth.requests, truth.in_flight), (truth.completed, 0), "{provider}: {truth:?}");
        let usage = books::usage(control, Some(provider)).await;
        assert_eq!(
            (usage.attempts.ok, usage.attempts.attempts(), usage.tokens.input, usage.tokens.output),
            (truth.completed, truth.requests, truth.input_tokens, truth.output_tokens),
            "{provider}: (answers, attempts, input, output) in the store and at the provider",
        );
        assert_eq!((usage.attempts.errors(), usage.attempts.cancelled, usage.tokens.estimated), (0, 0, 0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_control_plane_fails_no_request_and_its_books_are_exact_once_it_is_back() {
    let mut cluster = Cluster::start().await;
    let load = Load::start(cluster.node.client().await);
    load.goes_on(150).await;
    cluster.control.kill9();
    load.goes_on(300).await;
    cluster.control_plane_returns().await;
    load.goes_on(100).await;
    let (answered, failures) = load.stop().await;
    assert!(failures.is_empty(), "{} of {answered}: {failures:#?}", failures.len());
    books_are_exact(&cluster.control, cluster.node, &cluster.providers).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_control_plane_killed_again_and_again_counts_nothing_twice_and_loses_nothing() {
    let mut cluster = Cluster::start().await;
    let load = Load::start(cluster.node.client().await);
    for round in 0..5 {
        // Another place within the second of a window each time.
        load.goes_on(60 + 17 * round).await;
        cluster.control.kill9();
        load.goes_on(20).await;
        cluster.control_plane_returns().await;
    }
    let (answered, failures) = load.stop().await;
    assert!(failures.is_empty(), "{} of {answered}: {failures:#?}", failures.len());
    books_are_exact(&cluster.control, cluster.node, &cluster.providers).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_stopped_and_started_without_a_control_plane_serves_what_it_knew_last() {
    let mut cluster = Cluster::start().await;
    saved(&cluster.node).await;
    cluster.control.kill9();
    cluster.node.terminate();
    assert!(cluster.node.wait_exit(PATIENCE).await.success());
    serves_what_it_knew_last(&mut cluster.node).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_killed_and_started_without_a_control_plane_serves_what_it_knew_last() {
    let mut cluster = Cluster::start().await;
    saved(&cluster.node).await;
    cluster.control.kill9();
    cluster.node.kill9();
    serves_what_it_knew_last(&mut cluster.node).await;
}

/// Waits until the node has its configuration on disk.
async fn saved(node: &Process) {
    let folder = node.folder().join("data/node");
    let there = || async {
        let mut entries = std::fs::read_dir(&folder).ok()?.flatten();
        let is_saved = |name: &str| name.starts_with("last-known-good-") && !name.ends_with(".tmp");
        entries.any(|entry| is_saved(&entry.file_name().to_string_lossy())).then_some(())
    };
    poll_until("saved configuration", PATIENCE, there).await;
}

async fn serves_what_it_knew_last(node: &mut Process) {
    let client = Client::new(node.address().await);
    node.restart();
    let answers = || async { ask(&client, Api::Chat, true).await.ok() };
    poll_until("answer after the restart", Duration::from_secs(5), answers).await;
    let took = now() - node.started();
    println!("from exec to the end of the first answer: {} ms", took.as_millis());
    for api in Api::ALL {
        ask(&client, api, false).await.expect("every provider is known");
    }
    assert_eq!(client.get("/ready").await.status, 200);
    assert_eq!(client.get("/health").await.json()["control_plane"], "connecting");
    let status = client.get("/v0/operations/providers/status").await.json();
    assert_eq!(status["source"], "node");
    assert_eq!(names(&status), ["anthropic", "gemini", "openai"]);
    assert!(took <= Duration::from_secs(5), "{took:?}");
}

fn names(status: &Value) -> Vec<&str> {
    status["providers"].as_object().expect("providers by name").keys().map(String::as_str).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn both_planes_in_one_process_keep_their_books_over_a_restart() {
    let providers = Providers::start();
    let mut gateway = Launch::new(CLIPROXY, "serve").config(providers.config()).ready().await;
    for _ in 0..2 {
        let load = Load::start(gateway.client().await);
        load.goes_on(40).await;
        let (answered, failures) = load.stop().await;
        assert!(failures.is_empty(), "{} of {answered}: {failures:#?}", failures.len());
        // At once: what was not reported yet goes up in the end.
        gateway.terminate();
        assert!(gateway.wait_exit(PATIENCE).await.success());
        compare(&gateway, &providers).await;
        gateway.restart();
        gateway.ready().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_alone_serves_from_its_file_and_answers_operators_for_itself() {
    let providers = Providers::start();
    let node = Launch::new(CLIPROXY, "dataplane").config(providers.config()).ready().await;
    let client = node.client().await;
    for api in Api::ALL {
        for stream in [false, true] {
            ask(&client, api, stream).await.expect("every provider is known");
        }
    }
    assert_eq!(client.get("/health").await.json()["control_plane"], "none");
    let status = || async {
        let status = client.get("/v0/operations/providers/status").await.json();
        (status["providers"]["openai"]["requests_last_minute"] == 4).then_some(status)
    };
    let status = poll_until("four requests to openai", PATIENCE, status).await;
    assert_eq!(status["source"], "node");
    for (provider, requests) in [("openai", 4), ("anthropic", 2), ("gemini", 2)] {
        let provider = &status["providers"][provider];
        assert_eq!((&provider["status"], &provider["in_cooldown"]), (&"healthy".into(), &false.into()));
        assert_eq!(provider["requests_last_minute"], requests);
        assert_eq!(provider["errors_last_minute"], 0);
    }
    let shares = client.get("/v0/operations/load_balancing/status").await.json();
    assert_eq!(
        (&shares["source"], &shares["providers"]["openai"]["share_percent"]),
        (&"node".into(), &50.0.into())
    );
}

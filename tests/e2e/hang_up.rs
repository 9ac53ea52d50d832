//! A client that hangs up: the provider's call is cancelled at once, and counted as nobody's error.

use crate::{CLIPROXY, apis::Api};
use cliproxy_testkit::{
    Client, Config, Launch, PATIENCE, Process, Samples,
    mock::{Behaviour, Latency, MockProvider, Outcome, Reply, Rule},
    poll_until, provider,
};

/// Far longer than a test: only a hang-up ends such an answer in time.
const NEVER_MS: u64 = 600_000;

async fn gateway(mock: &MockProvider) -> (Process, Client) {
    let mut config = Config::new();
    for api in Api::ALL {
        config = config.provider(api.kind(), api.kind(), &mock.base_url());
    }
    let gateway = Launch::new(CLIPROXY, "serve").config(config).ready().await;
    let client = gateway.client().await;
    (gateway, client)
}

/// Holds what is told of four requests that their clients left.
async fn counts_as_client_gone(gateway: &Process, client: &Client, mock: &MockProvider) {
    let totals = mock.wait_for(PATIENCE, |totals| totals.cancelled == 4).await.unwrap();
    assert_eq!((totals.requests, totals.in_flight), (4, 0));
    assert!(mock.log().entries.iter().all(|entry| entry.outcome == Outcome::Cancelled));
    let counted = || async {
        let metrics = Samples::parse(client.get("/metrics").await.text());
        let gone = metrics.sum("cliproxy_attempts_total", &[("outcome", "client_gone")]);
        (gone == 4.0).then_some(metrics)
    };
    let metrics = poll_until("four attempts whose client has gone", PATIENCE, counted).await;
    assert_eq!(metrics.sum("cliproxy_attempts_total", &[]), 4.0);
    assert_eq!(metrics.sum("cliproxy_requests_total", &[("status", "error")]), 4.0);
    assert_eq!(metrics.sum("cliproxy_errors_total", &[]), 0.0, "a hang-up is nobody's error");
    let shown = || async {
        let status = client.get("/v0/operations/providers/status").await.json();
        let sum = |field| {
            let providers = status["providers"].as_object()?;
            providers.values().map(|provider| provider[field].as_u64()).sum::<Option<u64>>()
        };
        (sum("requests_last_minute") == Some(4)).then_some((sum("errors_last_minute"), status.clone()))
    };
    let (errors, status) = poll_until("four requests in the status", PATIENCE, shown).await;
    assert_eq!(errors, Some(0), "{status}");
    let gone = |line: &serde_json::Value| line["error_type"] == "client_gone";
    let logged = || async { (gateway.log_lines().into_iter().filter(gone).count() == 4).then_some(()) };
    poll_until("four lines in the log", PATIENCE, logged).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hang_up_before_the_first_event_cancels_the_providers_call() {
    let latency = Latency { time_to_first_token_ms: NEVER_MS, ..Latency::default() };
    let mock = provider("slow", Rule::new(Behaviour::Answer).latency(latency));
    let (gateway, client) = gateway(&mock).await;
    for (turn, api) in Api::ALL.into_iter().enumerate() {
        let (path, body) = api.request(&format!("{}/m", api.kind()), turn % 2 == 0);
        let asking = tokio::spawn({
            let client = client.clone();
            async move { client.json(&path, body).send().await }
        });
        mock.wait_for(PATIENCE, |totals| totals.in_flight == 1).await.unwrap();
        asking.abort();
        mock.wait_for(PATIENCE, |totals| totals.in_flight == 0).await.unwrap();
    }
    counts_as_client_gone(&gateway, &client, &mock).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hang_up_within_the_stream_cancels_the_providers_call() {
    let latency = Latency { per_token_ms: NEVER_MS, ..Latency::default() };
    let reply = Reply { tokens: Some(10), ..Reply::default() };
    let mock = provider("slow", Rule::new(Behaviour::Answer).latency(latency).reply(reply));
    let (gateway, client) = gateway(&mock).await;
    for api in Api::ALL {
        let (path, body) = api.request(&format!("{}/m", api.kind()), true);
        let mut stream = client.post_stream(&path, body).await;
        assert_eq!(stream.status, 200);
        assert!(stream.event().await.unwrap().is_some());
        assert_eq!(mock.totals().in_flight, 1);
        drop(stream);
        mock.wait_for(PATIENCE, |totals| totals.in_flight == 0).await.unwrap();
    }
    counts_as_client_gone(&gateway, &client, &mock).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hang_up_over_http2_cancels_that_stream_alone() {
    let latency = Latency { per_token_ms: 100, ..Latency::default() };
    let reply = Reply { tokens: Some(15), ..Reply::default() };
    let mock = provider("slow", Rule::new(Behaviour::Answer).latency(latency).reply(reply));
    let (gateway, _) = gateway(&mock).await;
    let client = Client::http2(gateway.address().await);
    let (path, body) = Api::Messages.request("anthropic/m", true);
    let (mut leaves, stays) =
        (client.post_stream(&path, body.clone()).await, client.post_stream(&path, body).await);
    leaves.event().await.unwrap();
    drop(leaves);
    mock.wait_for(PATIENCE, |totals| totals.cancelled == 1).await.unwrap();
    let answer = stays.whole().await.unwrap();
    assert_eq!(answer.events().last().unwrap().name.as_deref(), Some("message_stop"));
    let totals = mock.wait_for(PATIENCE, |totals| totals.in_flight == 0).await.unwrap();
    assert_eq!((totals.completed, totals.cancelled), (1, 1));
}

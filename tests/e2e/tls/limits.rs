//! Limits between planes that prove who they are: who does so is granted, who does not is not.

use super::fixture::Certificates;
use crate::apis::Api;
use cliproxy_proto::v1::{LeaseUp, quota_client::QuotaClient};
use cliproxy_testkit::{Client, Config, PATIENCE, mock::Script, poll_until, provider};
use futures_util::{future::join_all, stream};
use serde_json::json;
use std::time::Duration;
use tonic::transport::Endpoint;

const LIMIT: u64 = 12;

#[tokio::test(flavor = "multi_thread")]
async fn nodes_with_certificates_share_a_budget_and_one_in_the_clear_claims_nothing() {
    let certificates = Certificates::make(&["n1", "n2"]).await;
    let mock = provider("p", Script::default());
    let config = Config::new()
        .provider("p", "openai", &mock.base_url())
        .alias("fast", &[("p", "m")])
        .set(&["providers", "p", "quota"], json!({"limit": LIMIT, "unit": "requests", "reset": "monthly"}));
    let control = certificates.control_plane(config).await;
    let address = control.nodes().await;

    let mut clear = Endpoint::from_shared(format!("http://{address}")).expect("an address");
    clear = clear.connect_timeout(Duration::from_secs(5)).timeout(Duration::from_secs(5));
    let claim = LeaseUp { req: 1, node_id: "n1".to_owned(), incarnation: 1, ..LeaseUp::default() };
    let claimed = match clear.connect().await {
        Ok(channel) => QuotaClient::new(channel).lease(stream::iter([claim])).await.map(drop),
        Err(error) => Err(tonic::Status::unavailable(error.to_string())),
    };
    assert!(claimed.is_err(), "a claim in the clear was taken");

    let nodes = ["n1", "n2"].map(|name| certificates.node(name, address));
    join_all(nodes.iter().map(|node| node.ready())).await;
    let (path, body) = Api::Chat.request("fast", false);
    for node in &nodes {
        let client = node.client().await;
        let used_up = || async {
            let answer = client.post(&path, body.clone()).await;
            answer.text().contains("quota_exhausted").then_some(())
        };
        poll_until("quota that is used up", PATIENCE, used_up).await;
    }
    let log = mock.log();
    assert_eq!(log.totals.requests - log.probes.requests, LIMIT);
    let operators = Client::new(control.operators().await);
    let spent = || async {
        let budget = operators.get("/v0/operations/quotas").await.json()["budgets"][0].clone();
        (budget["used"] == json!(LIMIT as f64)).then_some(())
    };
    poll_until("budget that is spent", PATIENCE, spent).await;
}

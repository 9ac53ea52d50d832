//! Certificates that run out.

use super::fixture::{Certificates, shows};
use crate::apis::Api;
use cliproxy_testkit::{Client, Config, PATIENCE, mock::Script, poll_until, provider};

#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_certificate_has_expired_serves_on_and_is_let_in_again_once_renewed() {
    let certificates = Certificates::make(&["n1"]).await;
    let mock = provider("p", Script::default());
    let config = Config::new().provider("p", "openai", &mock.base_url()).alias("fast", &[("p", "m")]);
    let control = certificates.control_plane(config).await;
    let mut node = certificates.node("n1", control.nodes().await);
    node.ready().await;
    let (path, body) = Api::Chat.request("fast", false);
    assert_eq!(node.client().await.post(&path, body.clone()).await.status, 200);
    node.terminate();
    assert!(node.wait_exit(PATIENCE).await.success());

    certificates.sign("n1", (-48, -24));
    node.restart();
    node.ready().await;
    node.wait_for_log("a certificate has expired", PATIENCE).await;
    let line = control.wait_for_log("a connection is refused", PATIENCE).await;
    assert!(line["error"].as_str().is_some_and(|error| error.contains("expired")), "{line}");
    let client = node.client().await;
    assert_eq!(client.post(&path, body.clone()).await.status, 200);
    shows(&client, "cliproxy_node_control_plane_connected 0").await;

    certificates.command(&["n1"], true).await;
    shows(&client, "cliproxy_node_control_plane_connected 1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_are_told_of_a_node_whose_certificate_expires_for_as_long_as_it_is_connected_by_it() {
    let certificates = Certificates::make(&["n1"]).await;
    certificates.sign("n1", (-24 * 30, 20));
    let mock = provider("p", Script::default());
    let control = certificates.control_plane(Config::new().provider("p", "openai", &mock.base_url())).await;
    let operators = Client::new(control.operators().await);
    let mut node = certificates.node("n1", control.nodes().await);
    node.ready().await;
    let told = async |wanted: bool| {
        let alert = || async {
            let alerts = operators.get("/v0/operations/alerts").await.json();
            let alert =
                alerts["alerts"].as_array()?.iter().find(|it| it["name"] == "certificate_expiring").cloned();
            (alert.is_some() == wanted).then_some(alert)
        };
        poll_until("the alert to come or go", PATIENCE, alert).await
    };
    let alert = told(true).await.expect("it is told");
    assert_eq!(alert["severity"], "critical");
    let message = alert["message"].as_str().unwrap_or_default();
    assert!(message.starts_with("the certificate that node n1 is connected by expires in 19 h"), "{message}");
    node.kill9();
    told(false).await;
}

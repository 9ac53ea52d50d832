//! Certificates are replaced while the processes run.

use super::fixture::{Certificates, shows};
use crate::apis::Api;
use cliproxy_testkit::{Client, Config, PATIENCE, mock::Script, provider};

const IN_FORCE: &str = "new certificates are in force; open connections go on by the ones before";

#[tokio::test(flavor = "multi_thread")]
async fn planes_serve_with_certificates_of_the_command_and_take_new_ones_while_they_run() {
    let certificates = Certificates::make(&["n1", "n2"]).await;
    let mock = provider("p", Script::default());
    let config = Config::new().provider("p", "openai", &mock.base_url()).alias("fast", &[("p", "m")]);
    let control = certificates.control_plane(config).await;
    let nodes = control.nodes().await;
    let node = certificates.node("n1", nodes);
    node.ready().await;
    let client = node.client().await;
    let (path, body) = Api::Chat.request("fast", false);
    assert_eq!(client.post(&path, body.clone()).await.status, 200);

    certificates.command(&["n1", "n2"], true).await;
    let (at_control, at_node) =
        tokio::join!(control.wait_for_log(IN_FORCE, PATIENCE), node.wait_for_log(IN_FORCE, PATIENCE));
    assert_eq!(at_control["identity"], "spiffe://cliproxy/cliproxy/cp/a");
    assert_eq!(at_node["identity"], "spiffe://cliproxy/cliproxy/dp/n1");

    // The session goes on by the certificates before, and whoever comes now shows and sees the new ones.
    let operators = Client::new(control.operators().await);
    shows(&operators, r#"cliproxy_tls_reloads_total{result="renewed"} 1"#).await;
    assert_eq!(client.post(&path, body.clone()).await.status, 200);
    shows(&client, "cliproxy_node_sessions_ended_total 0").await;
    let late = certificates.node("n2", nodes);
    late.ready().await;
    assert_eq!(late.client().await.post(&path, body.clone()).await.status, 200);
    let alerts = operators.get("/v0/operations/alerts").await.json();
    assert_eq!(alerts["alerts"].as_array().map(Vec::len), Some(0), "{alerts}");
}

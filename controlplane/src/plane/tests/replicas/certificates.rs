//! Certificates by which nodes are connected, to whichever replica.

use super::*;
use cliproxy_host::{Clock as _, tls::Validity};
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);

/// Gives what operators are told of certificates by a replica.
async fn told(plane: &Plane) -> Vec<String> {
    let answer = plane.get("/v0/operations/alerts").await.json;
    let alerts = answer["alerts"].as_array().unwrap().iter();
    let alerts = alerts.filter(|alert| alert["name"] == "certificate_expiring");
    alerts.map(|alert| alert["message"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn every_replica_tells_of_a_nodes_certificate_for_as_long_as_the_node_is_connected_by_it_to_any() {
    let (pair, _one, two) = Pair::start().await.with_nodes().await;
    // The connections are in the clear: what a handshake would have shown.
    let now = pair.b.clock.wall();
    let holds = Validity { not_before: now.minus(480 * HOUR), not_after: now.plus(12 * HOUR) };
    pair.b.state.nodes.certified(&"node-2".into(), Some(holds));
    for plane in [&pair.a, &pair.b] {
        eventually(async || !told(plane).await.is_empty()).await;
        assert_eq!(
            told(plane).await,
            ["the certificate that node node-2 is connected by expires in 12 h; renew it"]
        );
    }
    // It has got a new one.
    let renewed = Validity { not_after: now.plus(480 * HOUR), ..holds };
    pair.b.state.nodes.certified(&"node-2".into(), Some(renewed));
    for plane in [&pair.a, &pair.b] {
        eventually(async || told(plane).await.is_empty()).await;
    }
    pair.b.state.nodes.certified(&"node-2".into(), Some(holds));
    eventually(async || !told(&pair.a).await.is_empty()).await;
    drop(two);
    for plane in [&pair.a, &pair.b] {
        eventually(async || told(plane).await.is_empty()).await;
    }
    pair.stop().await;
}

//! What nodes keep of requests.

use super::{harness::*, node::TestNode};
use cliproxy_domain::RequestRecord;
use cliproxy_store::Store;
use tonic::Code;

fn record(id: &str) -> RequestRecord {
    RequestRecord {
        id: id.into(),
        node: "node-1".into(),
        at: START,
        api: "openai_chat".into(),
        outcome: "rate_limit".into(),
        code: None,
        why: None,
        served_by: None,
        status: 429,
        latency_ms: 12,
        decision: None,
        client: None,
        key: None,
        tags: Default::default(),
        attempts: Vec::new(),
    }
}

fn body(record: &RequestRecord) -> Vec<u8> {
    serde_json::to_vec(record).unwrap()
}

#[tokio::test]
async fn the_record_of_a_request_is_kept_as_it_came() {
    let plane = Plane::configured().await;
    let node = TestNode::connect(&plane, "node-1").await;
    let record = record("request-1");
    node.observes(Vec::new(), vec![body(&record)]).await.unwrap();
    let kept = plane.store.request("request-1".into()).await.unwrap().unwrap();
    assert_eq!(serde_json::from_str::<RequestRecord>(&kept).unwrap(), record);
    plane.stop().await;
}

#[tokio::test]
async fn a_record_that_means_nothing_or_is_too_long_does_not_keep_the_others_out() {
    let plane = Plane::configured().await;
    let node = TestNode::connect(&plane, "node-1").await;
    let long = RequestRecord { outcome: "x".repeat(64 * 1024), ..record("long") };
    let bodies = vec![b"{\"id\": \"broken\"}".to_vec(), b"\xff".to_vec(), body(&long), body(&record("good"))];
    node.observes(Vec::new(), bodies).await.unwrap();
    assert!(plane.store.request("good".into()).await.unwrap().is_some());
    for id in ["broken", "long"] {
        assert_eq!(plane.store.request(id.into()).await.unwrap(), None);
    }
    plane.stop().await;
}

#[tokio::test]
async fn too_many_at_once_are_refused() {
    let plane = Plane::configured().await;
    let node = TestNode::connect(&plane, "node-1").await;
    let bodies = (0..513).map(|i| body(&record(&format!("request-{i}")))).collect();
    let refused = node.observes(Vec::new(), bodies).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert_eq!(refused.message(), "ObserveRequest.requests has 513 records; send at most 512 in one call");
    plane.stop().await;
}

#[tokio::test]
async fn a_store_that_is_away_says_so() {
    let plane = Plane::configured().await;
    let node = TestNode::connect(&plane, "node-1").await;
    plane.store.faults().set_unavailable(true);
    let refused = node.observes(Vec::new(), vec![body(&record("request-1"))]).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable);
    plane.store.faults().heal();
    plane.stop().await;
}

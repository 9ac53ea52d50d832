//! The operations endpoints.

use super::that_has_served;
use crate::CLIPROXY;
use cliproxy_proto::v1::{
    GetLoadBalancingStatusRequest, GetProviderStatusRequest, operations_client::OperationsClient,
};
use cliproxy_testkit::{Client, Config, Launch, PATIENCE, poll_until};
use http::Method;
use serde_json::Value;

/// An answer without its time, which differs from one asking to the next.
fn timeless(mut answer: Value) -> Value {
    let time = answer.as_object_mut().unwrap().remove("as_of").unwrap();
    assert!(time.as_str().unwrap().ends_with('Z'), "{time}");
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn health_and_readiness_are_told_by_both_planes() {
    let gateway = Launch::new(CLIPROXY, "serve").config(Config::new()).ready().await;
    let node = gateway.client().await;
    let connected = || async {
        let answer = node.get("/health").await;
        assert_eq!((answer.status, &answer.json()["status"]), (200, &"ok".into()));
        (answer.json()["control_plane"] == "connected").then_some(())
    };
    poll_until("connected control plane", PATIENCE, connected).await;
    assert_eq!(node.get("/ready").await.json(), serde_json::json!({"ready": true, "reason": "serving"}));
    let operators = Client::new(gateway.operators().await);
    for path in ["/health", "/ready"] {
        assert_eq!(operators.get(path).await.status, 200, "{path}");
    }
    for client in [&node, &operators] {
        for path in ["/health", "/v0/operations/providers/status"] {
            let answer = client.request(Method::POST, path).send().await.unwrap();
            assert_eq!(answer.status, 405, "{path}");
            assert!(answer.header("allow").contains("GET"), "{path}");
        }
        let unknown = client.get("/v0/operations/unknown").await;
        assert_eq!(unknown.status, 404);
        assert!(unknown.json()["error"]["message"].is_string(), "{}", unknown.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn node_control_plane_and_grpc_give_the_same_answers() {
    let (gateway, node, _mock) = that_has_served(Config::new()).await;
    let operators = Client::new(gateway.operators().await);
    let url = format!("http://{}", operators.server());
    let mut grpc = OperationsClient::connect(url).await.unwrap();

    let providers = "/v0/operations/providers/status";
    let counted = || async {
        let answer = node.get(providers).await.json();
        let all = ["openai", "anthropic", "gemini"].map(|name| &answer["providers"][name]);
        // The word on their health comes a moment after the figures, and then both planes give it.
        let settled =
            all[1]["requests_last_minute"] == 3 && all.iter().all(|shown| shown["status"] == "healthy");
        settled.then_some(answer)
    };
    let of_node = timeless(poll_until("three requests at one provider", PATIENCE, counted).await);
    let of_plane = timeless(operators.get(providers).await.json());
    let wire = grpc.get_provider_status(GetProviderStatusRequest {}).await.unwrap().into_inner();
    assert_eq!(of_node, of_plane);
    assert_eq!((of_node["source"].as_str(), wire.providers.len()), (Some(wire.source.as_str()), 3));
    for (name, of_grpc) in wire.providers {
        let shown = &of_node["providers"][&name];
        assert_eq!(shown["status"], of_grpc.status, "{name}");
        assert_eq!(shown["requests_last_minute"], of_grpc.requests_last_minute, "{name}");
    }
    assert_eq!(of_node["source"], "cluster");
    let shown = &of_node["providers"]["openai"];
    assert_eq!((&shown["status"], &shown["in_cooldown"]), (&"healthy".into(), &false.into()));
    assert_eq!((&shown["requests_last_minute"], &shown["errors_last_minute"]), (&4.into(), &0.into()));
    assert_eq!(shown["uptime_percent"], 100.0);
    assert!(shown["last_check"].as_str().unwrap().ends_with('Z') && shown["average_latency_ms"].is_u64());
    assert_eq!(of_node["providers"]["anthropic"]["errors_last_minute"], 0, "a client's mistake is no error");

    let balancing = "/v0/operations/load_balancing/status";
    let of_node = timeless(node.get(balancing).await.json());
    let of_plane = timeless(operators.get(balancing).await.json());
    let wire = grpc.get_load_balancing_status(GetLoadBalancingStatusRequest {}).await.unwrap().into_inner();
    assert_eq!(of_node, of_plane);
    assert_eq!((of_node["strategy"].as_str(), wire.providers.len()), (Some(wire.strategy.as_str()), 3));
    for (name, of_grpc) in wire.providers {
        assert_eq!(
            of_node["providers"][&name]["share_percent"].as_f64(),
            Some(of_grpc.share_percent),
            "{name}"
        );
    }
    assert_eq!((&of_node["strategy"], &of_node["source"]), (&"round_robin".into(), &"cluster".into()));
    let shares: f64 = ["openai", "anthropic", "gemini"]
        .map(|name| of_node["providers"][name]["share_percent"].as_f64().unwrap())
        .iter()
        .sum();
    assert!((shares - 100.0).abs() < 0.1, "{of_node}");
}

//! What operators are told, on REST and gRPC alike.

use super::harness::*;
use cliproxy_domain::{AttemptCounts, Batch, CooldownCause, HealthState};
use cliproxy_proto::{
    convert::{
        status::{load_balancing_to_wire, providers_to_wire},
        telemetry::{batch_to_wire, event_to_wire},
    },
    v1::{self, operations_client::OperationsClient},
};
use hyper::{Method, StatusCode};
use serde_json::json;
use std::time::Duration;
use tonic::Code;
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

/// Reports what a minute held: Claude answered three of four calls, OpenAI failed twice.
async fn some_traffic(plane: &Plane) {
    let mut report = open_report(plane.as_node().await).await;
    let hello = v1::ReportHello { node_id: "node-1".into(), incarnation: 1, oldest_unacked: 1 };
    report.say(v1::ReportUp { message: Some(v1::report_up::Message::Hello(hello)) }).await;
    let claude = AttemptCounts { ok: 3, timeout: 1, latency_us: 1_350_000, ..Default::default() };
    let openai = AttemptCounts { err_5xx: 1, connect: 1, ..Default::default() };
    let rows = vec![row("claude", claude), row("openai", openai)];
    let batch = batch_to_wire(&Batch { rows, ..batch(1) });
    report.say(v1::ReportUp { message: Some(v1::report_up::Message::Batch(batch)) }).await;
    while report.next().await.acked_seq < 1 {}
}

async fn rest(plane: &Plane, credentials: &[&str]) {
    let mut events = open_events(plane.as_node().await).await;
    for credential in credentials {
        events.say(event_to_wire(&event(credential, credential, Duration::from_secs(60)))).await;
        events.next().await;
    }
}

#[tokio::test]
async fn the_status_tells_the_truth_about_the_last_minute() {
    let plane = Plane::configured().await;
    some_traffic(&plane).await;
    rest(&plane, &["main"]).await;
    let status = plane.state.providers_status().await.unwrap();
    let claude = &status.providers["claude"];
    assert_eq!(claude.status, HealthState::Healthy);
    assert!(!claude.in_cooldown, "one of its two credentials does not rest");
    assert_eq!((claude.requests_last_minute, claude.errors_last_minute), (4, 1));
    assert_eq!((claude.average_latency_ms, claude.uptime_percent), (450, 100.0));
    assert_eq!(claude.last_check, Some(START));
    let openai = &status.providers["openai"];
    assert_eq!((openai.status, openai.uptime_percent), (HealthState::Unhealthy, 0.0));
    assert_eq!((openai.requests_last_minute, openai.errors_last_minute), (2, 2));

    rest(&plane, &["spare"]).await;
    plane.clock.advance(Duration::from_secs(59));
    let status = plane.state.providers_status().await.unwrap();
    let claude = &status.providers["claude"];
    assert_eq!((claude.in_cooldown, claude.cooldown_reason), (true, Some(CooldownCause::RateLimit)));

    plane.clock.advance(Duration::from_secs(2));
    let status = plane.state.providers_status().await.unwrap();
    let claude = &status.providers["claude"];
    assert_eq!((claude.requests_last_minute, claude.in_cooldown), (0, false));
    assert_eq!(claude.last_check, Some(START));
    plane.stop().await;
}

#[tokio::test]
async fn a_provider_that_was_never_called_is_unknown_and_up() {
    let plane = Plane::configured().await;
    let status = plane.state.providers_status().await.unwrap();
    for provider in status.providers.values() {
        assert_eq!((provider.status, provider.last_check), (HealthState::Unknown, None));
        assert_eq!(provider.uptime_percent, 100.0);
    }
    plane.stop().await;
}

#[tokio::test]
async fn the_json_has_the_guides_names() {
    let plane = Plane::configured().await;
    some_traffic(&plane).await;
    let answer = plane.get("/v0/operations/providers/status").await;
    assert_eq!(answer.status, StatusCode::OK);
    let expected = json!({
        "status": "healthy",
        "in_cooldown": false,
        "last_check": "2026-02-19T22:50:30Z",
        "uptime_percent": 100.0,
        "requests_last_minute": 4,
        "errors_last_minute": 1,
        "average_latency_ms": 450
    });
    assert_eq!(answer.json["providers"]["claude"], expected);
    assert_eq!(answer.json["source"], "cluster");
    plane.stop().await;
}

#[tokio::test]
async fn the_shares_add_up_and_say_who_is_left_out() {
    let plane = Plane::configured().await;
    some_traffic(&plane).await;
    rest(&plane, &["main", "spare"]).await;
    let mut answer = plane.get("/v0/operations/load_balancing/status").await;
    answer.json["models"]["smart"].as_object_mut().unwrap().remove("decision");
    let expected = json!({
        "source": "cluster",
        "as_of": "2026-02-19T22:50:30Z",
        "config": 1,
        "strategy": "round_robin",
        "providers": {
            "claude": {
                "priority": 1, "weight": 2, "available": false, "excluded": "cooldown",
                "requests_last_minute": 4, "share_percent": 66.67
            },
            "openai": {
                "priority": 1, "weight": 2, "available": true,
                "requests_last_minute": 2, "share_percent": 33.33
            }
        },
        "models": {
            "smart": {
                "strategy": "round_robin",
                "targets": [
                    {"provider": "claude", "model": "claude-sonnet-4-5", "priority": 1, "weight": 2, "available": false},
                    {"provider": "openai", "model": "gpt-5", "priority": 2, "weight": 2, "available": true}
                ]
            }
        }
    });
    assert_eq!(answer.json, expected);
    plane.stop().await;
}

#[tokio::test]
async fn grpc_says_what_rest_does_to_operators_and_to_nodes() {
    let plane = Plane::configured().await;
    some_traffic(&plane).await;
    rest(&plane, &["main", "spare"]).await;
    for channel in [plane.as_operator().await, plane.as_node().await] {
        let mut grpc = OperationsClient::new(channel);
        let status = grpc.get_provider_status(v1::GetProviderStatusRequest {}).await.unwrap().into_inner();
        assert_eq!(status, providers_to_wire(&plane.state.providers_status().await.unwrap()));
        let shares = grpc.get_load_balancing_status(v1::GetLoadBalancingStatusRequest {}).await;
        assert_eq!(
            shares.unwrap().into_inner(),
            load_balancing_to_wire(&plane.state.load_balancing_status())
        );
    }
    plane.stop().await;
}

#[tokio::test]
async fn uptimes_that_were_told_once_outlast_the_store() {
    let plane = Plane::configured().await;
    some_traffic(&plane).await;
    let path = "/v0/operations/providers/status";
    plane.store.faults().set_unavailable(true);
    let answer = plane.get(path).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.json["error"]["type"], "store_unavailable");
    plane.store.faults().heal();
    assert_eq!(plane.get(path).await.status, StatusCode::OK);
    plane.store.faults().set_unavailable(true);
    plane.clock.advance(Duration::from_secs(10));
    let answer = plane.get(path).await;
    assert_eq!(answer.json["providers"]["openai"]["uptime_percent"], 0.0);
    plane.store.faults().heal();
    plane.stop().await;
}

#[tokio::test]
async fn readiness_follows_the_store_and_the_first_configuration() {
    let plane = Plane::start().await;
    let mut health = HealthClient::new(plane.as_operator().await);
    let mut serving = async |service: &str| {
        let request = HealthCheckRequest { service: service.into() };
        health.check(request).await.map(|answer| answer.into_inner().status())
    };
    assert_eq!(plane.get("/health").await.json, json!({"status": "ok"}));
    let answer = plane.get("/ready").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.json["reason"], "no configuration was applied yet");

    plane.handle.apply(snapshot(), "file", "start").await.unwrap();
    eventually(async || serving("").await.unwrap() == ServingStatus::Serving).await;
    assert_eq!(plane.get("/ready").await.json, json!({"status": "ready"}));

    plane.store.faults().set_unavailable(true);
    plane.clock.advance(Duration::from_secs(1));
    eventually(async || plane.get("/ready").await.status == StatusCode::SERVICE_UNAVAILABLE).await;
    assert_eq!(plane.get("/health").await.status, StatusCode::OK);
    plane.store.faults().heal();
    plane.stop().await;
}

#[tokio::test]
async fn what_is_not_there_is_said_in_the_askers_terms() {
    let plane = Plane::configured().await;
    let answer = plane.get("/v0/operations/nothing").await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert_eq!(answer.json["error"]["type"], "not_found");
    let answer = plane.rest(Method::POST, "/v0/operations/providers/status", None).await;
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(answer.json["error"]["type"], "method_not_allowed");
    assert_eq!(answer.headers["allow"], "GET,HEAD");
    let mut sync = v1::sync_client::SyncClient::new(plane.as_operator().await);
    let refused = sync.subscribe(tokio_stream::empty()).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unimplemented, "nodes have a listener of their own");
    plane.stop().await;
}

/// Lists the services by one version of reflection, whose messages have the same names in both.
macro_rules! listed {
    ($pb:ident, $channel:expr) => {{
        use tonic_reflection::pb::$pb::{
            ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
            server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
        };
        let list = MessageRequest::ListServices(String::new());
        let request = ServerReflectionRequest { message_request: Some(list), ..Default::default() };
        let mut client = ServerReflectionClient::new($channel);
        let answers = client.server_reflection_info(tokio_stream::once(request)).await;
        match answers {
            Err(status) => Err(status),
            Ok(mut answers) => {
                match within(answers.get_mut().message()).await.unwrap().unwrap().message_response {
                    Some(MessageResponse::ListServicesResponse(list)) => {
                        Ok(list.service.into_iter().map(|service| service.name).collect::<Vec<_>>())
                    }
                    other => panic!("{other:?} is no list"),
                }
            }
        }
    }};
}

#[tokio::test]
async fn reflection_lists_what_operators_can_call_in_both_versions() {
    let plane = Plane::configured().await;
    let served = [
        "cliproxy.control.v1.Operations",
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
    ];
    assert_eq!(listed!(v1, plane.as_operator().await).unwrap(), served);
    assert_eq!(listed!(v1alpha, plane.as_operator().await).unwrap(), served);
    let refused = listed!(v1, plane.as_node().await).unwrap_err();
    assert_eq!(refused.code(), Code::Unimplemented, "nodes know the contract");
    plane.stop().await;
}

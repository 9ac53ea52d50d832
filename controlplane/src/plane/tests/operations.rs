//! What operators are told, on REST and gRPC alike.

mod change;
mod cluster;
mod config;
mod costs;
mod explain;
mod keys;
mod page;
mod quotas;
mod relay;
mod same;
mod strict;
mod usage;

use super::harness::*;
use cliproxy_domain::{AttemptCounts, Batch};
use cliproxy_proto::{
    convert::telemetry::{batch_to_wire, event_to_wire},
    v1,
};
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request, StatusCode, body::Bytes};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde_json::{Value, json};
use std::time::Duration;
use tonic::Code;
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

const PROVIDERS: &str = "/v0/operations/providers/status";
const COOLDOWNS: &str = "/v0/operations/cooldown/status";

/// Asks for a change: `what` as `claude/cooldown`, with a body of JSON when there is one.
async fn post(plane: &Plane, what: &str, body: &str) -> Answer {
    let json = if body.is_empty() { None } else { Some("application/json") };
    post_as(plane, what, body.to_owned(), json).await
}

async fn post_as(plane: &Plane, what: &str, body: impl Into<Bytes>, content_type: Option<&str>) -> Answer {
    let client = Client::builder(TokioExecutor::new()).build_http();
    let uri = format!("http://{}/v0/operations/providers/{what}", plane.at.operators);
    let mut request = Request::builder().method(Method::POST).uri(uri);
    if let Some(content_type) = content_type {
        request = request.header("content-type", content_type);
    }
    let response = within(client.request(request.body(Full::new(body.into())).unwrap())).await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    let body = response.into_body().collect().await.unwrap().to_bytes();
    Answer { status, headers, json: serde_json::from_slice(&body).unwrap_or(Value::Null) }
}

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

/// Reports 429 with a wait of a minute for credentials of Claude's.
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
    // What nodes report is judged a moment after it is counted.
    eventually(async || plane.get(PROVIDERS).await.json["providers"]["claude"]["status"] == "healthy").await;
    let status = plane.get(PROVIDERS).await.json;
    assert_eq!(status["source"], "cluster");
    let expected = json!({
        "status": "healthy",
        "in_cooldown": false,
        "last_check": "2026-02-19T22:50:30Z",
        "uptime_percent": 100.0,
        "requests_last_minute": 4,
        "errors_last_minute": 1,
        "average_latency_ms": 450
    });
    let mut claude = status["providers"]["claude"].clone();
    let why = claude.as_object_mut().unwrap().remove("why").unwrap();
    assert_ne!(why, "");
    assert_eq!(claude, expected, "one of its two credentials does not rest");
    let openai = &status["providers"]["openai"];
    assert_eq!((&openai["requests_last_minute"], &openai["errors_last_minute"]), (&json!(2), &json!(2)));
    assert_eq!(openai["uptime_percent"], 0.0);

    rest(&plane, &["spare"]).await;
    plane.clock.advance(Duration::from_secs(59));
    let claude = plane.get(PROVIDERS).await.json["providers"]["claude"].clone();
    assert_eq!((&claude["in_cooldown"], &claude["cooldown_reason"]), (&json!(true), &json!("rate_limit")));

    plane.clock.advance(Duration::from_secs(2));
    let claude = plane.get(PROVIDERS).await.json["providers"]["claude"].clone();
    assert_eq!((&claude["requests_last_minute"], &claude["in_cooldown"]), (&json!(0), &json!(false)));
    assert_eq!(claude["last_check"], "2026-02-19T22:50:30Z");
    plane.stop().await;
}

#[tokio::test]
async fn a_provider_that_was_never_called_is_unknown_and_up() {
    let plane = Plane::configured().await;
    let status = plane.get(PROVIDERS).await.json;
    for name in ["claude", "openai"] {
        let provider = &status["providers"][name];
        assert_eq!((&provider["status"], &provider["last_check"]), (&json!("unknown"), &Value::Null));
        assert_eq!(provider["uptime_percent"], 100.0);
    }
    plane.stop().await;
}

#[tokio::test]
async fn uptime_is_the_share_of_the_checks_where_there_were_checks() {
    let plane = Plane::configured().await;
    some_traffic(&plane).await;
    let minute = START.minus(Duration::from_secs(30));
    let count = cliproxy_store::CheckCount { minute, provider: "openai".into(), checks: 8, passed: 6 };
    cliproxy_store::Store::record_checks(&plane.store, vec![count], None).await.unwrap();
    let status = plane.get(PROVIDERS).await.json;
    assert_eq!(status["providers"]["openai"]["uptime_percent"], 75.0);
    assert_eq!(status["providers"]["claude"]["uptime_percent"], 100.0, "it was not checked but answered");
    plane.stop().await;
}

#[tokio::test]
async fn a_provider_that_refuses_all_its_credentials_is_unhealthy_and_says_why() {
    let plane = Plane::configured().await;
    let mut events = open_events(plane.as_node().await).await;
    for credential in ["main", "spare"] {
        let kind = cliproxy_domain::UrgentKind::CredentialRejected;
        let refused = cliproxy_domain::UrgentEvent {
            kind,
            http_status: 401,
            hint: None,
            error_type: "credential_rejected".into(),
            ..event(credential, credential, Duration::ZERO)
        };
        events.say(event_to_wire(&refused)).await;
        events.next().await;
    }
    let claude = plane.get(PROVIDERS).await.json["providers"]["claude"].clone();
    assert_eq!((&claude["status"], &claude["in_cooldown"]), (&json!("unhealthy"), &json!(true)));
    assert_eq!(claude["cooldown_reason"], "credential_rejected");
    assert_eq!(claude["why"], "it refused all of its credentials");
    let alerts = plane.get("/v0/operations/alerts").await.json["alerts"].clone();
    assert_eq!(alerts[0]["name"], "credentials_rejected");
    assert_eq!((&alerts[0]["provider"], &alerts[0]["severity"]), (&json!("claude"), &json!("critical")));
    plane.stop().await;
}

#[tokio::test]
async fn a_model_is_told_of_while_none_of_its_targets_takes_requests() {
    let plane = Plane::configured().await;
    let told = || async {
        let alerts = plane.get("/v0/operations/alerts").await.json["alerts"].clone();
        let of_models =
            alerts.as_array().unwrap().iter().filter(|alert| alert["name"] == "model_unavailable");
        of_models.map(|alert| alert["message"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let say = async |word: &str| {
        plane.rest(Method::POST, &format!("/v0/operations/providers/openai/{word}"), None).await
    };
    rest(&plane, &["main", "spare"]).await;
    assert_eq!(told().await, [""; 0], "the other provider serves it");
    assert_eq!(say("cooldown").await.status, 200);
    let alerts = told().await;
    assert!(
        alerts.len() == 1 && alerts[0].contains("no target of the model smart takes requests"),
        "{alerts:?}"
    );
    assert_eq!(say("recover").await.status, 200);
    assert_eq!(told().await, [""; 0]);
    plane.stop().await;
}

#[tokio::test]
async fn the_shares_add_up_and_say_who_is_left_out_and_until_when() {
    let plane = Plane::configured().await;
    some_traffic(&plane).await;
    rest(&plane, &["main", "spare"]).await;
    let mut answer = plane.get("/v0/operations/load_balancing/status").await;
    let smart = answer.json["models"]["smart"].as_object_mut().unwrap();
    let decision = smart.remove("decision").unwrap();
    let expected = json!({
        "source": "cluster",
        "as_of": "2026-02-19T22:50:30Z",
        "config": 1,
        "strategy": "round_robin",
        "providers": {
            "claude": {
                "priority": 1, "weight": 2, "available": false,
                "excluded": "cooldown", "until": "2026-02-19T22:51:30Z",
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
    let first = &decision["candidates"][0];
    assert_eq!((&first["provider"], &first["place"]), (&json!("openai"), &json!(1)));
    assert_eq!(decision["candidates"][1]["excluded"], "cooldown");
    assert_eq!(decision["soonest"], "2026-02-19T22:51:30Z");
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
    for (method, path, allowed) in [
        (Method::POST, PROVIDERS, "GET,HEAD"),
        (Method::GET, "/v0/operations/providers/claude/recover", "POST"),
    ] {
        let answer = plane.rest(method, path, None).await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(answer.json["error"]["type"], "method_not_allowed");
        assert_eq!(answer.headers["allow"], allowed);
    }
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

/// Tells whether one version of reflection describes a symbol.
macro_rules! described {
    ($pb:ident, $channel:expr, $symbol:expr) => {{
        use tonic_reflection::pb::$pb::{
            ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
            server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
        };
        let wanted = MessageRequest::FileContainingSymbol($symbol.to_owned());
        let request = ServerReflectionRequest { message_request: Some(wanted), ..Default::default() };
        let mut client = ServerReflectionClient::new($channel);
        let answers = client.server_reflection_info(tokio_stream::once(request)).await;
        let answer = within(answers.unwrap().get_mut().message()).await.unwrap().unwrap();
        matches!(answer.message_response, Some(MessageResponse::FileDescriptorResponse(_)))
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
    for method in same::pool().get_service_by_name(same::SERVICE).unwrap().methods() {
        assert!(described!(v1, plane.as_operator().await, method.full_name()), "{}", method.full_name());
        assert!(described!(v1alpha, plane.as_operator().await, method.full_name()), "{}", method.full_name());
    }
    let refused = listed!(v1, plane.as_node().await).unwrap_err();
    assert_eq!(refused.code(), Code::Unimplemented, "nodes know the contract");
    plane.stop().await;
}

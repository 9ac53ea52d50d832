//! gRPC and REST tell the same, call by call and field by field.
//!
//! Answers are compared as JSON: a message is written out by its descriptor, a time (what ends in `_ms` and is an
//! int64) as RFC 3339, and what is empty or absent is left out on both sides.

use super::*;
use cliproxy_domain::WallTime;
use cliproxy_proto::{FILE_DESCRIPTOR_SET, v1::operations_client::OperationsClient};
use prost::Message;
use prost_reflect::{
    DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MapKey, ReflectMessage, Value as Field,
};
use serde_json::Map;
use std::collections::BTreeSet;
use tonic::{Response, Status, transport::Channel};

pub(super) const SERVICE: &str = "cliproxy.control.v1.Operations";

pub(super) fn pool() -> DescriptorPool {
    DescriptorPool::decode(FILE_DESCRIPTOR_SET).unwrap()
}

/// Writes the answer of a method out as JSON.
fn neutral<M: Message>(method: &str, answer: Result<Response<M>, Status>) -> Value {
    let service = pool().get_service_by_name(SERVICE).unwrap();
    let output = service.methods().find(|known| known.name() == method).unwrap().output();
    let bytes = answer.unwrap().into_inner().encode_to_vec();
    message(&DynamicMessage::decode(output, bytes.as_slice()).unwrap())
}

fn message(message: &DynamicMessage) -> Value {
    let mut object = Map::new();
    for field in message.descriptor().fields() {
        if field.supports_presence() && !message.has_field(&field) {
            continue;
        }
        object.insert(name_of(&field), value(&field, &message.get_field(&field)));
    }
    Value::Object(object)
}

/// Names a field as REST does.
pub(super) fn name_of(field: &FieldDescriptor) -> String {
    let is_time = field.kind() == Kind::Int64;
    let name = if is_time { field.name().trim_end_matches("_ms") } else { field.name() };
    name.to_owned()
}

fn value(field: &FieldDescriptor, value_of: &Field) -> Value {
    match value_of {
        Field::I64(ms) => json!(WallTime(*ms).to_string()),
        Field::Bool(flag) => json!(flag),
        Field::U32(number) => json!(number),
        Field::U64(number) => json!(number),
        Field::F64(number) => json!(number),
        Field::String(text) => json!(text),
        Field::Message(inner) => message(inner),
        Field::List(items) => items.iter().map(|item| value(field, item)).collect(),
        Field::Map(entries) => {
            let entry =
                |(key, item): (&MapKey, &Field)| (key.as_str().unwrap().to_owned(), value(field, item));
            Value::Object(entries.iter().map(entry).collect())
        }
        other => panic!("{}: {other:?} has no rule", field.full_name()),
    }
}

/// Leaves out what is empty or absent, and sorts what has no order.
fn without_empty(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<_> =
                fields.into_iter().map(|(name, field)| (name, without_empty(field))).collect();
            fields.retain(|(_, field)| !field.is_null() && *field != json!("") && *field != json!({}));
            fields.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Object(fields.into_iter().collect())
        }
        Value::Array(items) => items.into_iter().map(without_empty).collect(),
        // 1 and 1.0 are the same.
        Value::Number(number) => json!(number.as_f64()),
        other => other,
    }
}

fn same(method: &str, grpc: Value, rest: &Answer) {
    assert_eq!(rest.status, StatusCode::OK, "{method}: {rest:?}");
    let (grpc, rest) = (without_empty(grpc), without_empty(rest.json.clone()));
    assert_eq!(
        serde_json::to_string_pretty(&grpc).unwrap(),
        serde_json::to_string_pretty(&rest).unwrap(),
        "{method}"
    );
}

/// A control plane of which there is something to tell in every answer.
async fn eventful() -> Plane {
    let plane = Plane::start().await;
    plane.handle.apply(quotas::limited(), "file", "start").await.unwrap();
    some_traffic(&plane).await;
    usage::counted(&plane).await;
    rest(&plane, &["main", "spare"]).await;
    cluster::connected(&plane, "node-7");
    cluster::refused(&plane, "node-7");
    cluster::audited(&plane, vec![cluster::entry(1, "alert", "claude")]).await;
    let mut record = explain::record("req-1");
    let explained = plane.get("/v0/operations/explain?model=smart").await.json["decision"].clone();
    record.decision = Some(serde_json::from_value(explained).unwrap());
    explain::keep(&plane, &record).await;
    post(&plane, "openai/cooldown", r#"{"credential": "main", "reason": "a pause"}"#).await;
    plane
}

fn order(provider: &str, credential: Option<&str>) -> Option<v1::OrderKey> {
    Some(v1::OrderKey { provider: provider.into(), credential: credential.map(Into::into), model: None })
}

/// Asks both ways; gives the methods that were asked.
async fn ask_all(plane: &Plane, grpc: &mut OperationsClient<Channel>) -> BTreeSet<&'static str> {
    let mut asked = BTreeSet::new();
    macro_rules! compare {
        ($name:literal, $method:ident, $request:expr, $rest:expr) => {{
            let rest = $rest.await;
            let answer = neutral($name, grpc.$method($request).await);
            same($name, answer, &rest);
            asked.insert($name);
        }};
    }
    let get = async |path: &str| plane.get(&format!("/v0/operations/{path}")).await;
    compare!(
        "GetProviderStatus",
        get_provider_status,
        v1::GetProviderStatusRequest {},
        get("providers/status")
    );
    compare!("ListCooldowns", list_cooldowns, v1::ListCooldownsRequest::default(), get("cooldown/status"));
    let one = v1::ListCooldownsRequest { provider: Some("openai".into()) };
    compare!("ListCooldowns", list_cooldowns, one, get("cooldown/status?provider=openai"));
    compare!(
        "GetLoadBalancingStatus",
        get_load_balancing_status,
        v1::GetLoadBalancingStatusRequest {},
        get("load_balancing/status")
    );
    let question = v1::ExplainRouteRequest {
        model: "smart".into(),
        api: "anthropic".into(),
        stream: true,
        session: Some("abc".into()),
        operation: "count_tokens".into(),
        client: Some("web".into()),
    };
    compare!(
        "ExplainRoute",
        explain_route,
        question,
        get("explain?model=smart&api=anthropic&stream=true&session=abc&operation=count_tokens&client=web")
    );
    compare!("GetRequest", get_request, v1::GetRequestRequest { id: "req-1".into() }, get("requests/req-1"));
    compare!("ListNodes", list_nodes, v1::ListNodesRequest {}, get("nodes"));
    compare!("ListQuotas", list_quotas, v1::ListQuotasRequest {}, get("quotas"));
    compare!("GetUsage", get_usage, v1::GetUsageRequest::default(), get("usage"));
    let one = v1::GetUsageRequest {
        from_ms: Some(START.minus(Duration::from_secs(600)).0),
        to_ms: Some(START.plus(Duration::from_secs(600)).0),
        period: "minute".into(),
        by: vec!["credential".into(), "model".into()],
        provider: Some("claude".into()),
        model: None,
        limit: Some(1),
        client: None,
    };
    let path = "usage?from=2026-02-19T22:40:30Z&to=2026-02-19T23:00:30Z&period=minute&by=credential,model&\
                provider=claude&limit=1";
    compare!("GetUsage", get_usage, one, get(path));
    let by_tag = v1::GetUsageRequest {
        by: vec!["client".into(), "tag:team".into()],
        client: Some("ci".into()),
        ..Default::default()
    };
    compare!("GetUsage", get_usage, by_tag, get("usage?by=client,tag:team&client=ci"));
    compare!("ListPrices", list_prices, v1::ListPricesRequest {}, get("prices"));
    compare!("ListAlerts", list_alerts, v1::ListAlertsRequest {}, get("alerts"));
    let query = v1::ListAuditRequest {
        provider: Some("claude".into()),
        action: Some("alert".into()),
        before_ms: Some(START.0 + 60_000),
        limit: Some(5),
    };
    compare!(
        "ListAudit",
        list_audit,
        query,
        get("audit?provider=claude&action=alert&before=2026-02-19T22:51:30Z&limit=5")
    );
    // One name for both: the second of them is answered as the first.
    let force = v1::ForceCooldownRequest {
        key: order("claude", Some("main")),
        duration_ms: Some(600_000),
        reason: "maintenance".into(),
        request_id: Some("force".into()),
        ..Default::default()
    };
    let body = r#"{"credential": "main", "duration": "10m", "reason": "maintenance", "request_id": "force"}"#;
    compare!("ForceCooldown", force_cooldown, force, post(plane, "claude/cooldown", body));
    let dry = v1::ForceCooldownRequest { key: order("openai", None), dry_run: true, ..Default::default() };
    compare!("ForceCooldown", force_cooldown, dry, post(plane, "openai/cooldown", r#"{"dry_run": true}"#));
    let recover = v1::RecoverRequest {
        key: order("claude", None),
        request_id: Some("recover".into()),
        ..Default::default()
    };
    compare!("Recover", recover, recover, post(plane, "claude/recover", r#"{"request_id": "recover"}"#));
    ask_of_keys(plane, grpc, &mut asked).await;
    // Put in force before, so that neither of the two that are compared changes anything.
    let text = "attempts: 7";
    let check = config::send(plane, Method::POST, "/v0/operations/config/check", text);
    compare!("DryRunConfig", dry_run_config, v1::DryRunConfigRequest { text: text.to_owned() }, check);
    let wrong = config::send(plane, Method::POST, "/v0/operations/config/check", "nothing");
    compare!("DryRunConfig", dry_run_config, v1::DryRunConfigRequest { text: "nothing".into() }, wrong);
    config::put(plane, "", text).await;
    let apply = v1::ApplyConfigRequest { text: text.to_owned(), expected: None, reason: String::new() };
    compare!("ApplyConfig", apply_config, apply, config::put(plane, "", text));
    let rollback = v1::RollbackConfigRequest { config: 2, reason: String::new() };
    compare!("RollbackConfig", rollback_config, rollback, config::roll_back(plane, r#"{"config": 2}"#));
    compare!("GetConfig", get_config, v1::GetConfigRequest {}, get("config"));
    let two = v1::ListConfigsRequest { limit: Some(2) };
    compare!("ListConfigs", list_configs, two, get("config/history?limit=2"));
    asked
}

/// Asks for clients and their keys. Each change is made once before, under its name: what is compared shows no key.
async fn ask_of_keys(
    plane: &Plane,
    grpc: &mut OperationsClient<Channel>,
    asked: &mut BTreeSet<&'static str>,
) {
    macro_rules! compare {
        ($name:literal, $method:ident, $request:expr, $rest:expr) => {{
            let rest = $rest.await;
            let answer = neutral($name, grpc.$method($request).await);
            same($name, answer, &rest);
            asked.insert($name);
        }};
    }
    let keys = "/v0/operations/clients/ci/keys";
    let body = r#"{"expires_in": "30d", "reason": "why", "request_id": "create", "wait": "none"}"#;
    let made = keys::change(plane, keys, body).await.json["details"]["id"].as_str().unwrap().to_owned();
    let create = v1::CreateClientKeyRequest {
        client: "ci".into(),
        expires_in_ms: Some(30 * 24 * 3_600_000),
        reason: "why".into(),
        request_id: Some("create".into()),
        wait: "none".into(),
        ..Default::default()
    };
    compare!("CreateClientKey", create_client_key, create, keys::change(plane, keys, body));
    let (path, body) =
        (format!("{keys}/{made}/rotate"), r#"{"overlap": "10m", "request_id": "rotate", "wait": "none"}"#);
    keys::change(plane, &path, body).await;
    let rotate = v1::RotateClientKeyRequest {
        client: "ci".into(),
        id: made.clone(),
        overlap_ms: Some(600_000),
        request_id: Some("rotate".into()),
        wait: "none".into(),
        ..Default::default()
    };
    compare!("RotateClientKey", rotate_client_key, rotate, keys::change(plane, &path, body));
    let (path, body) = (format!("{keys}/{made}/revoke"), r#"{"request_id": "revoke", "wait": "majority"}"#);
    keys::change(plane, &path, body).await;
    let revoke = v1::RevokeClientKeyRequest {
        client: "ci".into(),
        id: made,
        request_id: Some("revoke".into()),
        wait: "majority".into(),
        ..Default::default()
    };
    compare!("RevokeClientKey", revoke_client_key, revoke, keys::change(plane, &path, body));
    let release = |node: &str| v1::ReleaseQuotaRequest {
        subject: "client ci".into(),
        unit: "usd".into(),
        node: node.into(),
        ..Default::default()
    };
    let refused = grpc.release_quota(release("nobody")).await.unwrap_err();
    let body = r#"{"subject": "client ci", "unit": "usd", "node": "nobody"}"#;
    let rest = keys::change(plane, "/v0/operations/quotas/release", body).await;
    assert_eq!(refused.message(), rest.json["error"]["message"].as_str().unwrap());
    // What is released once is gone: each way has a node of its own, which held as much as the other.
    quotas::hold(plane, "node-9").await;
    let body = r#"{"subject": "client ci", "unit": "usd", "node": "node-9"}"#;
    let mut rest = keys::change(plane, "/v0/operations/quotas/release", body).await;
    rest.json["node"] = json!("node-8");
    quotas::hold(plane, "node-8").await;
    let answer = neutral("ReleaseQuota", grpc.release_quota(release("node-8")).await);
    same("ReleaseQuota", answer, &rest);
    asked.insert("ReleaseQuota");
    let one = v1::ListClientKeysRequest { client: "ci".into() };
    compare!("ListClientKeys", list_client_keys, one, plane.get(keys));
    compare!("ListClients", list_clients, v1::ListClientsRequest {}, plane.get("/v0/operations/clients"));
}

#[tokio::test]
async fn every_call_is_answered_alike_by_grpc_and_rest() {
    let plane = eventful().await;
    let asked = ask_all(&plane, &mut OperationsClient::new(plane.as_operator().await)).await;
    let service = pool().get_service_by_name(SERVICE).unwrap();
    let served: BTreeSet<String> = service.methods().map(|method| method.name().to_owned()).collect();
    let asked: BTreeSet<String> = asked.into_iter().map(str::to_owned).collect();
    assert_eq!(asked, served, "every method is asked both ways");
    plane.stop().await;
}

#[tokio::test]
async fn every_refusal_is_worded_alike_by_grpc_and_rest() {
    let plane = eventful().await;
    let mut grpc = OperationsClient::new(plane.as_operator().await);
    let alike = |refused: Status, code: Code, rest: Answer| {
        assert_eq!(
            (refused.code(), refused.message()),
            (code, rest.json["error"]["message"].as_str().unwrap())
        );
    };
    let force = |key, duration_ms| v1::ForceCooldownRequest { key, duration_ms, ..Default::default() };
    let refused = grpc.force_cooldown(force(order("cluade", None), None)).await.unwrap_err();
    alike(refused, Code::NotFound, post(&plane, "cluade/cooldown", "").await);
    let refused = grpc.force_cooldown(force(order("claude", None), Some(0))).await.unwrap_err();
    alike(refused, Code::InvalidArgument, post(&plane, "claude/cooldown", r#"{"duration": "0s"}"#).await);
    let refused = grpc.force_cooldown(force(order("claude", Some("x")), None)).await.unwrap_err();
    alike(refused, Code::InvalidArgument, post(&plane, "claude/cooldown", r#"{"credential": "x"}"#).await);

    post(&plane, "claude/recover", r#"{"request_id": "taken"}"#).await;
    let named = v1::RecoverRequest {
        key: order("openai", None),
        request_id: Some("taken".into()),
        ..Default::default()
    };
    let rest = post(&plane, "openai/recover", r#"{"request_id": "taken"}"#).await;
    alike(grpc.recover(named).await.unwrap_err(), Code::AlreadyExists, rest);

    let question = v1::ExplainRouteRequest { model: "nobody".into(), ..Default::default() };
    let refused = grpc.explain_route(question).await.unwrap_err();
    alike(refused, Code::NotFound, plane.get("/v0/operations/explain?model=nobody").await);
    let create = |client: &str, expires_in_ms| v1::CreateClientKeyRequest {
        client: client.into(),
        expires_in_ms,
        ..Default::default()
    };
    let refused = grpc.create_client_key(create("cli", None)).await.unwrap_err();
    alike(refused, Code::NotFound, keys::change(&plane, "/v0/operations/clients/cli/keys", "").await);
    let refused = grpc.create_client_key(create("ci", Some(5))).await.unwrap_err();
    let rest = keys::change(&plane, "/v0/operations/clients/ci/keys", r#"{"expires_in": "5ms"}"#).await;
    alike(refused, Code::InvalidArgument, rest);

    let refused = grpc.get_request(v1::GetRequestRequest { id: "none".into() }).await.unwrap_err();
    alike(refused, Code::NotFound, plane.get("/v0/operations/requests/none").await);
    let usage = |period: &str, limit| v1::GetUsageRequest {
        period: period.into(),
        limit,
        ..v1::GetUsageRequest::default()
    };
    let refused = grpc.get_usage(usage("week", None)).await.unwrap_err();
    alike(refused, Code::InvalidArgument, plane.get("/v0/operations/usage?period=week").await);
    let refused = grpc.get_usage(usage("", Some(0))).await.unwrap_err();
    alike(refused, Code::InvalidArgument, plane.get("/v0/operations/usage?limit=0").await);
    let by = v1::GetUsageRequest { by: vec!["zone".into()], ..Default::default() };
    let refused = grpc.get_usage(by).await.unwrap_err();
    alike(refused, Code::InvalidArgument, plane.get("/v0/operations/usage?by=zone").await);
    let query = v1::ListAuditRequest { limit: Some(0), ..Default::default() };
    let refused = grpc.list_audit(query).await.unwrap_err();
    alike(refused, Code::InvalidArgument, plane.get("/v0/operations/audit?limit=0").await);

    let apply =
        |text: &str, expected| v1::ApplyConfigRequest { text: text.into(), expected, ..Default::default() };
    let refused = grpc.apply_config(apply("nothing", None)).await.unwrap_err();
    alike(refused, Code::InvalidArgument, config::put(&plane, "", "nothing").await);
    let refused = grpc.apply_config(apply("attempts: 7", Some(9))).await.unwrap_err();
    alike(refused, Code::FailedPrecondition, config::put(&plane, "?expected=9", "attempts: 7").await);
    let unknown = v1::RollbackConfigRequest { config: 99, ..Default::default() };
    let refused = grpc.rollback_config(unknown).await.unwrap_err();
    alike(refused, Code::NotFound, config::roll_back(&plane, r#"{"config": 99}"#).await);

    plane.store.faults().set_unavailable(true);
    let refused = grpc.get_request(v1::GetRequestRequest { id: "req-1".into() }).await.unwrap_err();
    alike(refused, Code::Unavailable, plane.get("/v0/operations/requests/req-1").await);
    plane.store.faults().heal();
    plane.stop().await;
}

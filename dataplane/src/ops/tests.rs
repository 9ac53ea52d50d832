use super::*;
use crate::{
    failover::{CONNECT, FailoverParts},
    sync::HealthWords,
    upstream::Upstreams,
};
use cliproxy_domain::{
    Alias, AliasTarget, ConfigId, Credential, Incarnation, Provider, ProviderKind, Secret, Snapshot, Target,
    Timeouts,
};
use cliproxy_host::{Entropy, SystemClock, SystemNet};
use serde_json::{Value, json};

const HERE: &str = "127.0.0.1:50000";

fn provider(name: &str) -> Provider {
    let credential = |name: &str| Credential::new(name, Secret::new("sk"));
    Provider {
        name: name.into(),
        kind: ProviderKind::Anthropic,
        base_url: format!("http://{name}"),
        credentials: vec![credential("main"), credential("spare")],
        models: Vec::new(),
        weight: 1,
        priority: 1,
        timeouts: Timeouts::default(),
        profile: None,
        traits: Vec::new(),
        cooldown: Default::default(),
        health_check: Default::default(),
        quota: None,
        prices: Vec::new(),
    }
}

/// `claude` and `openai`, and `smart` that goes to either.
fn snapshot() -> Snapshot {
    let mut snapshot = Snapshot::default();
    let target = |provider: &str| AliasTarget {
        target: Target { provider: provider.into(), model: "up".into() },
        priority: None,
        weight: None,
    };
    let targets = vec![target("claude"), target("openai")];
    let alias = Alias { name: "smart".into(), targets, strategy: None };
    snapshot.models.insert(alias.name.clone(), alias);
    snapshot.providers = ["claude", "openai"].map(|name| (name.into(), provider(name))).into();
    snapshot
}

/// A node without a control plane, or one whose control plane does not answer.
fn node(alone: bool, tokens: Vec<AdminToken>) -> Ops {
    let live = Arc::new(Live::new(Upstreams::new(Arc::new(SystemNet)).unwrap(), 0));
    live.adopt(ConfigId(3), snapshot()).unwrap();
    let health = Arc::new(HealthWords::new(Arc::clone(&live)));
    let upstreams = Upstreams::new(Arc::new(SystemNet)).unwrap();
    let (link, metrics) = (Arc::new(ControlLink::new(!alone)), Metrics::new());
    let failover = Failover::new(FailoverParts {
        settings: None,
        node: "me".into(),
        live: Arc::clone(&live),
        link: Arc::clone(&link),
        pool: upstreams.pool(CONNECT),
        metrics: metrics.clone(),
        net: Arc::new(SystemNet),
        clock: Arc::new(SystemClock),
        entropy: Entropy::seeded(1),
    });
    Ops::new(OpsParts {
        tokens,
        metrics,
        link,
        recent: Arc::default(),
        failover: Arc::new(failover),
        records: Arc::new(Records::new(tokio::sync::mpsc::channel(1).0)),
        judge: Arc::new(Judge::new(Arc::clone(&live), health, "me".into(), alone)),
        node: "me".into(),
        incarnation: Incarnation(1),
        clock: Arc::new(SystemClock),
        live,
    })
}

struct Told {
    status: u16,
    headers: HeaderMap,
    json: Value,
}

impl Told {
    fn error(&self) -> (u16, &str, &str) {
        let text = |field: &str| self.json["error"][field].as_str().unwrap();
        (self.status, text("type"), text("message"))
    }
}

async fn ask(ops: &Ops, method: &str, path: &str, body: &str) -> Told {
    let request = Request::builder().method(method).uri(path);
    let request = request.body(Full::new(Bytes::from(body.to_owned()))).unwrap();
    tell(ops, HERE, request).await
}

async fn tell(ops: &Ops, peer: &str, request: Request<Full<Bytes>>) -> Told {
    let response = ops.serve(Peer { address: peer.parse().unwrap() }, request).await;
    let (head, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let json = serde_json::from_slice(&body).unwrap_or(Value::Null);
    Told { status: head.status.as_u16(), headers: head.headers, json }
}

fn operation(path: &str) -> String {
    format!("/v0/operations/{path}")
}

async fn get(ops: &Ops, path: &str) -> Told {
    ask(ops, "GET", &operation(path), "").await
}

async fn post(ops: &Ops, path: &str, body: &str) -> Told {
    ask(ops, "POST", &operation(path), body).await
}

#[tokio::test]
async fn what_is_no_operation_is_refused_in_the_form_of_both_planes() {
    let ops = node(true, Vec::new());
    let (status, kind, message) = (404, "not_found", "there is nothing at /v0/operations/nothing; ");
    let told = get(&ops, "nothing").await;
    assert_eq!((told.error().0, told.error().1), (status, kind));
    assert!(told.error().2.starts_with(message), "{}", told.error().2);
    for (method, path, allow) in [
        ("POST", "/health", "GET, HEAD"),
        ("POST", "/v0/operations/providers/status", "GET, HEAD"),
        ("GET", "/v0/operations/providers/claude/cooldown", "POST"),
        ("DELETE", "/v0/operations/config", "GET, HEAD, PUT"),
    ] {
        let told = ask(&ops, method, path, "").await;
        assert_eq!((told.error().0, told.error().1), (405, "method_not_allowed"), "{method} {path}");
        assert_eq!(told.headers["allow"], allow, "{method} {path}");
    }
}

#[tokio::test]
async fn who_may_not_ask_is_told_so_before_his_body_is_read() {
    let ops = node(true, Vec::new());
    let request = || {
        let request = Request::post(operation("providers/claude/cooldown"));
        request.body(Full::new(Bytes::from(vec![b' '; 70_000]))).unwrap()
    };
    let told = tell(&ops, "192.0.2.7:1", request()).await;
    assert_eq!((told.error().0, told.error().1), (403, "permission"));
    assert!(told.error().2.contains("server.operations.admin_tokens"), "{}", told.error().2);
    let told = tell(&ops, HERE, request()).await;
    assert_eq!((told.error().0, told.error().1), (413, "too_large"));
    assert!(told.error().2.starts_with("the body is larger than 65536 bytes"), "{}", told.error().2);

    let ops = node(true, vec![AdminToken { name: "ops".into(), sha256: [7; 32] }]);
    let told = get(&ops, "providers/status").await;
    assert_eq!((told.error().0, told.error().1), (401, "authentication"));
    assert_eq!(told.headers["www-authenticate"], "Bearer");
    assert_eq!(ask(&ops, "GET", "/health", "").await.status, 200, "anyone may know that it lives");
}

#[tokio::test]
async fn a_node_alone_lets_rest_what_its_operator_says_and_ends_it_again() {
    let ops = node(true, Vec::new());
    let told = post(&ops, "providers/claude/cooldown", r#"{"duration": "10m", "reason": "manual"}"#).await;
    assert_eq!(told.status, 200, "{}", told.json);
    assert_eq!((&told.json["provider"], &told.json["source"]), (&json!("claude"), &json!("node")));
    assert_eq!((&told.json["applied_nodes"], &told.json["total_nodes"]), (&json!(1), &json!(1)));
    let period = &told.json["cooldown"];
    assert_eq!((&period["remaining_seconds"], &period["reason"]), (&json!(600), &json!("manual")));

    let told = get(&ops, "cooldown/status").await;
    assert_eq!(told.json["providers_in_cooldown"], json!(["claude"]));
    assert_eq!(told.json["cooldown_periods"]["claude"]["reason"], "manual");
    assert_eq!(told.json["resting"]["claude"]["by"], "loopback");
    assert_eq!((&told.json["source"], &told.json["as_of"].is_string()), (&json!("node"), &true));
    let told = get(&ops, "providers/status").await;
    assert_eq!(told.json["providers"]["claude"]["in_cooldown"], true);
    let told = get(&ops, "load_balancing/status").await;
    assert_eq!(told.json["providers"]["claude"]["excluded"], "cooldown");
    assert_eq!((&told.json["config"], &told.json["source"]), (&json!(3), &json!("node")));
    let told = get(&ops, "explain?model=smart").await;
    let candidates = told.json["decision"]["candidates"].as_array().unwrap();
    assert_eq!(candidates[0]["provider"], "openai", "{}", told.json);

    let told = post(&ops, "providers/claude/recover", "").await;
    assert_eq!((told.status, told.json.get("cooldown")), (200, None), "{}", told.json);
    let told = get(&ops, "cooldown/status").await;
    assert_eq!((&told.json["providers_in_cooldown"], &told.json["source"]), (&json!([]), &json!("node")));
}

#[tokio::test]
async fn a_word_on_a_node_alone_is_checked_as_strictly_as_everywhere() {
    let ops = node(true, Vec::new());
    let cooldown = "providers/claude/cooldown";
    for (path, body, status, part) in [
        (cooldown, r#"{"duration": "soon"}"#, 400, "duration is \"soon\"; give a time"),
        (cooldown, r#"{"durration": "1m"}"#, 400, "there is no field `durration`"),
        (cooldown, "[]", 400, "the body is not a JSON object"),
        (cooldown, r#"{"credential": "other"}"#, 400, "claude has main, spare"),
        (
            "providers/cluade/recover",
            "",
            404,
            "there is no provider \"cluade\"; the known ones are claude, openai",
        ),
        ("providers/claude/cooldown?dry=1", "", 400, "there is no parameter `dry`"),
    ] {
        let told = post(&ops, path, body).await;
        assert_eq!(told.status, status, "{path} {body}");
        assert!(told.error().2.contains(part), "{path} {body}: {}", told.error().2);
    }
    let request = Request::post(operation(cooldown)).header("content-type", "text/plain");
    let told = tell(&ops, HERE, request.body(Full::new(Bytes::from_static(b"{}"))).unwrap()).await;
    assert_eq!((told.error().0, told.error().1), (415, "unsupported_media_type"));
    assert_eq!(get(&ops, "cooldown/status").await.json["resting"], json!({}));
}

#[tokio::test]
async fn a_call_with_a_name_is_carried_out_once() {
    let ops = node(true, Vec::new());
    let cooldown = "providers/claude/cooldown";
    let named = |minutes: u32| format!(r#"{{"duration": "{minutes}m", "request_id": "r-1"}}"#);
    let first = post(&ops, cooldown, &named(10)).await;
    post(&ops, "providers/claude/recover", "").await;
    let again = post(&ops, cooldown, &named(10)).await;
    assert_eq!((again.status, &again.json), (200, &first.json));
    assert_eq!(get(&ops, "cooldown/status").await.json["providers_in_cooldown"], json!([]));
    let other = post(&ops, cooldown, &named(11)).await;
    assert_eq!((other.error().0, other.error().1), (409, "conflict"));
    // Only tried out, so that nothing is remembered.
    let tried = post(&ops, cooldown, r#"{"request_id": "r-2", "dry_run": true}"#).await;
    assert_eq!((&tried.json["dry_run"], &tried.json["applied_nodes"]), (&json!(true), &json!(0)));
    assert_eq!(post(&ops, cooldown, r#"{"request_id": "r-2"}"#).await.json["dry_run"], false);
}

#[tokio::test]
async fn a_node_that_is_cut_off_answers_what_it_knows_and_says_where_to_ask_for_the_rest() {
    let ops = node(false, Vec::new());
    for path in
        ["providers/status", "cooldown/status", "load_balancing/status", "explain?model=smart", "quotas"]
    {
        let told = get(&ops, path).await;
        assert_eq!((told.status, &told.json["source"]), (200, &json!("node")), "{path}");
    }
    for (method, path) in [
        ("POST", "providers/claude/cooldown"),
        ("POST", "providers/claude/recover"),
        ("POST", "quotas/release"),
        ("GET", "clients"),
        ("POST", "clients/ci/keys"),
        ("POST", "clients/ci/keys/0123456789ab/revoke"),
        ("GET", "usage"),
        ("GET", "nodes"),
        ("GET", "alerts"),
        ("GET", "audit"),
        ("GET", "requests/req-1"),
        ("GET", "config/history"),
        ("PUT", "config"),
    ] {
        let told = ask(&ops, method, &operation(path), "").await;
        assert_eq!((told.error().0, told.error().1), (503, "control_plane_unavailable"), "{method} {path}");
        assert!(told.error().2.contains("(its connection is connecting); ask the control plane itself"));
    }
}

#[tokio::test]
async fn a_question_that_means_nothing_is_refused_by_name() {
    let ops = node(true, Vec::new());
    for (path, status, part) in [
        ("explain", 400, "model is \"\""),
        ("explain?model=smart&modle=x", 400, "there is no parameter `modle`"),
        ("explain?model=smrt", 404, "did you mean `smart`?"),
        ("explain?model=%ff", 400, "the query does not decode"),
        ("explain?model=smart&client=ci", 404, "there is no client \"ci\""),
        ("providers/status?x=1", 400, "there is no parameter `x`"),
    ] {
        let told = get(&ops, path).await;
        assert_eq!(told.status, status, "{path}");
        assert!(told.error().2.contains(part), "{path}: {}", told.error().2);
    }
}

#[tokio::test]
async fn only_the_control_plane_keeps_what_a_node_alone_cannot_tell() {
    let ops = node(true, Vec::new());
    let told = get(&ops, "audit").await;
    assert_eq!(told.error().0, 503);
    assert!(told.error().2.starts_with("this node runs alone"), "{}", told.error().2);
    let told = get(&ops, "requests/req-1").await;
    assert_eq!((told.error().0, told.error().1), (404, "not_found"));
}

#[test]
fn what_only_the_control_plane_can_answer_is_waited_for_longer_than_its_database_may_take() {
    let usage = Operation::Cluster { max_body: 0 };
    // The control plane gives up on its database after five seconds.
    assert!(patience(&usage, b"") > Duration::from_secs(6));
    assert!(patience(&Operation::Request("id".to_owned()), b"") > Duration::from_secs(6));
    assert!(
        patience(&Operation::Providers, b"") <= Duration::from_secs(2),
        "the node knows most of it as well"
    );
}

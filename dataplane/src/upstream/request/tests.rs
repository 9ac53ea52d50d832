use super::*;
use crate::authenticate::Caller;
use crate::decode::Delivery;
use crate::upstream::Upstreams;
use cliproxy_dialects::peek;
use cliproxy_domain::{CooldownDurations, Credential, HealthCheck, Operation, Provider, Snapshot, Timeouts};
use cliproxy_host::{Clock as _, Peer, SystemClock, SystemNet};
use std::sync::Arc;

fn upstream(kind: ProviderKind, base_url: &str) -> Arc<Upstream> {
    let provider = Provider {
        name: "p".into(),
        kind,
        base_url: base_url.into(),
        credentials: vec![Credential::new("main", Secret::new("upstream-key"))],
        models: Vec::new(),
        weight: 1,
        priority: 1,
        timeouts: Timeouts::default(),
        profile: None,
        traits: Vec::new(),
        cooldown: CooldownDurations::default(),
        health_check: HealthCheck::default(),
        quota: None,
        prices: Vec::new(),
    };
    let mut snapshot = Snapshot::default();
    snapshot.providers.insert("p".into(), provider);
    let upstreams = Upstreams::new(Arc::new(SystemNet)).unwrap();
    Arc::clone(&upstreams.of(&snapshot).unwrap()["p"])
}

fn call(dialect: Dialect, path: UpstreamPath, body: &'static str) -> Call {
    let spans = body.find("\"asked\"").map(|at| at..at + 7).into_iter().collect();
    Call {
        caller: Caller::anonymous(Peer { address: ([127, 0, 0, 1], 1).into() }),
        id: "req-1".into(),
        started: SystemClock.now(),
        dialect,
        operation: Operation::Generate,
        delivery: Delivery::Whole,
        model: "asked".into(),
        model_spans: spans,
        session: None,
        path,
        query: None,
        headers: HeaderMap::new(),
        body: Bytes::from_static(body.as_bytes()),
        size: Default::default(),
    }
}

const CHAT: UpstreamPath = UpstreamPath::Fixed("/chat/completions");

#[test]
fn paths_are_appended_as_each_sdk_does_it() {
    let gemini = |verb| UpstreamPath::Gemini(GeminiPath { version: "v1beta", verb });
    let cases = [
        (ProviderKind::OpenAi, "https://api.x.com", CHAT, "https://api.x.com/v1/chat/completions"),
        (ProviderKind::OpenAi, "https://api.x.com/v1", CHAT, "https://api.x.com/v1/chat/completions"),
        (ProviderKind::OpenAiCompatible, "http://x:1/api/v4/", CHAT, "http://x:1/api/v4/chat/completions"),
        (ProviderKind::Anthropic, "https://x", UpstreamPath::Fixed("/messages"), "https://x/v1/messages"),
        (ProviderKind::Gemini, "https://g", gemini("countTokens"), "https://g/v1beta/models/up:countTokens"),
        (ProviderKind::Gemini, "https://g/v1", gemini("countTokens"), "https://g/v1/models/up:countTokens"),
    ];
    for (kind, base, path, expected) in cases {
        let request = upstream(kind, base)
            .request(&call(Dialect::OpenAiChat, path, "{}"), &"up".into(), &"main".into())
            .unwrap();
        assert_eq!(request.uri().to_string(), expected);
    }
}

#[test]
fn a_models_name_cannot_escape_its_path() {
    let path = UpstreamPath::Gemini(GeminiPath { version: "v1", verb: "countTokens" });
    let request = upstream(ProviderKind::Gemini, "https://g")
        .request(&call(Dialect::Gemini, path, "{}"), &"a?key=b#c d".into(), &"main".into())
        .unwrap();
    assert_eq!(request.uri().to_string(), "https://g/v1/models/a%3Fkey%3Db%23c%20d:countTokens");
}

#[test]
fn the_clients_key_stays_here_and_the_providers_own_goes_out() {
    for (kind, name, value) in [
        (ProviderKind::OpenAi, "authorization", "Bearer upstream-key"),
        (ProviderKind::Anthropic, "x-api-key", "upstream-key"),
        (ProviderKind::Gemini, "x-goog-api-key", "upstream-key"),
    ] {
        let mut call = call(Dialect::OpenAiChat, CHAT, "{}");
        for header in ["authorization", "x-api-key", "x-goog-api-key", "cookie", "proxy-authorization"] {
            call.headers.insert(header, HeaderValue::from_static("clients-secret"));
        }
        let request = upstream(kind, "http://x").request(&call, &"m".into(), &"main".into()).unwrap();
        assert_eq!(request.headers()[name], value);
        assert!(request.headers()[name].is_sensitive());
        assert!(!format!("{:?}", request.headers()).contains("secret"));
        assert_eq!(request.headers().values().filter(|v| v.is_sensitive()).count(), 1);
    }
}

#[test]
fn headers_of_one_connection_stop_here_and_others_pass() {
    let mut call = call(Dialect::Anthropic, CHAT, "{}");
    for (name, value) in [
        ("connection", "x-hop, close"),
        ("connection", "x-other-hop"),
        ("x-hop", "1"),
        ("x-other-hop", "1"),
        ("te", "trailers"),
        ("accept-encoding", "gzip"),
        ("x-cliproxy-hop", "1"),
        ("anthropic-beta", "a,b"),
        ("x-stainless-lang", "python"),
    ] {
        call.headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    let request =
        upstream(ProviderKind::Anthropic, "http://x").request(&call, &"m".into(), &"main".into()).unwrap();
    let mut names: Vec<_> = request.headers().keys().map(HeaderName::as_str).collect();
    names.sort_unstable();
    let expected = [
        "accept-encoding",
        "anthropic-beta",
        "anthropic-version",
        "x-api-key",
        "x-request-id",
        "x-stainless-lang",
    ];
    assert_eq!(names, expected);
    assert_eq!(request.headers()["accept-encoding"], "identity");
}

#[test]
fn the_body_is_the_clients_but_for_the_model() {
    let body = r#"{"z": 1.0e2, "model":"asked" ,"a":"ünï"}"#;
    let upstream = upstream(ProviderKind::OpenAi, "http://x");
    let sent = |model: &str| {
        let call = call(Dialect::OpenAiChat, CHAT, body);
        upstream.body(&call, &model.into())
    };
    assert_eq!(sent("asked"), body);
    assert_eq!(sent("other\"one"), r#"{"z": 1.0e2, "model":"other\"one" ,"a":"ünï"}"#);
}

#[test]
fn a_gemini_body_that_repeats_the_model_follows_the_path() {
    let upstream = upstream(ProviderKind::Gemini, "https://g");
    let count = GeminiPath { version: "v1beta", verb: "countTokens" };
    let sent = |body: &'static str, model: &str| {
        let found = peek(Dialect::Gemini, Operation::CountTokens, body.as_bytes()).unwrap();
        let call = Call {
            model_spans: found.model_spans,
            session: None,
            ..call(Dialect::Gemini, UpstreamPath::Gemini(count), body)
        };
        upstream.body(&call, &model.into())
    };
    let counted = r#"{"generateContentRequest":{"model":"models/asked","contents":[]}}"#;
    assert_eq!(sent(counted, "asked"), counted);
    assert_eq!(sent(counted, "up"), r#"{"generateContentRequest":{"model":"models/up","contents":[]}}"#);
    let batch = r#"{"requests":[{"model":"models\/asked"},{"model":"asked"},{"model":"tunedModels/x"}]}"#;
    assert_eq!(
        sent(batch, "up"),
        r#"{"requests":[{"model":"models/up"},{"model":"up"},{"model":"models/up"}]}"#
    );
    assert_eq!(
        sent(batch, "tunedModels/t"),
        r#"{"requests":[{"model":"tunedModels/t"},{"model":"tunedModels/t"},{"model":"tunedModels/t"}]}"#
    );
}

#[test]
fn a_resource_name_is_its_own_path() {
    let path = UpstreamPath::Gemini(GeminiPath { version: "v1", verb: "countTokens" });
    for (model, expected) in [
        ("models/up", "https://g/v1/models/up:countTokens"),
        ("tunedModels/t", "https://g/v1/tunedModels/t:countTokens"),
    ] {
        let call = call(Dialect::Gemini, path.clone(), "{}");
        let request = upstream(ProviderKind::Gemini, "https://g")
            .request(&call, &model.into(), &"main".into())
            .unwrap();
        assert_eq!(request.uri().to_string(), expected);
    }
}

#[test]
fn a_name_with_a_slash_keeps_the_form_of_the_name_that_it_replaces() {
    let name = |dialect, old| name_in_body(dialect, &"org/model".into(), old).into_owned();
    assert_eq!(name(Dialect::Gemini, "models/asked"), "models/org/model");
    assert_eq!(name(Dialect::Gemini, "asked"), "org/model");
    assert_eq!(name(Dialect::OpenAiChat, "models/asked"), "org/model");
}

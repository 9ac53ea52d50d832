use super::*;

/// A recorded error of a provider: status and body.
fn recorded(text: &str) -> (u16, Value) {
    let fixture: Value = serde_json::from_str(text).unwrap();
    (fixture["status"].as_u64().unwrap() as u16, fixture["body"].clone())
}

fn ours(family: Family, kind: ErrorKind, hint: Hint) -> Value {
    let status = spelling(family, kind).status;
    serde_json::from_str(&body(family, kind, Some((status, hint)), "nope", 3)).unwrap()
}

/// Replaces the leaves of a document by their types.
fn shape(value: &Value) -> Value {
    match value {
        Value::Object(fields) => fields.iter().map(|(key, value)| (key.clone(), shape(value))).collect(),
        Value::Array(items) => Value::Array(items.iter().map(shape).collect()),
        Value::String(_) => "string".into(),
        Value::Number(_) => "number".into(),
        other => other.clone(),
    }
}

macro_rules! fixture {
    ($name:literal) => {
        include_str!(concat!("../../../tests/fixtures/", $name, ".error.json"))
    };
}

#[test]
fn openai_errors_are_those_of_the_fixtures() {
    for (kind, text) in [
        (ErrorKind::Auth, fixture!("openai-chat/auth")),
        (ErrorKind::RateLimit, fixture!("openai-chat/rate-limit")),
        (ErrorKind::Quota, fixture!("openai-chat/quota")),
        (ErrorKind::Overloaded, fixture!("openai-chat/overloaded")),
        (ErrorKind::ServerError, fixture!("openai-chat/server-error")),
        (ErrorKind::NotFound, fixture!("openai-chat/model-not-found")),
        (ErrorKind::ContextLength, fixture!("openai-chat/context-length")),
    ] {
        let (status, expected) = recorded(text);
        let actual = ours(Family::OpenAi, kind, Hint::default());
        assert_eq!(spelling(Family::OpenAi, kind).status, status, "{kind:?}");
        let keys = |value: &Value| value["error"].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(keys(&actual), keys(&expected), "{kind:?}");
        // A server error has no code in HTTP and one in a stream; rate limits come in two types.
        if kind != ErrorKind::ServerError {
            assert_eq!(actual["error"]["code"], expected["error"]["code"], "{kind:?}");
        }
        if kind != ErrorKind::RateLimit {
            assert_eq!(actual["error"]["type"], expected["error"]["type"], "{kind:?}");
        }
    }
}

#[test]
fn anthropic_errors_are_those_of_the_fixtures() {
    for (kind, text) in [
        (ErrorKind::Auth, fixture!("anthropic/auth")),
        (ErrorKind::RateLimit, fixture!("anthropic/rate-limit")),
        (ErrorKind::Quota, fixture!("anthropic/billing")),
        (ErrorKind::DailyQuota, fixture!("anthropic/spend-limit")),
        (ErrorKind::Overloaded, fixture!("anthropic/overloaded")),
        (ErrorKind::ServerError, fixture!("anthropic/server-error")),
        (ErrorKind::NotFound, fixture!("anthropic/not-found")),
        (ErrorKind::Permission, fixture!("anthropic/permission")),
        (ErrorKind::TooLarge, fixture!("anthropic/too-large")),
        (ErrorKind::Timeout, fixture!("anthropic/timeout")),
    ] {
        let (status, expected) = recorded(text);
        let actual = ours(Family::Anthropic, kind, Hint::default());
        assert_eq!(spelling(Family::Anthropic, kind).status, status, "{kind:?}");
        assert_eq!(shape(&actual), shape(&expected), "{kind:?}");
        assert_eq!(actual["error"]["type"], expected["error"]["type"], "{kind:?}");
        assert_eq!(actual["error"]["details"], expected["error"]["details"], "{kind:?}");
    }
}

#[test]
fn gemini_errors_are_those_of_the_fixtures() {
    for (kind, delay, text) in [
        (ErrorKind::Auth, None, fixture!("gemini/auth")),
        (ErrorKind::Quota, None, fixture!("gemini/prepaid-exhausted")),
        (ErrorKind::DailyQuota, Some(35641.5), fixture!("gemini/daily-quota")),
        (ErrorKind::Overloaded, None, fixture!("gemini/overloaded")),
        (ErrorKind::ServerError, None, fixture!("gemini/server-error")),
        (ErrorKind::Permission, None, fixture!("gemini/permission")),
        (ErrorKind::NotFound, None, fixture!("gemini/not-found")),
        (ErrorKind::Timeout, None, fixture!("gemini/deadline")),
    ] {
        let (status, expected) = recorded(text);
        let actual = ours(Family::Gemini, kind, Hint { retry_info_s: delay, ..Hint::default() });
        assert_eq!(spelling(Family::Gemini, kind).status, status, "{kind:?}");
        assert_eq!(shape(&actual), shape(&expected), "{kind:?}");
        assert_eq!(actual["error"]["status"], expected["error"]["status"], "{kind:?}");
    }
}

#[test]
fn gemini_tells_the_delay_of_a_rate_limit_in_the_body() {
    let (_, expected) = recorded(fixture!("gemini/rate-limit"));
    let hint = Hint { retry_info_s: Some(45.837906927), ..Hint::default() };
    let actual = ours(Family::Gemini, ErrorKind::RateLimit, hint);
    assert_eq!(actual["error"]["details"][1], expected["error"]["details"][2]);
}

#[test]
fn each_hint_has_its_header() {
    let names = |hint| hint_headers(hint).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    let seconds = hint_headers(Hint { retry_after_s: Some(2), ..Hint::default() });
    assert_eq!(seconds, [("retry-after", "2".into())]);
    let date = hint_headers(Hint { retry_after_date_s: Some(2), ..Hint::default() });
    assert!(date[0].1.ends_with("GMT"), "{date:?}");
    assert_eq!(names(Hint { retry_after_ms: Some(2), ..Hint::default() }), ["retry-after-ms"]);
    assert_eq!(names(Hint { should_retry: Some(false), ..Hint::default() }), ["x-should-retry"]);
    let known: Value = serde_json::from_str(fixture!("anthropic/rate-limit")).unwrap();
    for name in names(Hint { anthropic_reset_s: Some(2), ..Hint::default() }) {
        assert!(known["headers"].get(name).is_some(), "{name} is not a header of the provider");
    }
    let known: Value = serde_json::from_str(fixture!("openai-chat/rate-limit")).unwrap();
    for name in names(Hint { x_ratelimit_reset_ms: Some(2), ..Hint::default() }) {
        assert!(known["headers"].get(name).is_some(), "{name} is not a header of the provider");
    }
}

#[test]
fn resets_are_spelt_like_go_durations() {
    for (millis, text) in [
        (120, "120ms"),
        (1_000, "1s"),
        (1_500, "1.5s"),
        (360_000, "6m0s"),
        (3_723_000, "1h2m3s"),
        (3_600_050, "1h0m0.05s"),
    ] {
        assert_eq!(go_duration(millis), text);
    }
}

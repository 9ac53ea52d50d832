use super::*;
use crate::fixtures;
use cliproxy_domain::Dialect;
use http::{HeaderName, HeaderValue};
use proptest::prelude::*;
use serde_json::Value;

const NOW: WallTime = WallTime(1_793_534_400_000); // 2026-11-01T12:00:00Z

fn kind(dialect: Dialect) -> ProviderKind {
    match dialect {
        Dialect::OpenAiChat | Dialect::OpenAiResponses => ProviderKind::OpenAi,
        Dialect::Anthropic => ProviderKind::Anthropic,
        Dialect::Gemini => ProviderKind::Gemini,
    }
}

fn headers(object: &Value) -> HeaderMap {
    object
        .as_object()
        .expect("headers")
        .iter()
        .map(|(name, value)| {
            (
                HeaderName::try_from(name.as_str()).expect("a name"),
                HeaderValue::from_str(value.as_str().expect("text")).expect("a value"),
            )
        })
        .collect()
}

fn plain(kind: ProviderKind, status: u16, body: &str) -> AttemptError {
    classify(kind, &[], status, &HeaderMap::new(), body.as_bytes(), NOW)
}

fn wait(millis: u64) -> Option<Duration> {
    Some(Duration::from_millis(millis))
}

/// The failure that each recorded error stands for.
fn expected(name: &str) -> Failure {
    match name {
        "openai-chat/auth" | "anthropic/auth" | "gemini/auth" => Failure::CredentialRejected,
        "openai-chat/context-length" => Failure::ContextLength,
        "openai-chat/invalid-request"
        | "openai-responses/invalid-request"
        | "openai-responses/previous-not-found"
        | "anthropic/invalid-request"
        | "anthropic/sampling-param"
        | "gemini/invalid-request"
        | "gemini/missing-signature" => Failure::InvalidRequest,
        "openai-chat/model-not-found" | "anthropic/not-found" | "gemini/not-found" => Failure::ModelNotFound,
        "openai-chat/overloaded" => Failure::Overloaded { retry_after: wait(3000) },
        "anthropic/overloaded" | "gemini/overloaded" => Failure::Overloaded { retry_after: None },
        "openai-chat/quota" | "anthropic/billing" | "gemini/prepaid-exhausted" => Failure::Billing,
        "openai-chat/rate-limit" => Failure::RateLimited { retry_after: wait(800) },
        "openai-responses/rate-limit" => Failure::RateLimited { retry_after: wait(1000) },
        "openai-chat/slow-down" => Failure::RateLimited { retry_after: wait(5000) },
        "anthropic/rate-limit" => Failure::RateLimited { retry_after: wait(30_000) },
        "gemini/rate-limit" => {
            Failure::RateLimited { retry_after: Some(Duration::from_nanos(45_837_906_927)) }
        }
        "anthropic/spend-limit" => Failure::LimitSpent { retry_after: None },
        "gemini/daily-quota" => Failure::LimitSpent { retry_after: wait(35_641_500) },
        "openai-chat/server-error" | "anthropic/server-error" | "gemini/server-error" => Failure::Upstream,
        "anthropic/permission" | "gemini/permission" => Failure::Permission,
        "anthropic/too-large" => Failure::TooLarge,
        "anthropic/timeout" | "gemini/deadline" => Failure::Timeout(TimeoutPhase::Total),
        _ => panic!("{name} has no expected failure"),
    }
}

#[test]
fn every_recorded_error_is_classified() {
    for fixture in fixtures::all(".error.json") {
        let recorded: Value = serde_json::from_slice(&fixture.bytes).expect("JSON");
        let status = u16::try_from(recorded["status"].as_u64().expect("a status")).expect("small");
        let body = recorded["body"].to_string();
        let name = fixture.name.trim_end_matches(".error.json");
        let kinds = match kind(fixture.dialect) {
            ProviderKind::OpenAi => vec![ProviderKind::OpenAi, ProviderKind::OpenAiCompatible],
            kind => vec![kind],
        };
        for kind in kinds {
            let error = classify(kind, &[], status, &headers(&recorded["headers"]), body.as_bytes(), NOW);
            assert_eq!(error.failure, expected(name), "{name}");
            assert_eq!(error.status, Some(status), "{name}");
            assert!(!error.message.is_empty(), "{name}");
        }
    }
}

#[test]
fn a_body_that_is_no_json_leaves_the_decision_to_the_status() {
    for body in ["", "<html>insufficient_quota</html>", "null", "[]", "[7]", "{}", "{\"error\":7}"] {
        for (status, failure) in [
            (301, Failure::Upstream),
            (400, Failure::InvalidRequest),
            (401, Failure::CredentialRejected),
            (402, Failure::Billing),
            (403, Failure::Permission),
            (404, Failure::ModelNotFound),
            (408, Failure::Timeout(TimeoutPhase::Total)),
            (409, Failure::Upstream),
            (413, Failure::TooLarge),
            (418, Failure::Upstream),
            (422, Failure::InvalidRequest),
            (429, Failure::RateLimited { retry_after: None }),
            (499, Failure::Upstream),
            (500, Failure::Upstream),
            (502, Failure::Upstream),
            (503, Failure::Overloaded { retry_after: None }),
            (504, Failure::Timeout(TimeoutPhase::Total)),
            (529, Failure::Overloaded { retry_after: None }),
        ] {
            let error = plain(ProviderKind::OpenAiCompatible, status, body);
            assert_eq!(error.failure, failure, "{status} {body}");
            assert_eq!(error.message, format!("the provider answered with status {status}"));
        }
    }
}

#[test]
fn status_and_code_decide_together() {
    use ProviderKind::{Anthropic, Gemini, OpenAi};
    for (kind, status, body, failure) in [
        (
            OpenAi,
            429,
            r#"{"error":{"type":"insufficient_quota","code":"insufficient_quota"}}"#,
            Failure::Billing,
        ),
        (
            OpenAi,
            429,
            r#"{"error":{"type":"insufficient_quota","code":"organization_spend_limit_exceeded"}}"#,
            Failure::LimitSpent { retry_after: None },
        ),
        (
            OpenAi,
            429,
            r#"{"error":{"type":"insufficient_quota","code":"organization_usage_limit_exceeded"}}"#,
            Failure::LimitSpent { retry_after: None },
        ),
        (
            Anthropic,
            400,
            r#"{"error":{"type":"invalid_request_error","message":"prompt is too long: 210000 tokens > 200000 maximum"}}"#,
            Failure::ContextLength,
        ),
        (
            Anthropic,
            400,
            r#"{"error":{"type":"invalid_request_error","message":"You have reached your specified API usage limits."}}"#,
            Failure::LimitSpent { retry_after: None },
        ),
        (
            Anthropic,
            429,
            r#"{"error":{"type":"rate_limit_error","details":{"error_code":"ramp_limit_exceeded"}}}"#,
            Failure::RateLimited { retry_after: None },
        ),
        (
            Anthropic,
            500,
            r#"{"error":{"type":"overloaded_error"}}"#,
            Failure::Overloaded { retry_after: None },
        ),
        (
            Gemini,
            400,
            r#"{"error":{"message":"The input token count (9) exceeds the maximum number of tokens allowed (8)."}}"#,
            Failure::ContextLength,
        ),
        (
            Gemini,
            429,
            r#"{"error":{"status":"RESOURCE_EXHAUSTED","message":"Quota exceeded, limit: 0\nPlease retry."}}"#,
            Failure::LimitSpent { retry_after: None },
        ),
        (
            Gemini,
            429,
            r#"{"error":{"status":"RESOURCE_EXHAUSTED","message":"Quota exceeded, limit: 0.5"}}"#,
            Failure::RateLimited { retry_after: None },
        ),
        (Gemini, 503, r#"[{"error":{"status":"UNAVAILABLE"}}]"#, Failure::Overloaded { retry_after: None }),
    ] {
        assert_eq!(plain(kind, status, body).failure, failure, "{body}");
    }
}

#[test]
fn the_message_is_the_providers_without_secrets() {
    let body = r#"{"error":{"message":"Incorrect API key provided: sk-proj-abcd1234. See https://example.test/keys."}}"#;
    assert_eq!(
        plain(ProviderKind::OpenAi, 401, body).message,
        "Incorrect API key provided: [removed] See [removed]"
    );
}

#[test]
fn bare_texts_serve_as_messages_too() {
    assert_eq!(
        plain(ProviderKind::OpenAiCompatible, 500, r#"{"error":"out of memory"}"#).message,
        "out of memory"
    );
    assert_eq!(plain(ProviderKind::OpenAiCompatible, 422, r#"{"detail":"no field"}"#).message, "no field");
}

#[test]
fn half_a_character_in_a_message_hides_no_facts() {
    let body = r#"{"error":{"message":"too long: \ud83d","code":"context_length_exceeded"}}"#;
    let error = plain(ProviderKind::OpenAi, 400, body);
    assert_eq!((error.failure, &*error.message), (Failure::ContextLength, "too long: \u{fffd}"));
}

proptest! {
    #[test]
    fn no_answer_panics(
        status in 0_u16..1000,
        body in proptest::collection::vec(any::<u8>(), 0..100),
        value in "[ -~]{0,30}",
        number in any::<f64>(),
    ) {
        let mut headers = HeaderMap::new();
        for name in ["retry-after", "retry-after-ms", "date", "x-ratelimit-reset-tokens", "anthropic-ratelimit-tokens-reset"] {
            headers.insert(name, HeaderValue::from_str(&value).expect("printable"));
            headers.insert("x-ratelimit-remaining-tokens", HeaderValue::from_static("0"));
        }
        let json = format!(r#"{{"error":{{"message":{:?},"resets_at":{number:e},"resets_in_seconds":{number:e}}}}}"#, value);
        for body in [&body[..], json.as_bytes()] {
            for kind in [ProviderKind::OpenAi, ProviderKind::Anthropic, ProviderKind::Gemini] {
                let error = classify(kind, &[], status, &headers, body, WallTime(i64::MAX));
                prop_assert!(error.message.len() <= 1024);
            }
        }
    }
}

#[test]
fn what_a_profile_says_of_an_error_has_the_word() {
    let rule = |status, code: Option<&str>, message: Option<&str>, class| ErrorRule {
        status,
        code: code.map(str::to_owned),
        message: message.map(str::to_owned),
        class,
    };
    let rules = [
        rule(Some(400), None, Some("Insufficient Balance"), ErrorClass::Billing),
        rule(Some(498), None, None, ErrorClass::Overloaded),
        rule(None, Some("capacity_exceeded"), None, ErrorClass::RateLimit),
    ];
    let told = |status, body: &str| {
        let kind = ProviderKind::OpenAiCompatible;
        classify(kind, &rules, status, &HeaderMap::new(), body.as_bytes(), NOW).failure
    };
    assert_eq!(told(400, r#"{"error":{"message":"insufficient balance on it"}}"#), Failure::Billing);
    assert_eq!(told(400, r#"{"error":{"message":"bad"}}"#), Failure::InvalidRequest);
    assert_eq!(told(498, "<html>"), Failure::Overloaded { retry_after: None });
    let code = r#"{"error":{"message":"m","code":"capacity_exceeded"}}"#;
    assert_eq!(told(500, code), Failure::RateLimited { retry_after: None });
}

#[test]
fn what_is_said_of_one_model_is_told_from_what_is_said_of_the_credential() {
    let quota = |violations: &str| {
        let details = format!(r#"[{{"@type":"QuotaFailure","violations":[{violations}]}}]"#);
        let body = format!(r#"{{"error":{{"code":429,"status":"RESOURCE_EXHAUSTED","details":{details}}}}}"#);
        plain(ProviderKind::Gemini, 429, &body).about_model
    };
    let of_model = r#"{"quotaId":"GeneratePerModel","quotaDimensions":{"model":"gemini-4-pro"}}"#;
    let of_all = r#"{"quotaId":"GeneratePerProject","quotaDimensions":{"location":"global"}}"#;
    assert!(quota(of_model));
    assert!(!quota(of_all));
    assert!(!quota(&format!("{of_model},{of_all}")), "one of them is of all models");
    assert!(!quota(""));

    let openai = |status, code: &str| {
        let body =
            format!(r#"{{"error":{{"message":"no","type":"invalid_request_error","code":"{code}"}}}}"#);
        plain(ProviderKind::OpenAi, status, &body)
    };
    let denied = openai(403, "model_not_found");
    assert_eq!((denied.failure, denied.about_model), (Failure::Permission, true));
    assert!(!openai(403, "unsupported_country_region_territory").about_model);
    assert!(!openai(401, "model_not_found").about_model);
    assert!(!openai(429, "rate_limit_exceeded").about_model, "models may share a limit");
}

#[test]
fn the_recorded_quotas_of_gemini_are_of_one_model() {
    for name in ["gemini/rate-limit.error.json", "gemini/daily-quota.error.json"] {
        let recorded: Value = serde_json::from_slice(&fixtures::read(name)).expect("JSON");
        assert!(plain(ProviderKind::Gemini, 429, &recorded["body"].to_string()).about_model, "{name}");
    }
}

#[test]
fn the_providers_own_word_on_retrying_is_kept() {
    for (value, expected) in [("true", Some(true)), ("false", Some(false)), ("maybe", None)] {
        let mut headers = HeaderMap::new();
        headers.insert("x-should-retry", HeaderValue::from_static(value));
        let error = classify(ProviderKind::OpenAi, &[], 429, &headers, b"", NOW);
        assert_eq!(error.should_retry, expected, "{value}");
    }
    assert_eq!(plain(ProviderKind::OpenAi, 429, "").should_retry, None);
}

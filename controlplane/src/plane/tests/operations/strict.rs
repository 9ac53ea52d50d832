//! What is not understood is refused, and says so.

use super::*;

async fn message(plane: &Plane, what: &str, body: &str) -> String {
    let answer = post(plane, what, body).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body}");
    assert_eq!(answer.json["error"]["type"], "invalid_request");
    answer.json["error"]["message"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_wrong_body_is_told_field_value_and_remedy_and_changes_nothing() {
    let plane = Plane::configured().await;
    let cases = [
        (r#"{"duration": "forever"}"#, r#"duration is "forever"; give a time above zero in quotes"#),
        (r#"{"duration": 600}"#, "duration is 600; give a time above zero in quotes"),
        (r#"{"duration": "0s"}"#, r#"duration is "0s"; give a time above zero and of at most 30 days"#),
        (r#"{"duration": "-5m"}"#, r#"duration is "-5m"; give a time above zero in quotes"#),
        (r#"{"duration": "31d"}"#, "duration is \""),
        (r#"{"durations": "5m"}"#, "there is no field `durations`"),
        (r#"{"credential": "other"}"#, r#"credential is "other"; claude has main, spare"#),
        (r#"{"model": "m"}"#, r#"model is "m"; give the credential as well"#),
        (r#"{"dry_run": 1}"#, "dry_run is 1; give true or false"),
        (r#"{"wait": "both"}"#, r#"wait is "both"; give none, majority or all"#),
        (r#"{"timeout": "1h"}"#, r#"timeout is "1h"; give a time above zero and of at most 30 seconds"#),
        (r#"{"request_id": ""}"#, r#"request_id is ""; give 1 to 200 printable characters"#),
        (r#"{"reason": "a", "reason": "b"}"#, "the field `reason` is there twice"),
        ("[1, 2]", "the body is not a JSON object"),
        ("{\"duration\": ", "the body is not a JSON object"),
        ("\u{fffd}", "the body is not a JSON object"),
    ];
    for (body, expected) in cases {
        let told = message(&plane, "claude/cooldown", body).await;
        assert!(told.contains(expected), "{body}: {told}");
    }
    let told = message(&plane, "claude/recover", r#"{"duration": "5m"}"#).await;
    assert!(told.contains("there is no field `duration`"), "{told}");
    assert_eq!(plane.get(COOLDOWNS).await.json["resting"], json!({}));
    plane.stop().await;
}

#[tokio::test]
async fn an_unknown_provider_is_answered_with_the_known_ones() {
    let plane = Plane::configured().await;
    for what in ["cluade/cooldown", "cluade/recover"] {
        let answer = post(&plane, what, "").await;
        assert_eq!(
            (answer.status, &answer.json["error"]["type"]),
            (StatusCode::NOT_FOUND, &json!("not_found"))
        );
        let message = answer.json["error"]["message"].as_str().unwrap();
        assert_eq!(message, "there is no provider \"cluade\"; the known ones are claude, openai");
    }
    let answer = plane.get("/v0/operations/cooldown/status?provider=cluade").await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    plane.stop().await;
}

#[tokio::test]
async fn json_needs_no_content_type_and_other_types_are_refused() {
    let plane = Plane::configured().await;
    let body = r#"{"duration": "1m"}"#;
    for accepted in [None, Some("application/json"), Some("Application/JSON; charset=utf-8")] {
        let answer = post_as(&plane, "claude/cooldown", body, accepted).await;
        assert_eq!(answer.status, StatusCode::OK, "{accepted:?}");
    }
    for refused in ["application/x-www-form-urlencoded", "text/plain", "application/jsonx", ""] {
        let answer = post_as(&plane, "claude/cooldown", body, Some(refused)).await;
        assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{refused}");
        assert_eq!(answer.json["error"]["type"], "unsupported_media_type");
    }
    let nothing = post_as(&plane, "claude/recover", "", Some("application/x-www-form-urlencoded")).await;
    assert_eq!(nothing.status, StatusCode::OK, "what is empty is of no type");
    plane.stop().await;
}

#[tokio::test]
async fn a_body_that_is_too_large_is_not_read() {
    let plane = Plane::configured().await;
    let body = format!(r#"{{"reason": "{}"}}"#, "x".repeat(64 * 1024));
    let answer = post(&plane, "claude/cooldown", &body).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(answer.json["error"]["type"], "too_large");
    let answer = post(&plane, "claude/cooldown", &format!(r#"{{"reason": "{}"}}"#, "x".repeat(1_001))).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    plane.stop().await;
}

#[tokio::test]
async fn parameters_that_mean_nothing_are_refused_everywhere() {
    let plane = Plane::configured().await;
    for path in [
        "providers/status?provider=claude",
        "cooldown/status?model=m",
        "load_balancing/status?x",
        "explain?model=smart&x=1",
        "requests/r?x=1",
        "audit?since=1",
        "nodes?x=1",
        "alerts?x=1",
        "quotas?x=1",
        "usage?since=1h",
        "prices?x=1",
        "clients?x=1",
        "clients/ci/keys?x=1",
    ] {
        let answer = plane.get(&format!("/v0/operations/{path}")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path}");
        let message = answer.json["error"]["message"].as_str().unwrap();
        assert!(message.starts_with("there is no parameter `"), "{path}: {message}");
    }
    plane.stop().await;
}

#[tokio::test]
async fn a_path_that_is_no_text_is_refused() {
    let plane = Plane::configured().await;
    let answer = post(&plane, "%ff/cooldown", "").await;
    assert_eq!(
        (answer.status, &answer.json["error"]["type"]),
        (StatusCode::BAD_REQUEST, &json!("invalid_request"))
    );
    plane.stop().await;
}

#[tokio::test]
async fn before_there_is_a_configuration_nothing_can_rest() {
    let plane = Plane::start().await;
    let answer = post(&plane, "claude/cooldown", "").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.json["error"]["type"], "not_configured");
    assert_eq!(plane.get(COOLDOWNS).await.json["providers_in_cooldown"], json!([]));
    plane.stop().await;
}

//! The configuration, seen and changed by operators.

use super::*;
use cliproxy_domain::ConfigId;
use cliproxy_proto::v1::operations_client::OperationsClient;

pub(super) const CONFIG: &str = "/v0/operations/config";

/// Sends a text, as YAML.
pub(super) async fn send(plane: &Plane, method: Method, path: &str, text: &str) -> Answer {
    plane.send(method, path, text.to_owned(), Some("application/yaml")).await
}

pub(super) async fn put(plane: &Plane, query: &str, text: &str) -> Answer {
    send(plane, Method::PUT, &format!("{CONFIG}{query}"), text).await
}

pub(super) async fn roll_back(plane: &Plane, body: &str) -> Answer {
    let path = format!("{CONFIG}/rollback");
    plane.send(Method::POST, &path, body.to_owned(), Some("application/json")).await
}

fn message(answer: &Answer) -> &str {
    answer.json["error"]["message"].as_str().unwrap()
}

/// The number of attempts in force.
fn attempts(plane: &Plane) -> u32 {
    plane.state.active().unwrap().snapshot.policy.retries.max_attempts
}

#[tokio::test]
async fn a_text_is_put_in_force_under_a_new_number_and_stands_in_the_file() {
    let plane = Plane::configured().await;
    let answer = put(&plane, "?expected=1&reason=more%20patience", "attempts: 7").await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let expected = json!({
        "source": "cluster",
        "as_of": "2026-02-19T22:50:30Z",
        "config": 2,
        "before": 1,
        "changes": {"added": [], "changed": ["policy"], "removed": []},
        "needs_restart": ["server.listen"],
        "warnings": ["attempts are counted"],
    });
    assert_eq!(answer.json, expected);
    assert_eq!((attempts(&plane), plane.texts.text().as_str()), (7, "attempts: 7"));
    let shown = plane.get(CONFIG).await.json;
    assert_eq!(
        shown,
        json!({
            "source": "cluster",
            "as_of": "2026-02-19T22:50:30Z",
            "config": 2,
            "file": "config.yaml",
            "needs_restart": ["metrics"],
            "text": "attempts: 7",
        })
    );
    plane.stop().await;
}

#[tokio::test]
async fn a_configuration_that_was_overtaken_is_not_replaced() {
    let plane = Plane::configured().await;
    put(&plane, "", "attempts: 7").await;
    let late = put(&plane, "?expected=1", "attempts: 8").await;
    assert_eq!(late.status, StatusCode::CONFLICT);
    assert!(message(&late).contains("configuration 2 is in force, not 1"), "{late:?}");
    assert_eq!(attempts(&plane), 7);
    plane.stop().await;
}

#[tokio::test]
async fn a_wrong_text_changes_nothing_and_is_told_whole() {
    let plane = Plane::configured().await;
    let answer = put(&plane, "", "attempts: many").await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert!(message(&answer).contains("\nbody:1:3: this is no number"), "{answer:?}");
    assert!(message(&answer).contains("the one in force goes on"), "{answer:?}");
    assert_eq!(plane.state.active().unwrap().id, ConfigId(1));
    plane.stop().await;
}

#[tokio::test]
async fn a_file_that_cannot_be_written_leaves_all_as_it_is() {
    let plane = Plane::configured().await;
    plane.texts.make_read_only();
    let answer = put(&plane, "", "attempts: 7").await;
    assert_eq!((answer.status, message(&answer)), (StatusCode::CONFLICT, "config.yaml cannot be written"));
    assert_eq!(plane.state.active().unwrap().id, ConfigId(1));
    plane.stop().await;
}

#[tokio::test]
async fn a_store_that_does_not_answer_is_told_as_such() {
    let plane = Plane::configured().await;
    plane.store.faults().set_unavailable(true);
    let answer = put(&plane, "", "attempts: 7").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.json["error"]["type"], "store_unavailable");
    plane.store.faults().heal();
    assert_eq!(attempts(&plane), snapshot().policy.retries.max_attempts);
    plane.stop().await;
}

#[tokio::test]
async fn a_change_is_carried_out_even_when_its_caller_hangs_up() {
    let plane = Plane::configured().await;
    let gate = plane.texts.hold();
    {
        let asking = put(&plane, "", "attempts: 7");
        tokio::select! {
            answer = asking => panic!("the gate holds it: {answer:?}"),
            () = plane.texts.is_held() => {}
        }
    }
    gate.notify_one();
    eventually(async || attempts(&plane) == 7).await;
    plane.stop().await;
}

#[tokio::test]
async fn a_check_tells_what_would_change_and_changes_nothing() {
    let plane = Plane::configured().await;
    let path = format!("{CONFIG}/check");
    let sound = send(&plane, Method::POST, &path, "attempts: 7").await;
    assert_eq!(sound.status, StatusCode::OK);
    let expected = json!({
        "source": "cluster",
        "as_of": "2026-02-19T22:50:30Z",
        "valid": true,
        "changes": {"added": [], "changed": ["policy"], "removed": []},
        "needs_restart": ["server.listen"],
        "warnings": ["attempts are counted"],
        "errors": [],
    });
    assert_eq!(sound.json, expected);
    let wrong = send(&plane, Method::POST, &path, "attempts: many").await;
    assert_eq!(wrong.status, StatusCode::OK);
    assert_eq!(wrong.json["valid"], false);
    assert_eq!(
        wrong.json["errors"],
        json!([{
            "file": "body",
            "line": 1,
            "column": 3,
            "message": "this is no number of attempts",
            "excerpt": "the line",
        }])
    );
    assert_eq!(plane.state.active().unwrap().id, ConfigId(1));
    plane.stop().await;
}

#[tokio::test]
async fn the_history_lists_the_newest_first_with_who_and_why() {
    let plane = Plane::configured().await;
    put(&plane, "?reason=patience", "attempts: 7").await;
    put(&plane, "", "attempts: 8").await;
    plane.texts.forget(2);
    let history = plane.get(&format!("{CONFIG}/history")).await.json;
    let told: Vec<_> = history["configs"].as_array().unwrap().iter().collect();
    assert_eq!(told.len(), 3, "{history}");
    let at = "2026-02-19T22:50:30Z";
    let newest =
        json!({"config": 3, "author": "loopback", "reason": "", "at": at, "in_force": true, "kept": true});
    assert_eq!(*told[0], newest);
    let forgotten = json!({"config": 2, "author": "loopback", "reason": "patience", "at": at, "in_force": false, "kept": false});
    assert_eq!(*told[1], forgotten);
    assert_eq!((&told[2]["author"], &told[2]["reason"]), (&json!("file"), &json!("start")));
    let one = plane.get(&format!("{CONFIG}/history?limit=1")).await.json;
    assert_eq!(one["configs"].as_array().unwrap().len(), 1);
    plane.stop().await;
}

#[tokio::test]
async fn a_rollback_puts_an_earlier_text_in_force_as_a_new_configuration() {
    let plane = Plane::configured().await;
    put(&plane, "", "attempts: 7").await;
    put(&plane, "", "attempts: 8").await;
    let answer = roll_back(&plane, r#"{"config": 2, "reason": "8 was too many"}"#).await;
    assert_eq!((answer.status, &answer.json["config"]), (StatusCode::OK, &json!(4)), "{answer:?}");
    assert_eq!((attempts(&plane), plane.texts.text().as_str()), (7, "attempts: 7"));
    let history = plane.get(&format!("{CONFIG}/history?limit=1")).await.json;
    assert_eq!(history["configs"][0]["reason"], "rollback to configuration 2: 8 was too many");
    plane.stop().await;
}

#[tokio::test]
async fn what_is_not_kept_cannot_be_rolled_back_to_and_the_answer_says_what_can() {
    let plane = Plane::configured().await;
    put(&plane, "", "attempts: 7").await;
    put(&plane, "", "attempts: 8").await;
    plane.texts.forget(2);
    let forgotten = roll_back(&plane, r#"{"config": 2}"#).await;
    assert_eq!(forgotten.status, StatusCode::CONFLICT);
    assert_eq!(message(&forgotten), "the text of configuration 2 is no longer kept; kept are 3");
    let unknown = roll_back(&plane, r#"{"config": 99}"#).await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    assert_eq!(message(&unknown), "there is no configuration 99; kept are 3");
    plane.stop().await;
}

#[tokio::test]
async fn every_change_is_in_the_audit_log_with_who_why_and_what() {
    let plane = Plane::configured().await;
    put(&plane, "?reason=patience", "attempts: 7").await;
    // The same again changes nothing.
    put(&plane, "?reason=again", "attempts: 7").await;
    plane.clock.advance(Duration::from_secs(1));
    // As the file's watcher does.
    plane.handle.apply(snapshot_with_attempts(8), "file", "reload").await.unwrap();
    let log = plane.get("/v0/operations/audit?action=config_applied").await.json;
    let entries = log["entries"].as_array().unwrap();
    let told: Vec<_> = entries
        .iter()
        .map(|entry| ["actor", "from", "reason", "subject"].map(|field| entry[field].as_str().unwrap()))
        .collect();
    assert_eq!(
        told,
        [["file", "", "reload", "configuration 3"], ["loopback", "127.0.0.1", "patience", "configuration 2"]]
    );
    assert_eq!(entries[1]["before"], r#"{"config":1}"#);
    assert_eq!(entries[1]["after"], r#"{"config":2,"added":[],"changed":["policy"],"removed":[]}"#);
    plane.stop().await;
}

#[tokio::test]
async fn a_start_on_a_configuration_that_changed_meanwhile_tells_what_changed() {
    let before = Plane::configured().await;
    let store = before.store.clone();
    before.stop().await;
    let plane = Plane::start_on(store).await;
    plane.handle.apply(snapshot_with_attempts(9), "file", "start").await.unwrap();
    let log = plane.get("/v0/operations/audit?action=config_applied&limit=1").await.json;
    assert_eq!(log["entries"][0]["before"], r#"{"config":1}"#);
    assert_eq!(log["entries"][0]["after"], r#"{"config":2,"added":[],"changed":["policy"],"removed":[]}"#);
    plane.stop().await;
}

#[tokio::test]
async fn what_means_nothing_is_refused_by_name() {
    let plane = Plane::configured().await;
    for (query, part) in [
        ("?expected=one", "expected is \"one\""),
        ("?expected=1&expected=2", "expected is \"2\" after it was given before"),
        ("?force=true", "no parameter `force`; known are expected, reason"),
    ] {
        let answer = put(&plane, query, "attempts: 7").await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{query}");
        assert!(message(&answer).contains(part), "{query}: {answer:?}");
    }
    let long = put(&plane, &format!("?reason={}", "x".repeat(1_001)), "attempts: 7").await;
    assert!(message(&long).contains("reason is 1001 bytes long"), "{long:?}");
    for (body, part) in [
        ("", "is not a JSON object"),
        ("[]", "is not a JSON object"),
        ("{}", "config is missing"),
        (r#"{"config": "2"}"#, "config is \"2\""),
        (r#"{"config": -2}"#, "config is -2"),
        (r#"{"config": 1, "reason": 5}"#, "reason is 5"),
        (r#"{"config": 1, "now": true}"#, "no field \"now\""),
    ] {
        let answer = roll_back(&plane, body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body}");
        assert!(message(&answer).contains(part), "{body}: {answer:?}");
    }
    for limit in ["0", "1001", "all"] {
        let answer = plane.get(&format!("{CONFIG}/history?limit={limit}")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{limit}");
        assert!(message(&answer).contains("limit is"), "{answer:?}");
    }
    assert_eq!(plane.state.active().unwrap().id, ConfigId(1));
    plane.stop().await;
}

#[tokio::test]
async fn a_body_is_a_text_of_yaml() {
    let plane = Plane::configured().await;
    for content_type in [None, Some("text/yaml"), Some("application/x-yaml; charset=utf-8")] {
        let answer = plane.send(Method::PUT, CONFIG, "attempts: 7", content_type).await;
        assert_eq!(answer.status, StatusCode::OK, "{content_type:?}");
    }
    let form = Some("application/x-www-form-urlencoded");
    let answer = plane.send(Method::PUT, CONFIG, "attempts: 8", form).await;
    assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert!(message(&answer).contains("send application/yaml"), "{answer:?}");
    let answer = plane.send(Method::PUT, CONFIG, &b"attempts: \xff"[..], None).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert!(message(&answer).contains("byte 10 is wrong"), "{answer:?}");
    let answer = plane.send(Method::PUT, CONFIG, " ".repeat(1024 * 1024 + 1), None).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    // A forgotten body is not a configuration without keys.
    let answer = plane.send(Method::PUT, CONFIG, "\n", None).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert!(message(&answer).contains("there is no text"), "{answer:?}");
    assert_eq!(attempts(&plane), 7);
    plane.stop().await;
}

#[tokio::test]
async fn a_node_hands_on_a_change_with_the_name_of_who_asked_there() {
    let plane = Plane::configured().await;
    let mut relay = v1::relay_client::RelayClient::new(plane.as_node().await);
    let answer = relay
        .ask(v1::AskRequest {
            method: "PUT".into(),
            path: format!("{CONFIG}?reason=from%20afar"),
            body: b"attempts: 7".to_vec(),
            actor: "ops".into(),
            from: "192.0.2.7".into(),
            content_type: "application/yaml".into(),
        })
        .await
        .unwrap()
        .into_inner();
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    let log = plane.get("/v0/operations/audit?action=config_applied&limit=1").await.json;
    assert_eq!(
        (&log["entries"][0]["actor"], &log["entries"][0]["from"]),
        (&json!("ops"), &json!("192.0.2.7"))
    );
    plane.stop().await;
}

#[tokio::test]
async fn a_change_over_grpc_is_the_callers_too() {
    let plane = Plane::configured().await;
    let mut grpc = OperationsClient::new(plane.as_operator().await);
    let apply =
        |text: &str, expected| v1::ApplyConfigRequest { text: text.into(), expected, reason: "so".into() };
    let applied = grpc.apply_config(apply("attempts: 7", Some(1))).await.unwrap().into_inner();
    assert_eq!((applied.config, applied.before, attempts(&plane)), (2, 1, 7));
    let log = plane.get("/v0/operations/audit?action=config_applied&limit=1").await.json;
    assert_eq!(
        (&log["entries"][0]["actor"], &log["entries"][0]["reason"]),
        (&json!("loopback"), &json!("so"))
    );
    let late = grpc.apply_config(apply("attempts: 8", Some(1))).await.unwrap_err();
    assert_eq!(late.code(), Code::FailedPrecondition);
    plane.stop().await;
}

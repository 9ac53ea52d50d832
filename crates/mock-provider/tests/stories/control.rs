//! Changing behaviour while the mock runs, and answers given as bytes.

use crate::client::{PATIENCE, chat, finish, generating, mock, open, open_with, post, read_until, request};
use cliproxy_mock_provider::{Behaviour, Ending, ErrorKind, Fixture, Hint, Key, Rule, Script};
use std::io::ErrorKind::ConnectionReset;

#[tokio::test]
async fn behaviour_changes_while_the_mock_runs() {
    let mock = mock(Behaviour::error(ErrorKind::Overloaded));
    assert_eq!(chat(&mock, false).await.status, 503);
    let put = request(&mock, "PUT", "/__mock/behaviour", r#"{"rules":[]}"#).await;
    assert_eq!(put.status, 204);
    assert_eq!(chat(&mock, false).await.status, 200);
    let script = request(&mock, "GET", "/__mock/behaviour", "").await.json();
    assert_eq!(serde_json::from_value::<Script>(script).unwrap(), Script::default());
    assert_eq!(request(&mock, "DELETE", "/__mock/behaviour", "").await.status, 204);
    assert_eq!(chat(&mock, false).await.status, 503, "back to the script of the start");
}

#[tokio::test]
async fn rules_can_change_while_keys_and_models_stay() {
    let keys = Some(vec![Key { name: "only".into(), key: "sk-test-key".into() }]);
    let mock = mock(Script { keys, models: Some(vec!["gpt-x".into()]), ..Script::default() });
    let rules = r#"[{"do":{"error":{"kind":"overloaded"}}}]"#;
    assert_eq!(request(&mock, "PUT", "/__mock/behaviour/rules", rules).await.status, 204);
    assert_eq!(chat(&mock, false).await.status, 503);
    mock.set_rules(Vec::new()).unwrap();
    assert_eq!(chat(&mock, false).await.status, 200);
    assert_eq!(mock.log().of_key("only").requests, 2);
    let [_, _, (_, path, body), _] = generating(false);
    assert_eq!(post(&mock, &path, &body).await.status, 404, "the models stayed");
}

#[tokio::test]
async fn health_is_switched_apart_from_the_rules_and_its_probes_are_counted_apart() {
    let keys = Some(vec![Key { name: "only".into(), key: "sk-test-key".into() }]);
    let mock = mock(Script { keys, ..Script::default() });
    let models = || request(&mock, "GET", "/v1/models", "");
    assert_eq!(models().await.status, 200);
    let down = r#"{"error":{"kind":"unavailable"}}"#;
    assert_eq!(request(&mock, "PUT", "/__mock/behaviour/health", down).await.status, 204);
    assert_eq!(models().await.status, 503);
    mock.set_rules(Vec::new()).unwrap();
    assert_eq!(models().await.status, 503, "rules leave health alone");
    assert_eq!(chat(&mock, false).await.status, 200, "only models are asked in vain");
    assert_eq!(request(&mock, "PUT", "/__mock/behaviour/health", r#""answer""#).await.status, 204);
    assert_eq!(models().await.status, 200);
    let refused = request(&mock, "PUT", "/__mock/behaviour/health", r#"{"html":{"status":1}}"#).await;
    assert_eq!(refused.status, 400);
    let log = mock.log();
    assert_eq!((log.probes.requests, log.probes.errors), (4, 2));
    assert_eq!((log.totals.requests, log.totals.errors), (5, 2));
}

#[tokio::test]
async fn a_rule_for_one_key_leaves_the_others_alone() {
    let key = |name: &str, key: &str| Key { name: name.into(), key: key.into() };
    let hint = Hint { retry_after_s: Some(20), ..Hint::default() };
    let rules = vec![Rule::new(Behaviour::rate_limit(hint)).for_key("first")];
    let keys = Some(vec![key("first", "sk-test-key"), key("second", "sk-other")]);
    let mock = mock(Script { keys, rules, ..Script::default() });
    let limited = chat(&mock, false).await;
    assert_eq!((limited.status, limited.header("retry-after")), (429, Some("20")));
    let [(_, path, body), ..] = generating(false);
    let other = finish(&mut open_with(&mock, "sk-other", "POST", &path, &body).await).await;
    assert_eq!(other.status, 200);
}

#[tokio::test]
async fn a_script_that_is_refused_changes_nothing() {
    let mock = mock(Behaviour::error(ErrorKind::Overloaded));
    for script in [r#"{"ruls":[]}"#, "{", r#"{"rules":[{"probability":7}]}"#] {
        let put = request(&mock, "PUT", "/__mock/behaviour", script).await;
        assert_eq!(put.status, 400, "{script}");
        assert!(put.json()["error"].is_string());
    }
    assert_eq!(chat(&mock, false).await.status, 503);
}

#[tokio::test]
async fn control_requests_are_neither_logged_nor_refused() {
    let mock = mock(Script { keys: Some(Vec::new()), ..Script::default() });
    assert_eq!(request(&mock, "GET", "/__mock/health", "").await.json()["status"], "ok");
    assert_eq!(request(&mock, "GET", "/__mock/nothing", "").await.status, 404);
    assert_eq!(request(&mock, "PUT", "/__mock/log", "").await.status, 405);
    assert_eq!(mock.totals().requests, 0);
}

#[tokio::test]
async fn a_fixture_is_answered_byte_for_byte() {
    let body = "event: x\r\ndata: {\"a\" : 1.50}\r\n\r\n: comment\n\ndata: æ\u{2028}\n\n";
    for size in [1, 5, 1_000] {
        let mock = mock(Behaviour::Fixture(Fixture::stream(body, size)));
        let received = chat(&mock, true).await;
        assert_eq!((received.text(), received.complete), (body, true));
        assert_eq!(received.header("content-type"), Some("text/event-stream"));
    }
    let mock = mock(Behaviour::Fixture(Fixture::new(418, "text/plain", "short and stout")));
    let received = chat(&mock, false).await;
    assert_eq!((received.status, received.text()), (418, "short and stout"));
    assert_eq!(received.header("content-length"), Some("15"));
}

#[tokio::test]
async fn a_fixture_can_end_badly() {
    let fixture =
        |ending| Behaviour::Fixture(Fixture { ending, ..Fixture::stream("data: 1\n\ndata: 2\n\n", 9) });
    let mock = mock(fixture(Ending::Reset));
    let received = chat(&mock, true).await;
    assert_eq!((received.events().len(), received.error), (2, Some(ConnectionReset)));
    mock.set(fixture(Ending::Close)).unwrap();
    let received = chat(&mock, true).await;
    assert_eq!((received.events().len(), received.error, received.complete), (2, None, false));
    mock.set(fixture(Ending::Hang)).unwrap();
    let [(_, path, body), ..] = generating(true);
    let mut connection = open(&mock, "POST", &path, &body).await;
    read_until(&mut connection, "data: 2\n\n").await;
    mock.wait_for(PATIENCE, |totals| totals.in_flight == 1).await.unwrap();
}

#[tokio::test]
async fn rules_choose_by_model_key_and_streaming() {
    let failing = || Rule::new(Behaviour::error(ErrorKind::ServerError));
    let mock = mock(vec![failing().for_model("claude-*"), failing().streamed(true).for_key("-key")]);
    let mut seen = Vec::new();
    for stream in [false, true] {
        for (api, path, body) in generating(stream) {
            seen.push((api, stream, post(&mock, &path, &body).await.status));
        }
    }
    for (api, stream, status) in seen {
        let fails = stream || api == "messages";
        assert_eq!(status, if fails { 500 } else { 200 }, "{api}, stream: {stream}");
    }
}

//! Scripted failures, as a client meets them.

use crate::client::{PATIENCE, Received, chat, finish, generating, mock, now, open, post, read_until};
use cliproxy_mock_provider::{Behaviour, ErrorKind, Hint, Key, Outcome, Point, Rule, Script};
use std::io::ErrorKind::ConnectionReset;

#[tokio::test]
async fn an_error_has_its_familys_shape_and_hint() {
    let hint = Hint { retry_after_s: Some(3), retry_after_ms: Some(2_500), ..Hint::default() };
    let mock = mock(Behaviour::rate_limit(hint));
    for (api, path, body) in generating(true) {
        let received = post(&mock, &path, &body).await;
        assert_eq!(received.status, 429, "{api}");
        assert_eq!(received.header("retry-after"), Some("3"), "{api}");
        assert_eq!(received.header("retry-after-ms"), Some("2500"), "{api}");
        let error = &received.json()["error"];
        let kind = if api == "gemini" { &error["status"] } else { &error["type"] };
        let expected = match api {
            "messages" => "rate_limit_error",
            "gemini" => "RESOURCE_EXHAUSTED",
            _ => "requests",
        };
        assert_eq!(kind, expected, "{api}");
    }
}

#[tokio::test]
async fn a_rule_with_times_lets_later_requests_through() {
    let mock = mock(Rule::new(Behaviour::error(ErrorKind::ServerError)).times(2));
    let mut seen = Vec::new();
    for _ in 0..3 {
        seen.push(chat(&mock, false).await.status);
    }
    assert_eq!(seen, [500, 500, 200]);
}

#[tokio::test]
async fn pages_of_load_balancers_and_empty_answers_can_be_had() {
    let mock = mock(Behaviour::Html { status: 502 });
    let page = chat(&mock, false).await;
    assert_eq!((page.status, page.header("content-type")), (502, Some("text/html")));
    assert!(page.text().starts_with("<html>"));
    mock.set(Behaviour::Empty { status: 200 }).unwrap();
    let empty = chat(&mock, true).await;
    assert_eq!((empty.status, empty.body.len(), empty.complete), (200, 0, true));
}

#[tokio::test]
async fn a_reset_before_the_headers_sends_nothing() {
    for stream in [true, false] {
        let mock = mock(Behaviour::Reset { at: Point::BeforeHeaders });
        let received = chat(&mock, stream).await;
        assert_eq!((received.status, received.error), (0, Some(ConnectionReset)), "{received:?}");
        assert_eq!(mock.log().entries[0].outcome, Outcome::Reset);
    }
}

#[tokio::test]
async fn a_reset_after_the_headers_sends_no_event() {
    for stream in [true, false] {
        let mock = mock(Behaviour::Reset { at: Point::AfterEvents(0) });
        let received = chat(&mock, stream).await;
        assert_eq!((received.status, received.error), (200, Some(ConnectionReset)), "{received:?}");
        assert_eq!((received.body.len(), received.complete), (0, false));
    }
}

#[tokio::test]
async fn a_reset_after_some_events_sends_just_those() {
    let mock = mock(Behaviour::Reset { at: Point::AfterEvents(3) });
    for (api, path, body) in generating(true) {
        let received = post(&mock, &path, &body).await;
        assert_eq!(received.error, Some(ConnectionReset), "{api}: {received:?}");
        assert_eq!(received.events().len(), 3, "{api}");
    }
    for (api, path, body) in generating(false) {
        let received = post(&mock, &path, &body).await;
        assert_eq!(received.error, Some(ConnectionReset), "{api}: {received:?}");
        let length: usize = received.header("content-length").unwrap().parse().unwrap();
        assert_eq!(received.body.len(), length / 2, "{api}");
    }
}

#[tokio::test]
async fn a_close_ends_the_connection_in_order_but_not_the_body() {
    let mock = mock(Behaviour::Close { at: Point::AfterEvents(2) });
    let received = chat(&mock, true).await;
    assert_eq!((received.error, received.complete), (None, false), "{received:?}");
    assert_eq!(received.events().len(), 2);
    assert_eq!(mock.log().entries[0].outcome, Outcome::Closed);
}

#[tokio::test]
async fn a_truncated_stream_ends_well_for_http_alone() {
    let mock = mock(Behaviour::Truncate { after_events: 2 });
    let received: Received = chat(&mock, true).await;
    assert_eq!((received.error, received.complete), (None, true), "{received:?}");
    assert_eq!(received.events().len(), 2);
    let whole = chat(&mock, false).await;
    assert!(whole.complete && serde_json::from_slice::<serde_json::Value>(&whole.body).is_err());
}

#[tokio::test]
async fn a_fault_strikes_before_the_last_event_at_the_latest() {
    let mock = mock(Behaviour::Truncate { after_events: 1_000_000 });
    let received = chat(&mock, true).await;
    assert!(received.text().contains("\"finish_reason\":\"stop\""));
    assert!(!received.text().contains("[DONE]"));
}

#[tokio::test]
async fn malformed_json_comes_whole_and_as_an_event() {
    let mock = mock(Behaviour::Malformed { after_events: 2 });
    for (api, path, body) in generating(true) {
        let received = post(&mock, &path, &body).await;
        let events = received.events();
        assert_eq!(events.len(), 3, "{api}");
        for (number, (_, data)) in events.iter().enumerate() {
            let parses = serde_json::from_str::<serde_json::Value>(data).is_ok();
            assert_eq!(parses, number < 2, "{api}: event {number} is {data}");
        }
    }
    for (api, path, body) in generating(false) {
        let received = post(&mock, &path, &body).await;
        assert_eq!((received.status, received.complete), (200, true), "{api}");
        assert!(serde_json::from_slice::<serde_json::Value>(&received.body).is_err(), "{api}");
    }
}

#[tokio::test]
async fn an_error_in_the_stream_is_told_in_the_familys_way() {
    let mock = mock(Behaviour::StreamError { after_events: 2, kind: ErrorKind::Overloaded });
    for (api, path, body) in generating(true) {
        let received = post(&mock, &path, &body).await;
        assert_eq!((received.status, received.complete), (200, true), "{api}");
        let events = received.events();
        let (name, data) = &events[2];
        match api {
            "chat" => {
                assert!(data.starts_with("{\"error\":"), "{data}");
                assert_eq!(events[3].1, "[DONE]");
            }
            "responses" => assert_eq!(name.as_deref(), Some("response.failed")),
            "messages" => assert_eq!(name.as_deref(), Some("error")),
            _ => assert!(data.starts_with("{\"error\":{\"code\":503,"), "{data}"),
        }
    }
    let [(_, path, body), ..] = generating(false);
    assert_eq!(post(&mock, &path, &body).await.status, 503);
    mock.set(Behaviour::StreamError { after_events: 0, kind: ErrorKind::RateLimit }).unwrap();
    let [_, (_, path, body), ..] = generating(true);
    let events = post(&mock, &path, &body).await.events();
    assert_eq!(events[0].0.as_deref(), Some("error"), "Responses has a second form");
}

#[tokio::test]
async fn a_hanging_answer_says_nothing_more_and_notices_the_client_leave() {
    for (stream, at, mark) in [
        (true, Point::AfterEvents(2), "\"content\":\"mock \""),
        (true, Point::AfterEvents(0), "\r\n\r\n"),
        (true, Point::BeforeHeaders, ""),
        (false, Point::BeforeHeaders, ""),
        (false, Point::AfterEvents(1), "\"id\":"),
    ] {
        let mock = mock(Behaviour::Hang { at });
        let [(_, path, body), ..] = generating(stream);
        let mut connection = open(&mock, "POST", &path, &body).await;
        if !mark.is_empty() {
            read_until(&mut connection, mark).await;
        }
        let waiting = mock.wait_for(PATIENCE, |totals| totals.in_flight == 1).await.unwrap();
        assert_eq!(waiting.cancelled, 0, "{at:?}");
        drop(connection);
        let after = mock.wait_for(PATIENCE, |totals| totals.cancelled == 1).await.unwrap();
        assert_eq!((after.in_flight, after.completed), (0, 0), "{at:?}");
    }
}

#[tokio::test]
async fn a_key_that_is_not_known_gets_its_familys_refusal() {
    let keys = Some(vec![Key { name: "good".into(), key: "sk-other-key".into() }]);
    let mock = mock(Script { keys, ..Script::default() });
    for (api, path, body) in generating(false) {
        let expected = if api == "gemini" { 400 } else { 401 };
        assert_eq!(post(&mock, &path, &body).await.status, expected, "{api}");
    }
    let keys = Some(vec![Key { name: "good".into(), key: "sk-test-key".into() }]);
    mock.set(Script { keys, ..Script::default() }).unwrap();
    assert_eq!(chat(&mock, false).await.status, 200);
    assert_eq!(mock.log().of_key("good").completed, 1);
}

#[tokio::test]
async fn requests_that_an_api_would_refuse_are_refused() {
    let mock = mock(Script { models: Some(vec!["gpt-x".into()]), ..Script::default() });
    for (path, body, expected) in [
        ("/v1/chat/completions", "{", 400),
        ("/v1/chat/completions", r#"{"model":"gpt-x"}"#, 400),
        ("/v1/chat/completions", r#"{"messages":[]}"#, 400),
        ("/v1/chat/completions", r#"{"model":"gpt-y","messages":[]}"#, 404),
        ("/v1/messages", r#"{"model":"gpt-x","messages":[]}"#, 400),
        ("/v1/completions", "{}", 404),
        ("/v1beta/models/gpt-x:generateContent", "[]", 400),
    ] {
        let received = post(&mock, path, body).await;
        assert_eq!(received.status, expected, "{path} {body}: {}", received.text());
        assert!(received.json()["error"]["message"].is_string());
    }
    assert_eq!(chat(&mock, false).await.status, 200);
}

#[tokio::test]
async fn a_body_can_be_read_slowly_or_never() {
    let mock = mock(Script { read_bytes_per_second: Some(2_000), ..Script::default() });
    let begun = now();
    let [(_, path, body), ..] = generating(false);
    assert_eq!(post(&mock, &path, &body).await.status, 200);
    assert!(begun.elapsed().as_micros() as usize >= body.len() * 500, "{:?}", begun.elapsed());
    mock.set(Script { read_bytes_per_second: Some(0), ..Script::default() }).unwrap();
    let connection = open(&mock, "POST", &path, &body).await;
    drop(connection);
    mock.wait_for(PATIENCE, |totals| totals.cancelled == 1).await.unwrap();
}

#[tokio::test]
async fn stopping_ends_every_connection() {
    let mock = mock(Behaviour::Hang { at: Point::BeforeHeaders });
    let [(_, path, body), ..] = generating(true);
    let mut connection = open(&mock, "POST", &path, &body).await;
    mock.wait_for(PATIENCE, |totals| totals.in_flight == 1).await.unwrap();
    let addr = mock.addr();
    mock.stop().await;
    assert_eq!(finish(&mut connection).await.status, 0);
    assert!(tokio::net::TcpStream::connect(addr).await.is_err());
}

use super::*;
use crate::{
    fixtures,
    framing::{ArrayPosition, Framing, StartedResponse, StreamState},
};
use serde_json::{Value, json};

const ALL: [Dialect; 4] =
    [Dialect::OpenAiChat, Dialect::OpenAiResponses, Dialect::Anthropic, Dialect::Gemini];

fn reply(class: ErrorClass) -> ErrorReply<'static> {
    ErrorReply {
        class,
        status: None,
        code: None,
        message: "it \"broke\"",
        request_id: "req_1",
        retry_after: None,
        param: None,
    }
}

fn body(encoded: &EncodedError) -> Value {
    serde_json::from_slice(&encoded.body).expect("JSON")
}

fn header<'a>(encoded: &'a EncodedError, name: &str) -> Option<&'a str> {
    encoded.headers.iter().find(|(own, _)| *own == name).map(|(_, value)| value.as_str())
}

fn class(name: &str) -> ErrorClass {
    match name {
        "invalid_request" => ErrorClass::InvalidRequest,
        "context_length" => ErrorClass::ContextLength,
        "auth" => ErrorClass::Auth,
        "billing" => ErrorClass::Billing,
        "permission" => ErrorClass::Permission,
        "not_found" => ErrorClass::NotFound,
        "too_large" => ErrorClass::TooLarge,
        "rate_limit" => ErrorClass::RateLimit,
        "spend_or_daily_limit" => ErrorClass::SpendOrDailyLimit,
        "upstream_error" => ErrorClass::Upstream,
        "overloaded" => ErrorClass::Overloaded,
        "timeout" => ErrorClass::Timeout,
        _ => panic!("{name} is a new class"),
    }
}

#[test]
fn every_class_is_told_as_the_golden_table_says() {
    let golden: Value = serde_json::from_slice(&fixtures::read("golden/errors.json")).expect("JSON");
    let rows = golden["rows"].as_array().expect("rows");
    assert_eq!(rows.len(), 12);
    for row in rows {
        let name = row["class"].as_str().expect("a name");
        let reply = ErrorReply { retry_after: Some(Duration::from_secs(3)), ..reply(class(name)) };
        for dialect in ALL {
            let encoded = encode(dialect, &reply);
            let body = body(&encoded);
            let own_status = match dialect {
                Dialect::OpenAiChat | Dialect::OpenAiResponses => row.get("openai_status"),
                Dialect::Anthropic => row.get("anthropic_status"),
                Dialect::Gemini => None,
            };
            assert_eq!(json!(encoded.status), *own_status.unwrap_or(&row["status"]), "{name} {dialect:?}");
            let mut expected = match dialect {
                Dialect::OpenAiChat | Dialect::OpenAiResponses => json!({"error": {
                    "message": reply.message,
                    "type": row["openai_type"],
                    "param": null,
                    "code": row.get("openai_code"),
                }}),
                Dialect::Anthropic => json!({
                    "type": "error",
                    "error": {"type": row["anthropic_type"], "message": reply.message},
                    "request_id": "req_1",
                }),
                Dialect::Gemini => json!({"error": {
                    "code": encoded.status,
                    "message": reply.message,
                    "status": row["gemini_status"],
                }}),
            };
            let retryable = row["retryable"] == true;
            // When a limit that is spent begins anew is told as well, though no client is to try again by itself.
            let waits = retryable || class(name) == ErrorClass::SpendOrDailyLimit;
            if waits && dialect == Dialect::Gemini {
                expected["error"]["details"] = json!([{
                    "@type": "type.googleapis.com/google.rpc.RetryInfo",
                    "retryDelay": "3.000s",
                }]);
            }
            assert_eq!(body, expected, "{name}");
            assert_eq!(header(&encoded, "x-should-retry"), row["x_should_retry"].as_str(), "{name}");
            assert_eq!(header(&encoded, "retry-after"), waits.then_some("3"), "{name}");
            assert_eq!(header(&encoded, "retry-after-ms"), waits.then_some("3000"), "{name}");
        }
    }
}

#[test]
fn the_wait_is_rounded_up_to_whole_seconds() {
    for (wait, seconds, millis) in
        [(0, "1", "1"), (200, "1", "200"), (1000, "1", "1000"), (1001, "2", "1001"), (59_999, "60", "59999")]
    {
        let reply =
            ErrorReply { retry_after: Some(Duration::from_millis(wait)), ..reply(ErrorClass::RateLimit) };
        let encoded = encode(Dialect::Anthropic, &reply);
        assert_eq!(header(&encoded, "retry-after"), Some(seconds), "{wait}");
        assert_eq!(header(&encoded, "retry-after-ms"), Some(millis), "{wait}");
    }
}

#[test]
fn a_rate_limit_without_a_wait_names_a_second_and_a_timeout_none() {
    assert_eq!(header(&encode(Dialect::OpenAiChat, &reply(ErrorClass::RateLimit)), "retry-after"), Some("1"));
    assert_eq!(
        header(&encode(Dialect::OpenAiChat, &reply(ErrorClass::Overloaded)), "retry-after"),
        Some("1")
    );
    assert_eq!(header(&encode(Dialect::OpenAiChat, &reply(ErrorClass::Timeout)), "retry-after"), None);
}

#[test]
fn the_longest_wait_is_written_without_overflow() {
    let reply = ErrorReply { retry_after: Some(Duration::MAX), ..reply(ErrorClass::Overloaded) };
    for dialect in ALL {
        assert!(header(&encode(dialect, &reply), "retry-after").is_some());
    }
}

#[test]
fn the_request_id_is_in_the_dialects_place() {
    for dialect in ALL {
        let encoded = encode(dialect, &reply(ErrorClass::Upstream));
        let anthropic = (dialect == Dialect::Anthropic).then_some("req_1");
        assert_eq!(header(&encoded, "x-request-id"), Some("req_1"));
        assert_eq!(header(&encoded, "request-id"), anthropic);
        assert_eq!(body(&encoded)["request_id"].as_str(), anthropic);
    }
}

#[test]
fn status_code_and_param_may_be_named_by_the_caller() {
    let reply = ErrorReply {
        status: Some(405),
        code: Some("method_not_allowed"),
        param: Some("model"),
        ..reply(ErrorClass::InvalidRequest)
    };
    let openai = encode(Dialect::OpenAiResponses, &reply);
    assert_eq!(openai.status, 405);
    assert_eq!(body(&openai)["error"]["code"], "method_not_allowed");
    assert_eq!(body(&openai)["error"]["param"], "model");
    assert_eq!(body(&encode(Dialect::Gemini, &reply))["error"]["code"], 405);
    assert_eq!(encode(Dialect::Anthropic, &reply).status, 405);
}

fn in_stream(dialect: Dialect, state: &StreamState) -> String {
    let bytes = encode_in_stream(dialect, Framing::Sse, &reply(ErrorClass::Overloaded), state);
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

#[test]
fn a_chat_stream_ends_with_an_error_chunk_and_no_done_mark() {
    assert_eq!(
        in_stream(Dialect::OpenAiChat, &StreamState::default()),
        "data: {\"error\":{\"message\":\"it \\\"broke\\\"\",\"type\":\"service_unavailable_error\",\"param\":null,\"code\":\"server_is_overloaded\"}}\n\n"
    );
}

#[test]
fn an_anthropic_stream_ends_with_an_error_event() {
    assert_eq!(
        in_stream(Dialect::Anthropic, &StreamState::default()),
        "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"it \\\"broke\\\"\"},\"request_id\":\"req_1\"}\n\n"
    );
}

/// The official client knows an error only by its first key and an integer code.
#[test]
fn a_gemini_stream_ends_with_an_error_chunk() {
    let text = in_stream(Dialect::Gemini, &StreamState::default());
    assert!(text.starts_with("data: {\"error\":{\"code\":503,\"message\":"), "{text}");
    assert!(text.ends_with("}\r\n\r\n"), "{text}");
}

#[test]
fn a_responses_stream_ends_with_its_failed_response() {
    let started = StartedResponse {
        id: "resp_1".to_owned(),
        model: "m".to_owned(),
        created_at: 17,
        next_sequence: 5,
        output: r#"{"type":"message","id":"msg_1"},{"type":"reasoning"}"#.to_owned(),
    };
    let state = StreamState { response: Some(started), ..StreamState::default() };
    let text = in_stream(Dialect::OpenAiResponses, &state);
    let data = text.strip_prefix("event: response.failed\ndata: ").expect("the event");
    let event: Value = serde_json::from_str(data).expect("JSON");
    assert_eq!(event["type"], "response.failed");
    assert_eq!(event["sequence_number"], 5);
    let response = &event["response"];
    assert_eq!(response["id"], "resp_1");
    assert_eq!(response["status"], "failed");
    assert_eq!(response["error"], json!({"code": "server_error", "message": "it \"broke\""}));
    let finished = json!([{"type": "message", "id": "msg_1"}, {"type": "reasoning"}]);
    assert_eq!((&response["output"], &response["tools"]), (&finished, &json!([])));
}

#[test]
fn a_responses_stream_that_announced_nothing_gets_an_error_event() {
    assert_eq!(
        in_stream(Dialect::OpenAiResponses, &StreamState::default()),
        "event: error\ndata: {\"type\":\"error\",\"sequence_number\":0,\"code\":\"server_error\",\"message\":\"it \\\"broke\\\"\",\"param\":null}\n\n"
    );
}

#[test]
fn a_broken_event_is_ended_before_the_error() {
    let state = StreamState { boundary: false, ..StreamState::default() };
    assert!(in_stream(Dialect::OpenAiChat, &state).starts_with("\n\ndata: {"));
    assert!(in_stream(Dialect::Gemini, &state).starts_with("\r\n\r\ndata: {"));
}

#[test]
fn a_broken_array_is_closed_wherever_it_can_be() {
    for (position, before) in [
        (ArrayPosition::Unopened, ""),
        (ArrayPosition::Opened, "["),
        (ArrayPosition::AfterElement, "[{\"a\":1}"),
        (ArrayPosition::AfterComma, "[{\"a\":1},"),
    ] {
        let state = StreamState { array: position, ..StreamState::default() };
        let bytes =
            encode_in_stream(Dialect::Gemini, Framing::JsonArray, &reply(ErrorClass::Timeout), &state);
        let whole = [before.as_bytes(), &bytes].concat();
        let elements: Vec<Value> = serde_json::from_slice(&whole).expect("a whole array");
        assert_eq!(elements.last().expect("one")["error"]["status"], "DEADLINE_EXCEEDED", "{position:?}");
    }
    for position in [ArrayPosition::InElement, ArrayPosition::Closed] {
        let state = StreamState { array: position, boundary: false, response: None };
        assert!(
            encode_in_stream(Dialect::Gemini, Framing::JsonArray, &reply(ErrorClass::Timeout), &state)
                .is_empty()
        );
    }
}

/// What the gateway writes, it must understand.
#[test]
fn every_in_stream_error_is_read_back_as_an_error() {
    for dialect in ALL {
        for framing in [Framing::Sse, Framing::JsonArray] {
            if framing == Framing::JsonArray && dialect != Dialect::Gemini {
                continue;
            }
            let bytes =
                encode_in_stream(dialect, framing, &reply(ErrorClass::Overloaded), &StreamState::default());
            let mut observer = crate::Observer::new(dialect, cliproxy_domain::Operation::Generate, framing);
            let error = observer.feed(&bytes).expect_err("an error event");
            assert_eq!(error.message, "it \"broke\"", "{dialect:?}");
            let class = match dialect {
                // The official list of codes has none for overload.
                Dialect::OpenAiResponses => ErrorClass::Upstream,
                _ => ErrorClass::Overloaded,
            };
            assert_eq!(error.failure.class(), class, "{dialect:?}");
        }
    }
}

#[test]
fn a_keep_alive_is_one_that_the_dialects_clients_survive() {
    for dialect in ALL {
        assert_eq!(keep_alive(dialect, Framing::JsonArray), None);
        let bytes = keep_alive(dialect, Framing::Sse).expect("one each");
        let mut observer = crate::Observer::new(dialect, cliproxy_domain::Operation::Generate, Framing::Sse);
        let progress = observer.feed(bytes).expect("no error");
        assert_eq!((progress.whole, progress.semantic), (bytes.len(), false), "{dialect:?}");
        assert_eq!(bytes.contains(&b':'), dialect != Dialect::Gemini, "no comment towards Gemini clients");
    }
}

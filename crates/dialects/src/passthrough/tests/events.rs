//! Single events, and what they mean.

use super::*;

/// Tells whether one event makes a stream semantic.
fn is_semantic(dialect: Dialect, name: &str, data: &str) -> bool {
    let event = if name.is_empty() { String::new() } else { format!("event: {name}\n") };
    observe_sse(dialect, &format!("{event}data: {data}\n\n")).semantic
}

fn failure(dialect: Dialect, stream: &str) -> Failure {
    observe_sse(dialect, stream).result.expect_err(stream).failure
}

#[test]
fn chat_chunks_with_content_or_an_end_are_semantic() {
    for (delta, expected) in [
        (r#"{"role":"assistant","content":""}"#, false),
        (r#"{"role":"assistant","content":null,"tool_calls":[],"reasoning_content":""}"#, false),
        ("null", false),
        (r#"{"content":"x"}"#, true),
        (r#"{"refusal":"x"}"#, true),
        (r#"{"reasoning":"x"}"#, true),
        (r#"{"reasoning_content":"x"}"#, true),
        (r#"{"tool_calls":[{"index":0}]}"#, true),
        (r#"{"content":"\ud83d"}"#, true),
    ] {
        let data = format!(r#"{{"choices":[{{"index":0,"delta":{delta},"finish_reason":null}}]}}"#);
        assert_eq!(is_semantic(Dialect::OpenAiChat, "", &data), expected, "{data}");
    }
    let finish = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;
    assert!(is_semantic(Dialect::OpenAiChat, "", finish));
    assert!(!is_semantic(Dialect::OpenAiChat, "", r#"{"choices":[],"usage":{"prompt_tokens":1}}"#));
    assert!(!is_semantic(Dialect::OpenAiChat, "", "[DONE]"));
}

#[test]
fn response_events_without_content_are_not_semantic() {
    for (name, data, expected) in [
        ("response.created", r#"{"response":{}}"#, false),
        ("response.queued", r#"{"response":{}}"#, false),
        ("response.in_progress", r#"{"response":{}}"#, false),
        ("response.output_item.added", r#"{"item":{"type":"message"}}"#, false),
        ("response.content_part.added", r#"{"part":{"type":"output_text"}}"#, false),
        ("response.brand_new", "{}", false),
        ("response.output_item.added", r#"{"item":{"type":"function_call"}}"#, true),
        ("response.output_text.delta", r#"{"delta":"x"}"#, true),
        ("response.output_text.done", "{}", true),
        ("response.incomplete", r#"{"response":{}}"#, true),
        ("", r#"{"type":"response.refusal.delta","delta":"x"}"#, true),
    ] {
        assert_eq!(is_semantic(Dialect::OpenAiResponses, name, data), expected, "{name} {data}");
    }
}

#[test]
fn anthropic_events_without_content_are_not_semantic() {
    for (name, data, expected) in [
        ("message_start", r#"{"message":{}}"#, false),
        ("ping", r#"{"type":"ping"}"#, false),
        ("content_block_start", r#"{"content_block":{"type":"text","text":""}}"#, false),
        ("message_delta", r#"{"delta":{"stop_reason":null}}"#, false),
        ("thread_note", "{}", false),
        ("content_block_start", r#"{"content_block":{"type":"text","text":"x"}}"#, true),
        ("content_block_start", r#"{"content_block":{"type":"tool_use"}}"#, true),
        ("content_block_delta", r#"{"delta":{}}"#, true),
        ("message_delta", r#"{"delta":{"stop_reason":"end_turn"}}"#, true),
        ("", r#"{"type":"content_block_delta","delta":{}}"#, true),
    ] {
        assert_eq!(is_semantic(Dialect::Anthropic, name, data), expected, "{name} {data}");
    }
}

#[test]
fn gemini_chunks_with_parts_an_end_or_a_block_are_semantic() {
    for (data, expected) in [
        (r#"{"usageMetadata":{"promptTokenCount":1}}"#, false),
        (r#"{"candidates":[{"index":0,"content":{"role":"model"}}]}"#, false),
        (r#"{"promptFeedback":{"safetyRatings":[]}}"#, false),
        (r#"{"candidates":[{"content":{"parts":[{"text":""}]}}]}"#, true),
        (r#"{"candidates":[{"finishReason":"STOP"}]}"#, true),
        (r#"{"promptFeedback":{"blockReason":"SAFETY"}}"#, true),
    ] {
        assert_eq!(is_semantic(Dialect::Gemini, "", data), expected, "{data}");
    }
}

#[test]
fn json_of_another_shape_passes() {
    for dialect in [Dialect::OpenAiChat, Dialect::OpenAiResponses, Dialect::Anthropic, Dialect::Gemini] {
        for data in ["7", "null", "[]", "\"x\"", r#"{"choices":7}"#, r#"{"candidates":{}}"#, r#"{"type":9}"#]
        {
            assert_eq!(failure(dialect, &format!("data: {data}\n\n")), Failure::StreamBroken, "{data}");
        }
    }
}

#[test]
fn an_event_that_is_no_json_is_malformed_until_content_has_come() {
    for dialect in [Dialect::OpenAiChat, Dialect::OpenAiResponses, Dialect::Anthropic, Dialect::Gemini] {
        for data in ["{\"a\":", "<html>", "{} {}"] {
            assert_eq!(failure(dialect, &format!("data: {data}\n\n")), Failure::MalformedReply, "{data}");
        }
    }
    let content = "event: content_block_delta\ndata: {\"delta\":{}}\n\n";
    let broken = "event: content_block_delta\ndata: {\n\n";
    assert_eq!(failure(Dialect::Anthropic, &format!("{content}{broken}")), Failure::StreamBroken);
}

#[test]
fn error_events_are_known_in_every_form() {
    for (dialect, stream, expected) in [
        (
            Dialect::OpenAiChat,
            r#"{"error":{"message":"m","code":"rate_limit_exceeded"}}"#,
            Failure::RateLimited { retry_after: None },
        ),
        (Dialect::OpenAiChat, r#"{"error":{"message":"m","code":502}}"#, Failure::Upstream),
        (Dialect::OpenAiChat, r#"{"error":"context_length_exceeded"}"#, Failure::Upstream),
        (
            Dialect::OpenAiChat,
            r#"{"error":{"message":"m","code":"context_length_exceeded"}}"#,
            Failure::ContextLength,
        ),
        (
            Dialect::OpenAiResponses,
            r#"{"type":"error","code":"server_error","message":"m"}"#,
            Failure::Upstream,
        ),
        (
            Dialect::OpenAiResponses,
            r#"{"type":"response.failed","response":{"error":{"code":"rate_limit_exceeded","message":"m"}}}"#,
            Failure::RateLimited { retry_after: None },
        ),
        (
            Dialect::OpenAiResponses,
            r#"{"type":"response.failed","response":{"error":{"code":"invalid_prompt","message":"m"}}}"#,
            Failure::InvalidRequest,
        ),
        (
            Dialect::OpenAiResponses,
            r#"{"type":"response.done","response":{"status":"failed","error":{"code":"server_error","message":"m"}}}"#,
            Failure::Upstream,
        ),
        (
            Dialect::Anthropic,
            r#"{"type":"error","error":{"type":"overloaded_error","message":"m"}}"#,
            Failure::Overloaded { retry_after: None },
        ),
        (
            Dialect::Anthropic,
            r#"{"type":"error","error":{"type":"rate_limit_error","message":"m"}}"#,
            Failure::RateLimited { retry_after: None },
        ),
        (
            Dialect::Anthropic,
            r#"{"type":"error","error":{"type":"timeout_error","message":"m"}}"#,
            Failure::Timeout(cliproxy_domain::TimeoutPhase::Total),
        ),
        (
            Dialect::Gemini,
            r#"{"error":{"code":429,"message":"m","status":"RESOURCE_EXHAUSTED","details":[{"retryDelay":"2.5s"}]}}"#,
            Failure::RateLimited { retry_after: Some(std::time::Duration::from_millis(2500)) },
        ),
    ] {
        assert_eq!(failure(dialect, &format!("data: {stream}\n\n")), expected, "{stream}");
    }
}

#[test]
fn an_error_after_content_is_known_too() {
    let content =
        r#"data: {"choices":[{"index":0,"delta":{"content":"x"},"finish_reason":null}],"error":null}"#;
    let error = r#"data: {"choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"}],"error":{"code":503,"message":"m"}}"#;
    assert_eq!(
        failure(Dialect::OpenAiChat, &format!("{content}\n\n{content}\n\n{error}\n\n")),
        Failure::Overloaded { retry_after: None }
    );
}

#[test]
fn text_that_looks_like_an_error_is_text() {
    let text = r#"data: {"choices":[{"index":0,"delta":{"content":"{\"error\":{},\"usage\":{},\"finish_reason\":\"x\"}"},"finish_reason":null}]}"#;
    let end = r#"data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;
    let verdict = observe_sse(Dialect::OpenAiChat, &format!("{text}\n\n{text}\n\n{end}\n\n"));
    assert_eq!(verdict.result, Ok(()));
    assert_eq!(verdict.usage.output, 2);
}

#[test]
fn every_choice_must_finish_even_one_that_begins_late() {
    let chunk = |index: u32, finish: &str| {
        format!(
            "data: {{\"choices\":[{{\"index\":{index},\"delta\":{{\"content\":\"x\"}},\"finish_reason\":{finish}}}]}}\n\n"
        )
    };
    let begun = format!("{}{}{}", chunk(0, "null"), chunk(0, "null"), chunk(1, "null"));
    let half = format!("{begun}{}", chunk(0, "\"stop\""));
    assert_eq!(failure(Dialect::OpenAiChat, &half), Failure::StreamBroken);
    assert_eq!(observe_sse(Dialect::OpenAiChat, &format!("{half}{}", chunk(1, "\"stop\""))).result, Ok(()));

    let both = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"x\"}},{\"index\":1,\"delta\":{\"content\":\"x\"}}]}\n\n";
    let half = format!("{}{both}{}", chunk(0, "null"), chunk(0, "\"stop\""));
    assert_eq!(failure(Dialect::OpenAiChat, &half), Failure::StreamBroken);
}

#[test]
fn a_stream_without_usage_is_estimated_from_its_content_events() {
    let stream = fixtures::read("openai-chat/text-no-usage.stream.sse");
    let verdict = observe(Dialect::OpenAiChat, Framing::Sse, &[&stream]);
    assert!(!verdict.reported);
    let content = String::from_utf8(stream).expect("UTF-8").matches("\"delta\":{\"content\":").count() as u64;
    assert_eq!(
        verdict.usage,
        TokenUsage { input: 100, output: content, estimated: 100 + content, ..TokenUsage::default() }
    );
}

#[test]
fn a_started_response_is_remembered_with_its_next_number() {
    let stream = fixtures::read("openai-responses/truncated-eof.stream.sse");
    let verdict = observe(Dialect::OpenAiResponses, Framing::Sse, &[&stream]);
    assert_eq!(
        verdict.response,
        Some(crate::StartedResponse {
            id: "resp_fx0050".to_owned(),
            model: "gpt-6-astra".to_owned(),
            created_at: 1_790_000_000,
            next_sequence: 3,
            output: String::new(),
        })
    );
}

#[test]
fn an_event_named_error_is_one_whatever_it_holds() {
    for dialect in [Dialect::OpenAiResponses, Dialect::Anthropic] {
        for data in [r#"{"message":"boom"}"#, "boom", "7"] {
            assert_eq!(
                failure(dialect, &format!("event: error\ndata: {data}\n\n")),
                Failure::Upstream,
                "{data}"
            );
        }
    }
}

#[test]
fn numbers_in_an_odd_form_lose_no_event() {
    let created = "event: response.created\ndata: {\"sequence_number\":\"0\",\"response\":{\"id\":7,\"created_at\":1.5}}\n\n";
    let completed = "event: response.completed\ndata: {\"sequence_number\":null,\"response\":{}}\n\n";
    assert_eq!(observe_sse(Dialect::OpenAiResponses, &format!("{created}{completed}")).result, Ok(()));
    let chunk = r#"data: {"choices":[{"index":"0","delta":{"content":"x"},"finish_reason":"stop"}]}"#;
    assert_eq!(observe_sse(Dialect::OpenAiChat, chunk).result, Ok(()));
}

//! The pitfalls of §13 of the wire formats that concern passing answers, by number.

use super::*;

const CONTENT: &str =
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"x\"},\"finish_reason\":null}]}\n\n";
const FINISH: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";

#[test]
fn pitfall_15_cache_counts_of_two_events_are_not_added_up() {
    let stream = fixtures::read("anthropic/cache.stream.sse");
    let usage = observe(Dialect::Anthropic, Framing::Sse, &[&stream]).usage;
    assert_eq!(usage, TokenUsage { input: 2100, output: 8, cache_read: 2048, ..TokenUsage::default() });
}

#[test]
fn pitfall_17_the_right_split_may_come_only_at_the_end() {
    let start = "event: message_start\ndata: {\"message\":{\"usage\":{\"input_tokens\":2100,\"output_tokens\":1}}}\n\n";
    let end = "event: message_delta\ndata: {\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"input_tokens\":52,\"cache_read_input_tokens\":2048,\"output_tokens\":8}}\n\n";
    let usage = observe_sse(Dialect::Anthropic, &format!("{start}{end}")).usage;
    assert_eq!(usage, TokenUsage { input: 2100, output: 8, cache_read: 2048, ..TokenUsage::default() });
}

#[test]
fn pitfall_18_no_done_mark_is_asked_for() {
    assert_eq!(observe_sse(Dialect::OpenAiChat, &format!("{CONTENT}{FINISH}")).result, Ok(()));
    assert_eq!(observe_sse(Dialect::OpenAiChat, &format!("{CONTENT}data: [DONE]")).result, Ok(()));
    let completed = "event: response.completed\ndata: {\"response\":{\"status\":\"completed\"}}\n\n";
    assert_eq!(observe_sse(Dialect::OpenAiResponses, completed).result, Ok(()));
    assert_eq!(observe_sse(Dialect::OpenAiResponses, &format!("{completed}data: [DONE]\n\n")).result, Ok(()));
}

#[test]
fn pitfall_19_response_done_is_an_end() {
    let done =
        "event: response.done\ndata: {\"response\":{\"usage\":{\"input_tokens\":3,\"output_tokens\":4}}}\n\n";
    let verdict = observe_sse(Dialect::OpenAiResponses, done);
    assert_eq!((verdict.result, verdict.usage.total()), (Ok(()), 7));
    let delta = "event: response.output_text.delta\ndata: {}\n\n";
    assert_eq!(observe_sse(Dialect::OpenAiResponses, &format!("{delta}{done}")).usage.total(), 7);
}

#[test]
fn pitfall_20_a_stream_cut_anywhere_is_never_a_success() {
    for fixture in streams() {
        let mut completed = false;
        for cut in 0..=fixture.bytes.len() {
            // Every line end, and a good many places within the lines.
            if cut % 7 != 0 && !fixture.bytes[..cut].ends_with(b"\n") && cut != fixture.bytes.len() {
                continue;
            }
            let mut observer = Observer::new(fixture.dialect, Operation::Generate, framing(fixture));
            if observer.feed(&fixture.bytes[..cut]).is_err() {
                break;
            }
            let complete = observer.is_complete();
            assert!(complete || !completed, "{} is incomplete again at {cut}", fixture.name);
            completed = complete;
            // At the end the last event may lack its blank line, so a stream may become complete there.
            match observer.finish() {
                Ok(()) => assert!(observer.is_complete(), "{} at {cut}", fixture.name),
                Err(error) => {
                    assert!(!complete, "{} at {cut}: {error}", fixture.name);
                    let told = error.failure == Failure::StreamBroken || fixture.name.contains("midstream");
                    assert!(told, "{} at {cut}: {error}", fixture.name);
                }
            }
        }
    }
}

#[test]
fn pitfall_20_a_done_mark_without_content_is_no_end() {
    let error = observe_sse(Dialect::OpenAiChat, "data: [DONE]\n\n").result.expect_err("nothing came");
    assert_eq!(error.failure, Failure::StreamBroken);
}

#[test]
fn pitfall_20_an_array_without_its_bracket_is_cut() {
    let array = r#"[{"candidates":[{"content":{"parts":[{"text":"x"}]},"finishReason":"STOP"}]}"#;
    let cut = observe(Dialect::Gemini, Framing::JsonArray, &[array.as_bytes()]);
    assert_eq!(cut.result.expect_err("no bracket").failure, Failure::StreamBroken);
    assert_eq!(observe(Dialect::Gemini, Framing::JsonArray, &[array.as_bytes(), b"\r\n]"]).result, Ok(()));
}

#[test]
fn pitfall_24_characters_cut_by_a_chunk_survive() {
    let stream = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"東京 🦀\"},\"finish_reason\":\"stop\"}]}\n\n";
    let bytes: Vec<&[u8]> = stream.as_bytes().chunks(1).collect();
    assert_eq!(observe(Dialect::OpenAiChat, Framing::Sse, &bytes).result, Ok(()));
}

#[test]
fn pitfall_32_chunks_without_choices_may_come_anywhere() {
    let filter = "data: {\"choices\":[],\"prompt_filter_results\":[{}]}\n\n";
    let bare = "data: {\"id\":\"x\",\"object\":\"\"}\n\n";
    let stream = format!("{filter}{bare}{CONTENT}{filter}{bare}{FINISH}{filter}data: [DONE]\n\n");
    let verdict = observe_sse(Dialect::OpenAiChat, &stream);
    assert_eq!((verdict.result, verdict.usage.output), (Ok(()), 1));
    assert!(!observe_sse(Dialect::OpenAiChat, &format!("{filter}{bare}")).semantic);
}

#[test]
fn half_a_character_anywhere_ends_no_stream_and_spoils_no_answer() {
    let streams = [
        (
            Dialect::OpenAiChat,
            "data: {\"id\":\"\\ud83d\",\"choices\":[{\"delta\":{\"content\":\"\\ud83d\"},\"finish_reason\":\"stop\"}]}\n\n",
        ),
        (
            Dialect::OpenAiResponses,
            "data: {\"type\":\"response.output_text.delta\",\"delta\":\"\\ude00\"}\n\ndata: {\"type\":\"response.completed\",\"response\":{\"output\":[{\"\\ud83d\":\"\\ud83d\"}]}}\n\n",
        ),
        (
            Dialect::Anthropic,
            "data: {\"type\":\"content_block_delta\",\"delta\":{\"text\":\"\\ud83d\"}}\n\ndata: {\"type\":\"message_stop\"}\n\n",
        ),
        (
            Dialect::Gemini,
            "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"\\ud83d\"}]},\"finishReason\":\"STOP\"}]}\n\n",
        ),
    ];
    for (dialect, stream) in streams {
        assert_eq!(observe_sse(dialect, stream).result, Ok(()), "{dialect:?}");
        let body = stream.strip_prefix("data: ").unwrap().split("\n\n").next().unwrap();
        assert!(read_reply(dialect, Operation::Generate, body.as_bytes()).is_ok(), "{dialect:?}");
    }
}

use crate::{
    form::{Args, Event, Finish, Part, PartKind, ReasoningForm, ToolCall},
    openai_chat::testing::read_stream,
    translate::checks::{assembled, assert_well_formed},
};
use cliproxy_domain::Failure;

/// Writes a chunk of the first choice.
fn chunk(delta: &str) -> String {
    format!("{{\"id\":\"x\",\"choices\":[{{\"index\":0,\"delta\":{delta},\"finish_reason\":null}}]}}")
}

fn end(reason: &str) -> String {
    format!("{{\"id\":\"x\",\"choices\":[{{\"index\":0,\"delta\":{{}},\"finish_reason\":\"{reason}\"}}]}}")
}

fn calls(fragments: &str) -> String {
    chunk(&format!("{{\"tool_calls\":[{fragments}]}}"))
}

/// Reads deltas of one choice, and gives its parts and its end.
fn read(chunks: &[String]) -> (Vec<Part>, Finish) {
    let events = read_stream(chunks.iter().map(String::as_str)).unwrap();
    assert_well_formed(&events);
    let choice = assembled(&events).choices.remove(0);
    (choice.parts, choice.finish)
}

/// Gives the calls among what was read: id, name and arguments.
fn read_calls(chunks: &[String]) -> Vec<(String, String, String)> {
    let called = read(chunks).0.into_iter().filter_map(|part| match part.kind {
        PartKind::ToolCall(ToolCall { id, name, args: Args::Json(args) | Args::Free(args) }) => {
            Some((id, name, args))
        }
        _ => None,
    });
    called.collect()
}

fn call(id: &str, name: &str, args: &str) -> (String, String, String) {
    (id.to_owned(), name.to_owned(), args.to_owned())
}

#[test]
fn chunks_without_choices_come_first_in_the_middle_and_last() {
    let azure = r#"{"id":"","model":"","choices":[],"prompt_filter_results":[]}"#.to_owned();
    let alive = r#"{"id":"x"}"#.to_owned();
    let usage = r#"{"id":"x","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}"#.to_owned();
    let chunks = [azure, chunk(r#"{"content":"a"}"#), alive, end("stop"), usage, "[DONE]".to_owned()];
    let events = read_stream(chunks.iter().map(String::as_str)).unwrap();
    assert_well_formed(&events);
    let reply = assembled(&events);
    assert_eq!((reply.id.as_deref(), reply.usage.unwrap().output), (Some("x"), 2));
}

#[test]
fn reasoning_alone_is_a_block_of_its_own_under_every_name() {
    for key in ["reasoning_content", "reasoning"] {
        let thought = |text: &str| chunk(&format!("{{\"{key}\":\"{text}\",\"content\":null}}"));
        let (parts, _) = read(&[thought("Try "), thought("7."), chunk(r#"{"content":"No."}"#), end("stop")]);
        let expected = PartKind::Reasoning { text: "Try 7.".into(), form: ReasoningForm::Raw };
        assert_eq!((&parts[0].kind, parts[1].as_text()), (&expected, Some("No.")));
    }
    let details = chunk(r#"{"reasoning_details":[{"type":"reasoning.summary","summary":"Short."}]}"#);
    let expected = PartKind::Reasoning { text: "Short.".into(), form: ReasoningForm::Raw };
    assert_eq!(read(&[details, end("stop")]).0[0].kind, expected);
}

#[test]
fn ciphertext_without_words_is_hidden_reasoning() {
    let details = chunk(r#"{"reasoning_details":[{"type":"reasoning.encrypted","data":"eA=="}]}"#);
    let (parts, _) = read(&[details, chunk(r#"{"content":"No."}"#), end("stop")]);
    let hidden = PartKind::Reasoning { text: String::new(), form: ReasoningForm::Hidden };
    assert!(parts[0].kind == hidden && parts[0].state.is_some(), "{parts:?}");
}

#[test]
fn a_name_may_come_after_the_arguments_began_and_an_id_after_both() {
    let chunks = [
        calls(r#"{"index":0,"function":{"arguments":"{\"a\""}}"#),
        calls(r#"{"index":0,"id":"","function":{"name":"f","arguments":":1"}}"#),
        calls(r#"{"index":0,"id":"c1","function":{"name":"","arguments":"}"}}"#),
        end("tool_calls"),
    ];
    assert_eq!(read_calls(&chunks), [call("c1", "f", r#"{"a":1}"#)]);
}

#[test]
fn ids_and_names_that_are_repeated_are_said_once() {
    let fragment = |text: &str| {
        calls(&format!(
            "{{\"index\":0,\"id\":\"c1\",\"function\":{{\"name\":\"f\",\"arguments\":{text:?}}}}}"
        ))
    };
    assert_eq!(read_calls(&[fragment("{"), fragment("}"), end("stop")]), [call("c1", "f", "{}")]);
}

#[test]
fn another_id_in_each_fragment_is_the_same_call() {
    let chunks = [
        calls(r#"{"index":0,"id":"a","function":{"name":"f","arguments":"{"}}"#),
        calls(r#"{"index":0,"id":"b","function":{"arguments":"}"}}"#),
        end("tool_calls"),
    ];
    assert_eq!(read_calls(&chunks), [call("a", "f", "{}")]);
}

#[test]
fn calls_that_all_have_the_same_number_stay_apart() {
    let chunks = [
        calls(r#"{"index":0,"id":"a","function":{"name":"f","arguments":"{}"}}"#),
        calls(r#"{"index":0,"id":"b","function":{"name":"f","arguments":"[]"}}"#),
        end("tool_calls"),
    ];
    assert_eq!(read_calls(&chunks), [call("a", "f", "{}"), call("b", "f", "[]")]);
}

#[test]
fn calls_without_numbers_are_told_apart_by_their_ids() {
    let chunks = [
        calls(
            r#"{"id":"a","function":{"name":"f","arguments":"{"}},{"id":"a","function":{"arguments":"}"}}"#,
        ),
        calls(r#"{"id":"b","function":{"name":"g","arguments":""}}"#),
        calls(r#"{"function":{"arguments":"{}"}}"#),
        end("stop"),
    ];
    assert_eq!(read_calls(&chunks), [call("a", "f", "{}"), call("b", "g", "{}")]);
}

#[test]
fn calls_without_ids_get_some_and_are_still_calls() {
    let chunks = [
        calls(r#"{"function":{"name":"f","arguments":"{}"}},{"function":{"name":"f","arguments":"[]"}}"#),
        end("stop"),
    ];
    let called = read_calls(&chunks);
    let [(first, _, one), (second, _, other)] = &called[..] else { panic!("{called:?}") };
    assert!(first.starts_with("call_") && first != second);
    assert_eq!((one.as_str(), other.as_str()), ("{}", "[]"));
    assert_eq!(read(&chunks).1, Finish::ToolUse, "whatever the server called it");
}

#[test]
fn the_older_function_call_is_put_together() {
    let chunks = [
        chunk(r#"{"function_call":{"name":"f","arguments":""}}"#),
        chunk(r#"{"function_call":{"arguments":"{}"}}"#),
        end("function_call"),
    ];
    let (parts, finish) = read(&chunks);
    assert_eq!((parts.len(), finish), (1, Finish::ToolUse));
}

#[test]
fn free_form_calls_are_told_from_functions() {
    let chunks = [
        calls(r#"{"index":0,"id":"a","type":"custom","custom":{"name":"sql","input":""}}"#),
        calls(r#"{"index":0,"custom":{"input":"select 1;"}}"#),
        end("tool_calls"),
    ];
    let PartKind::ToolCall(call) = &read(&chunks).0[0].kind else { panic!() };
    assert_eq!(call.args, Args::Free("select 1;".into()));
}

#[test]
fn arguments_that_would_be_lost_are_an_error() {
    let chunks = [
        calls(r#"{"index":0,"id":"a","function":{"name":"f","arguments":"{"}}"#),
        calls(r#"{"index":1,"id":"b","function":{"name":"f","arguments":"{"}}"#),
        calls(r#"{"index":0,"function":{"arguments":"}"}}"#),
    ];
    let error = read_stream(chunks.iter().map(String::as_str)).unwrap_err();
    assert_eq!(error.failure, Failure::MalformedReply);
    let unnamed = [calls(r#"{"index":0,"id":"a","function":{"arguments":"{}"}}"#), end("tool_calls")];
    let error = read_stream(unnamed.iter().map(String::as_str)).unwrap_err();
    assert_eq!(error.failure, Failure::MalformedReply);
}

#[test]
fn a_later_reason_does_not_overwrite_the_first() {
    let called = calls(r#"{"index":0,"id":"a","function":{"name":"f","arguments":"{}"}}"#);
    let (_, finish) = read(&[called.clone(), end("tool_calls"), end("stop")]);
    assert_eq!(finish, Finish::ToolUse);
    let (_, finish) = read(&[called.clone(), end("length"), end("tool_calls")]);
    assert_eq!(finish, Finish::MaxTokens);
    let (_, finish) = read(&[end("stop"), called]);
    assert_eq!(finish, Finish::ToolUse);
}

#[test]
fn the_mark_of_the_end_will_do_after_content_and_only_then() {
    let said = [chunk(r#"{"content":"a"}"#), "[DONE]".to_owned()];
    assert_eq!(read(&said).1, Finish::End);
    let mut decoder = crate::openai_chat::StreamDecoder::new(crate::translate::Ids::new([1, 2]));
    let mut ended = false;
    let begun = chunk(r#"{"role":"assistant","content":""}"#);
    for data in [begun.as_str(), "[DONE]"] {
        decoder.event(b"", data.as_bytes(), &mut |event| ended |= event == Event::End).unwrap();
    }
    assert!(!ended);
}

#[test]
fn the_stop_text_is_told_where_the_server_names_it() {
    let end = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop","stop_reason":"END"}]}"#;
    assert_eq!(read(&[end.to_owned()]).1, Finish::StopSequence(Some("END".into())));
}

#[test]
fn a_server_that_breaks_off_has_failed() {
    let error = read_stream([end("error").as_str()]).unwrap_err();
    assert_eq!(error.failure, Failure::Upstream);
}

#[test]
fn a_lone_surrogate_does_not_kill_the_stream() {
    let (parts, _) = read(&[chunk(r#"{"content":"a\ud83d"}"#), chunk(r#"{"content":"b"}"#), end("stop")]);
    assert_eq!(parts[0].as_text(), Some("a\u{fffd}b"));
}

#[test]
fn citations_and_log_probabilities_are_read() {
    let cited = r#"{"content":"a","annotations":[{"type":"url_citation","url_citation":{"url":"https://x","start_index":0,"end_index":1}}]}"#;
    let logged = r#"{"choices":[{"index":0,"delta":{},"logprobs":{"content":[{"token":"a"}]},"finish_reason":"stop"}]}"#;
    let chunks = [chunk(cited), logged.to_owned()];
    let events = read_stream(chunks.iter().map(String::as_str)).unwrap();
    assert_well_formed(&events);
    let choice = assembled(&events).choices.remove(0);
    let PartKind::Text { citations, .. } = &choice.parts[0].kind else { panic!() };
    assert_eq!((citations[0].end, choice.logprobs.unwrap().len()), (Some(1), 1));
}

#[test]
fn shapes_that_nobody_knows_yet_do_not_stop_the_stream() {
    let (parts, _) =
        read(&[r#"{"choices":{"new":1}}"#.to_owned(), chunk(r#"{"content":"a","x":[]}"#), end("stop")]);
    assert_eq!(parts[0].as_text(), Some("a"));
    let garbage = read_stream(["{"]).unwrap_err();
    assert_eq!(garbage.failure, Failure::MalformedReply);
}

use super::super::testing::{context, encode_reply, fixture};
use super::*;
use crate::{
    form::{
        Args, Choice, Citation, Finish, Media, Opaque, Part, PartKind, Place, ReasoningForm, Reply, State,
        ToolCall,
    },
    framing::Framing,
    scene::sealer,
    usage::Counts,
};
use cliproxy_domain::{Dialect, Failure, TokenUsage};
use serde_json::{Value, json};

fn read(body: &Value) -> Reply {
    decode_reply(body.to_string().as_bytes()).unwrap()
}

fn reply(parts: Vec<Part>, finish: Finish) -> Reply {
    let choice = Choice { index: 0, parts, finish, logprobs: None };
    Reply {
        id: None,
        model: None,
        created: None,
        choices: vec![choice],
        usage: Some(TokenUsage::default()),
        tier: None,
        fingerprint: None,
    }
}

fn written(parts: Vec<Part>, finish: Finish, upstream: Dialect) -> Value {
    encode_reply(&reply(parts, finish), &context(upstream, Framing::Sse)).0
}

fn answer(parts: Value) -> Value {
    json!({"candidates": [{"content": {"role": "model", "parts": parts}, "finishReason": "STOP"}]})
}

fn call(args: &str) -> Part {
    let args = Args::Json(args.into());
    Part::new(PartKind::ToolCall(ToolCall { id: "id1".into(), name: "f".into(), args }))
}

fn reasoning(text: &str, state: Option<State>) -> Part {
    let form = ReasoningForm::Summary;
    let kind = PartKind::Reasoning { text: text.into(), form };
    Part { state: state.map(Opaque::Native), ..Part::new(kind) }
}

#[test]
fn every_recorded_answer_comes_back_as_it_was_but_for_its_identity() {
    let mut seen = 0;
    for name in crate::fixtures::names("gemini", ".response.json") {
        let body = fixture(&name);
        if body.get("candidates").is_none() && body.get("promptFeedback").is_none() {
            continue;
        }
        let Ok(decoded) = decode_reply(body.to_string().as_bytes()) else {
            assert_eq!(name, "malformed-call.response.json");
            continue;
        };
        let (sent, losses) = encode_reply(&decoded, &context(Dialect::Gemini, Framing::Sse));
        assert_eq!(
            decoded,
            Reply { id: decoded.id.clone(), model: decoded.model.clone(), ..read(&sent) },
            "{name}"
        );
        assert_eq!(losses, None, "{name}");
        if !name.starts_with("forward-compat") && !name.starts_with("safety") {
            assert_eq!(sent.get("candidates"), body.get("candidates"), "{name}");
        }
        seen += 1;
    }
    assert!(seen >= 12);
}

#[test]
fn identity_is_read_from_the_provider_and_written_as_the_clients() {
    let decoded = read(&fixture("text.response.json"));
    assert_eq!(decoded.id.as_deref(), Some("fx-gem-0001"));
    assert_eq!(decoded.model.as_deref(), Some("gemini-3.8-flash"));
    let (sent, _) = encode_reply(&decoded, &context(Dialect::Gemini, Framing::Sse));
    assert_eq!(sent["modelVersion"], "asked");
    assert_ne!(sent["responseId"], "fx-gem-0001");
}

#[test]
fn tokens_are_counted_as_the_golden_table_says() {
    let golden: Value = serde_json::from_slice(&crate::fixtures::read("golden/usage.json")).unwrap();
    for case in golden["cases"].as_array().unwrap() {
        let count = |name: &str| case["canonical"][name].as_u64().unwrap();
        let usage = TokenUsage {
            input: count("input_total"),
            output: count("output_total"),
            cache_read: count("input_cached"),
            cache_write: count("input_cache_write"),
            reasoning: count("output_reasoning"),
            estimated: 0,
        };
        let mut said = reply(vec![], Finish::End);
        said.usage = Some(usage);
        let (sent, _) = encode_reply(&said, &context(Dialect::Anthropic, Framing::Sse));
        assert_eq!(sent["usageMetadata"], case["gemini"], "{}", case["name"]);
        let read = Counts::read(Dialect::Gemini, &sent["usageMetadata"].to_string()).unwrap();
        let expected = TokenUsage { cache_write: 0, ..usage };
        assert_eq!(read.total(Dialect::Gemini, TokenUsage::default()), expected);
    }
}

#[test]
fn missing_counts_are_zero_with_a_warning() {
    let mut silent = reply(vec![Part::text("x")], Finish::End);
    silent.usage = None;
    let (sent, losses) = encode_reply(&silent, &context(Dialect::OpenAiChat, Framing::Sse));
    assert_eq!(sent["usageMetadata"]["totalTokenCount"], 0);
    assert_eq!(losses.as_deref(), Some("usageMetadata=missing"));
}

#[test]
fn a_malformed_call_is_a_failure_and_no_empty_success() {
    let body = fixture("malformed-call.response.json").to_string();
    let error = decode_reply(body.as_bytes()).unwrap_err();
    assert_eq!(error.failure, Failure::Upstream);
    assert!(!error.message.contains("get_weather"), "holds nothing of the content");
}

#[test]
fn what_says_nothing_at_all_is_malformed() {
    for body in [
        "{}",
        "[]",
        "x",
        "{\"candidates\":[]}",
        "{\"candidates\":[{}]}",
        "{\"candidates\":[{\"content\":{}}]}",
    ] {
        let error = decode_reply(body.as_bytes()).unwrap_err();
        assert_eq!(error.failure, Failure::MalformedReply, "{body}");
    }
}

#[test]
fn a_blocked_prompt_is_a_filtered_answer_without_candidates() {
    let decoded = read(&fixture("prompt-blocked.response.json"));
    assert!(matches!(decoded.choices[0].finish, Finish::ContentFilter { .. }));
    let (sent, _) = encode_reply(&decoded, &context(Dialect::Gemini, Framing::Sse));
    assert_eq!(sent["promptFeedback"], json!({"blockReason": "PROHIBITED_CONTENT"}));
    assert_eq!(sent.get("candidates"), None);
}

#[test]
fn stop_with_calls_is_a_call_for_tools_and_the_limit_of_tokens_is_not() {
    let body = |reason: &str| {
        json!({"candidates": [{"finishReason": reason, "content": {"parts": [
            {"functionCall": {"name": "f", "args": {}}}]}}]})
    };
    assert_eq!(read(&body("STOP")).choices[0].finish, Finish::ToolUse);
    assert_eq!(read(&body("MAX_TOKENS")).choices[0].finish, Finish::MaxTokens);
}

#[test]
fn parallel_calls_without_ids_get_different_ones_and_the_same_each_time() {
    let call = |city: &str| json!({"functionCall": {"name": "f", "args": {"city": city}}});
    let mut body = answer(json!([call("a"), call("a")]));
    let ids = |body: &Value| -> Vec<String> {
        let id = |part: &Part| match &part.kind {
            PartKind::ToolCall(call) => call.id.clone(),
            other => panic!("{other:?}"),
        };
        read(body).choices[0].parts.iter().map(id).collect()
    };
    let nameless = ids(&body);
    assert_ne!(nameless[0], nameless[1]);
    assert_eq!(nameless, ids(&body));
    body["responseId"] = json!("r1");
    assert_eq!(ids(&body), [crate::tool_ids::made("r1", 0), crate::tool_ids::made("r1", 1)]);
}

#[test]
fn arguments_keep_their_digits_and_lose_their_white_space() {
    let body = r#"{"candidates":[{"finishReason":"STOP","content":{"parts":[
        {"functionCall":{"name":"f","args":{ "n" : 12345678901234567890123 }}},
        {"functionCall":{"name":"g"}}]}}]}"#;
    let decoded = decode_reply(body.as_bytes()).unwrap();
    let args = |at: usize| match &decoded.choices[0].parts[at].kind {
        PartKind::ToolCall(ToolCall { args: Args::Json(args), .. }) => args.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(args(0), "{\"n\":12345678901234567890123}");
    assert_eq!(args(1), "{}", "a call without arguments");
}

#[test]
fn a_signature_is_read_on_its_own_part_and_knows_the_id_that_gemini_gave() {
    let decoded = read(&fixture("tool-parallel.response.json"));
    let parts = &decoded.choices[0].parts;
    let state = State {
        item_id: Some("fc-fx-oslo01".into()),
        ..State::native(Dialect::Gemini, "c2lnLWZ4LWdlbS0wMQ==")
    };
    assert_eq!(parts[1].state, Some(Opaque::Native(state)));
    assert_eq!((&parts[0].state, &parts[2].state), (&None, &None));
}

#[test]
fn half_a_surrogate_pair_does_not_lose_the_answer() {
    let body = r#"{"candidates":[{"finishReason":"STOP","content":{"parts":[{"text":"a\ud83d"}]}}]}"#;
    let decoded = decode_reply(body.as_bytes()).unwrap();
    assert_eq!(decoded.choices[0].parts[0].as_text(), Some("a\u{fffd}"));
}

#[test]
fn images_and_the_blocks_of_server_tools_are_carried() {
    let body = answer(json!([
        {"inlineData": {"mimeType": "image/png", "data": "AA=="}, "thoughtSignature": "c2ln"},
        {"executableCode": {"language": "PYTHON", "code": "1"}}
    ]));
    let decoded = read(&body);
    let parts = &decoded.choices[0].parts;
    assert!(matches!(&parts[0].kind, PartKind::Image { media: Media::Inline { .. }, .. }));
    let (sent, losses) = encode_reply(&decoded, &context(Dialect::Gemini, Framing::Sse));
    assert_eq!(sent["candidates"][0]["content"]["parts"], body["candidates"][0]["content"]["parts"]);
    assert_eq!(losses.as_deref(), Some("usageMetadata=missing"), "and nothing else");
}

#[test]
fn citations_point_at_characters() {
    let mut body = answer(json!([{"text": "Å, Oslo"}]));
    body["candidates"][0]["citationMetadata"] =
        json!({"citations": [{"startIndex": 4, "endIndex": 8, "uri": "https://x.example", "title": "X"}]});
    let decoded = read(&body);
    let PartKind::Text { citations, .. } = &decoded.choices[0].parts[0].kind else { panic!() };
    assert_eq!((citations[0].start, citations[0].end), (Some(3), Some(7)));
    let (sent, _) = encode_reply(&decoded, &context(Dialect::Gemini, Framing::Sse));
    assert_eq!(sent["candidates"][0]["citationMetadata"], body["candidates"][0]["citationMetadata"]);
}

#[test]
fn odd_metadata_does_not_lose_the_answer() {
    let mut body = answer(json!([{"text": "Oslo"}]));
    body["candidates"][0]["citationMetadata"] = json!({"citations": [{"startIndex": -1}]});
    body["candidates"][0]["groundingMetadata"] = json!([]);
    body["candidates"][0]["logprobsResult"] = json!("none");
    assert_eq!(read(&body).choices[0].parts, [Part::text("Oslo")]);
}

#[test]
fn a_citation_without_a_page_is_left_out() {
    let citation =
        Citation { url: None, title: Some("doc".into()), text: None, start: None, end: None, raw: None };
    let kind = PartKind::Text { text: "x".into(), citations: vec![citation] };
    let sent = written(vec![Part::new(kind)], Finish::End, Dialect::Anthropic);
    assert_eq!(sent["candidates"][0].get("citationMetadata"), None);
}

#[test]
fn log_probabilities_come_back_as_they_went() {
    let mut body = answer(json!([{"text": "Oslo"}]));
    body["candidates"][0]["logprobsResult"] = json!({
        "chosenCandidates": [{"token": "Oslo", "logProbability": -0.5}],
        "topCandidates": [{"candidates": [{"token": "Oslo", "logProbability": -0.5}]}]
    });
    let decoded = read(&body);
    assert_eq!(decoded.choices[0].logprobs.as_ref().unwrap()[0]["logprob"], json!(-0.5));
    let (sent, _) = encode_reply(&decoded, &context(Dialect::Gemini, Framing::Sse));
    assert_eq!(sent["candidates"][0]["logprobsResult"], body["candidates"][0]["logprobsResult"]);
}

#[test]
fn the_state_of_another_provider_rides_in_an_envelope_on_the_part_after_its_reasoning() {
    let state = State { item_id: Some("rs_1".into()), ..State::native(Dialect::OpenAiResponses, "enc") };
    let parts = vec![reasoning("aloud", Some(state.clone())), call("{}")];
    let sent = written(parts, Finish::ToolUse, Dialect::OpenAiResponses);
    let parts = &sent["candidates"][0]["content"]["parts"];
    assert_eq!(parts[0], json!({"text": "aloud", "thought": true}));
    let opened = sealer().open(parts[1]["thoughtSignature"].as_str().unwrap()).unwrap();
    let expected = State {
        model: Some("upstream-model".into()),
        credential: Some("key-1".into()),
        text: Some("aloud".into()),
        ..state
    };
    assert_eq!(opened, expected);
    assert_eq!(sent["candidates"][0]["finishReason"], "STOP");
}

#[test]
fn states_that_find_no_part_ride_on_empty_texts_of_their_own() {
    let state = |payload: &str| Some(State::native(Dialect::Anthropic, payload));
    let parts = vec![reasoning("", state("one")), reasoning("", state("two"))];
    let sent = written(parts, Finish::End, Dialect::Anthropic);
    let parts = sent["candidates"][0]["content"]["parts"].as_array().unwrap();
    let payload = |part: &Value| {
        assert_eq!(part["text"], "");
        sealer().open(part["thoughtSignature"].as_str().unwrap()).unwrap().payload
    };
    assert_eq!(parts.iter().map(payload).collect::<Vec<_>>(), ["one", "two"]);
}

#[test]
fn a_signature_on_a_call_is_of_the_part_after_its_pocket() {
    let signed =
        Part { state: Some(Opaque::Native(State::native(Dialect::OpenAiChat, "sig"))), ..call("{}") };
    let sent = written(vec![signed], Finish::ToolUse, Dialect::OpenAiChat);
    let part = &sent["candidates"][0]["content"]["parts"][0];
    let opened = sealer().open(part["thoughtSignature"].as_str().unwrap()).unwrap();
    assert_eq!((opened.place, opened.payload.as_str()), (Place::Next, "sig"));
}

#[test]
fn thoughts_are_shown_to_those_who_asked_and_their_state_comes_back_either_way() {
    let state = State::native(Dialect::Anthropic, "sig");
    let said = reply(vec![reasoning("aloud", Some(state)), Part::text("so")], Finish::End);
    let mut hidden = context(Dialect::Anthropic, Framing::Sse);
    hidden.shows_reasoning = false;
    let (sent, _) = encode_reply(&said, &hidden);
    let parts = sent["candidates"][0]["content"]["parts"].as_array().unwrap();
    assert_eq!(parts.len(), 1);
    let opened = sealer().open(parts[0]["thoughtSignature"].as_str().unwrap()).unwrap();
    assert_eq!(opened.text.as_deref(), Some("aloud"), "clients that drop thoughts lose nothing");
}

#[test]
fn calls_that_are_no_json_are_never_written() {
    let cut = written(vec![call("{\"a\":")], Finish::MaxTokens, Dialect::OpenAiChat);
    assert_eq!(cut["candidates"][0]["finishReason"], "MAX_TOKENS");
    assert_eq!(cut["candidates"][0].get("content"), None);
    let bad = written(vec![call("{\"a\":")], Finish::ToolUse, Dialect::OpenAiChat);
    assert_eq!(bad["candidates"][0]["finishReason"], "MALFORMED_FUNCTION_CALL");
    let none = written(vec![call("")], Finish::ToolUse, Dialect::Anthropic);
    assert_eq!(none["candidates"][0]["content"]["parts"][0]["functionCall"]["args"], json!({}));
}

#[test]
fn refusals_are_text_and_blocks_of_other_vendors_are_dropped_and_told() {
    let (dialect, name, json) = (Dialect::Anthropic, "server_tool_use".into(), json!({}));
    let foreign = Part::new(PartKind::Foreign { dialect, name, json });
    let said = reply(vec![Part::new(PartKind::Refusal("no".into())), foreign], Finish::End);
    let (sent, losses) = encode_reply(&said, &context(Dialect::Anthropic, Framing::Sse));
    assert_eq!(sent["candidates"][0]["content"]["parts"], json!([{"text": "no"}]));
    assert_eq!(losses.as_deref(), Some("content=dropped"));
}

use super::*;
use crate::{
    fixtures,
    form::{Choice, Citation, Finish, Losses, Opaque, Place, ReasoningForm, State},
    translate::checks::comparable,
};
use cliproxy_domain::{Failure, TokenUsage};
use serde_json::json;

fn decode(body: &Value) -> Reply {
    super::super::decode_reply(&serde_json::to_vec(body).unwrap()).unwrap()
}

fn told(reply: &Reply, context: &ReplyContext) -> (Value, String) {
    let mut losses = Losses::default();
    let body = super::super::encode_reply(reply, context, &mut losses);
    (serde_json::from_slice(&body).unwrap(), losses.header().unwrap_or_default())
}

fn answer(parts: Vec<Part>, finish: Finish) -> Reply {
    let choice = Choice { index: 0, parts, finish, logprobs: None };
    let usage = Some(TokenUsage::default());
    Reply {
        id: None,
        model: None,
        created: None,
        choices: vec![choice],
        usage,
        tier: None,
        fingerprint: None,
    }
}

fn is_answer(name: &&String) -> bool {
    !name.starts_with("models") && !name.starts_with("count-tokens")
}

#[test]
fn every_recorded_answer_goes_out_as_it_came_in() {
    let names = fixtures::names("anthropic", ".response.json");
    assert!(names.iter().filter(is_answer).count() > 10);
    for name in names.iter().filter(is_answer) {
        let recorded = read(&format!("anthropic/{name}"));
        let reply = decode(&recorded);
        let (mut written, losses) = told(&reply, &context(Dialect::Anthropic));
        assert_eq!(losses, "", "{name}");
        for field in ["type", "role", "model", "content", "stop_reason", "stop_sequence", "stop_details"] {
            assert_eq!(written[field], recorded[field], "{name}: {field}");
        }
        for (field, count) in written["usage"].as_object().unwrap() {
            assert_eq!(count, &recorded["usage"][field], "{name}: usage.{field}");
        }
        written["id"] = recorded["id"].clone();
        assert_eq!(comparable(decode(&written)), comparable(reply), "{name}");
    }
}

#[test]
fn tokens_are_counted_as_the_golden_table_says() {
    for case in read("golden/usage.json")["cases"].as_array().unwrap() {
        let count = |field: &str| case["canonical"][field].as_u64().unwrap();
        let usage = TokenUsage {
            input: count("input_total"),
            output: count("output_total"),
            cache_read: count("input_cached"),
            cache_write: count("input_cache_write"),
            reasoning: count("output_reasoning"),
            estimated: 0,
        };
        let mut reply = answer(vec![Part::text("a")], Finish::End);
        reply.usage = Some(usage);
        let written = told(&reply, &context(Dialect::OpenAiChat)).0;
        assert_eq!(written["usage"], case["anthropic"]);
        assert_eq!(decode(&written).usage, Some(usage));
    }
}

#[test]
fn ends_are_told_as_the_golden_table_says() {
    let rows = read("golden/finish-reasons.json");
    for row in rows["rows"].as_array().unwrap().iter().filter(|row| row["from"] == "anthropic") {
        let recorded = json!({"content": [], "stop_reason": row["value"], "stop_sequence": null});
        let finish = decode(&recorded).choices[0].finish.clone();
        let canonical = match finish {
            Finish::End => "end",
            Finish::StopSequence(_) => "stop_sequence",
            Finish::MaxTokens => "max_tokens",
            Finish::ContextWindow => "context_window",
            Finish::ToolUse => "tool_use",
            Finish::ContentFilter { .. } => "content_filter",
            Finish::Refusal { .. } => "refusal",
            Finish::Pause { .. } => "pause",
        };
        assert_eq!(canonical, row["canonical"]);
        let written = told(&answer(Vec::new(), finish), &context(Dialect::Anthropic)).0;
        assert_eq!(written["stop_reason"], row["anthropic"]);
    }
    let filtered = Finish::ContentFilter { native: Some((Dialect::Gemini, "RECITATION".into())) };
    let written = told(&answer(Vec::new(), filtered), &context(Dialect::Gemini)).0;
    assert_eq!(written["stop_reason"], "refusal");
    assert_eq!(written["stop_details"], json!({"type": "refusal", "category": null, "explanation": null}));
}

#[test]
fn an_ordinary_end_with_calls_is_a_call_for_tools() {
    let body = json!({"stop_reason": "end_turn", "content": [
        {"type": "tool_use", "id": "", "name": "f", "input": {}},
        {"type": "tool_use", "id": "", "name": "f", "input": {}}
    ]});
    let choice = decode(&body).choices.remove(0);
    assert_eq!(choice.finish, Finish::ToolUse);
    let id = |part: &Part| match &part.kind {
        PartKind::ToolCall(call) => call.id.clone(),
        other => panic!("{other:?}"),
    };
    let ids: Vec<_> = choice.parts.iter().map(id).collect();
    assert!(!ids[0].is_empty() && ids[0] != ids[1], "{ids:?}");
}

#[test]
fn another_providers_state_travels_in_an_envelope_with_its_place() {
    let state = |dialect| Some(Opaque::Native(State::native(dialect, "payload")));
    let reasoning = |text: &str, form, dialect| Part {
        state: state(dialect),
        ..Part::new(PartKind::Reasoning { text: text.into(), form })
    };
    let opened = |block: &Value, field: &str| {
        let state = sealer().open(block[field].as_str().unwrap()).unwrap();
        assert_eq!((state.model.as_deref(), state.payload.as_str()), (Some("upstream-model"), "payload"));
        (state.place, state.credential)
    };

    let gemini = Dialect::Gemini;
    let parts = vec![
        reasoning("t", ReasoningForm::Summary, gemini),
        Part { state: state(gemini), ..Part::text("a") },
        Part { state: state(gemini), ..call("c1", "{}") },
    ];
    let written = told(&answer(parts, Finish::ToolUse), &context(gemini)).0;
    let blocks = written["content"].as_array().unwrap();
    let kinds: Vec<_> = blocks.iter().map(|block| block["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["thinking", "text", "thinking", "thinking", "tool_use"]);
    assert_eq!(opened(&blocks[0], "signature"), (Place::Here, None));
    assert_eq!(opened(&blocks[2], "signature"), (Place::Previous, None));
    assert_eq!((opened(&blocks[3], "signature"), &blocks[3]["thinking"]), ((Place::Next, None), &json!("")));

    let responses = Dialect::OpenAiResponses;
    let hidden = vec![reasoning("", ReasoningForm::Hidden, responses), Part::text("a")];
    let written = told(&answer(hidden, Finish::End), &context(responses)).0;
    assert_eq!(written["content"][0]["type"], "redacted_thinking");
    assert_eq!(opened(&written["content"][0], "data"), (Place::Here, Some("key-1".into())));
}

#[test]
fn thoughts_without_a_signature_are_shown_with_an_empty_one() {
    let kind = PartKind::Reasoning { text: "t".into(), form: ReasoningForm::Raw };
    let written = told(&answer(vec![Part::new(kind)], Finish::End), &context(Dialect::OpenAiChat)).0;
    assert_eq!(written["content"], json!([{"type": "thinking", "thinking": "t", "signature": ""}]));
}

#[test]
fn what_a_client_cannot_be_told_is_left_out() {
    let image = PartKind::Image {
        media: crate::form::Media::Url { url: "https://x".into(), mime: None },
        detail: None,
    };
    let foreign = PartKind::Foreign { dialect: Dialect::Gemini, name: "n".into(), json: json!({}) };
    let parts = vec![Part::text(""), Part::new(image), Part::new(foreign), Part::text("a")];
    let (written, losses) = told(&answer(parts, Finish::End), &context(Dialect::Gemini));
    assert_eq!(written["content"], json!([{"type": "text", "text": "a"}]), "pitfall 31");
    assert_eq!(losses, "content.image=dropped, content=dropped");
    let mut reply = answer(Vec::new(), Finish::End);
    reply.usage = None;
    let (written, losses) = told(&reply, &context(Dialect::OpenAiChat));
    assert_eq!((&written["usage"]["input_tokens"], losses.as_str()), (&json!(0), "usage=missing"));
}

#[test]
fn arguments_that_are_no_object_are_shown_as_what_they_are() {
    let parts = || vec![call("functions.look:0", "{\"a\":"), call("c2", "")];
    let (written, losses) = told(&answer(parts(), Finish::ToolUse), &context(Dialect::OpenAiChat));
    assert_eq!(written["content"][0]["input"], json!({"INVALID_JSON": "{\"a\":"}));
    let id = written["content"][0]["id"].as_str().unwrap();
    assert!(id.starts_with("functions_look_0_"), "{id}");
    assert_eq!(written["content"][1]["input"], json!({}), "pitfall 2");
    assert_eq!(losses, "content.tool_use.input=wrapped");
    let (written, losses) = told(&answer(parts(), Finish::MaxTokens), &context(Dialect::OpenAiChat));
    assert_eq!(written["content"].as_array().unwrap().len(), 1, "half a call is none");
    assert_eq!(losses, "content.tool_use=dropped");
}

#[test]
fn a_page_that_was_cited_is_told_as_a_search_result() {
    let citation = Citation {
        url: Some("https://x".into()),
        title: Some("X".into()),
        text: None,
        start: Some(0),
        end: Some(1),
        raw: Some((Dialect::OpenAiChat, json!({"type": "url_citation"}))),
    };
    let kind = PartKind::Text { text: "a".into(), citations: vec![citation] };
    let written = told(&answer(vec![Part::new(kind)], Finish::End), &context(Dialect::OpenAiChat)).0;
    let cited = &written["content"][0]["citations"][0];
    assert_eq!(
        (&cited["type"], &cited["url"], &cited["title"]),
        (&json!("web_search_result_location"), &json!("https://x"), &json!("X"))
    );
    let PartKind::Text { citations, .. } = &decode(&written).choices[0].parts[0].kind else { panic!() };
    assert_eq!(citations[0].url.as_deref(), Some("https://x"));
}

#[test]
fn a_broken_answer_is_malformed_and_nothing_of_it_is_told() {
    for body in
        ["", "[]", "{}", "{\"content\":7}", "{\"content\":[{\"type\":\"text\",\"text\":\"secret\"},{}]}"]
    {
        let error = super::super::decode_reply(body.as_bytes()).unwrap_err();
        assert_eq!(error.failure, Failure::MalformedReply, "{body}");
        assert!(!error.message.contains("secret"), "{error}");
    }
}

#[test]
fn half_a_character_does_not_spoil_an_answer() {
    let body = br#"{"content":[{"type":"text","text":"a\ud83d"}],"stop_reason":"end_turn"}"#;
    let reply = super::super::decode_reply(body).unwrap();
    assert_eq!(reply.choices[0].parts[0].as_text(), Some("a\u{fffd}"));
}

#[test]
fn an_envelope_of_a_gateway_behind_us_is_that_gateways_own() {
    let envelope = sealer().seal(&State::native(Dialect::Gemini, "sig"));
    let body = json!({"content": [{"type": "thinking", "thinking": "", "signature": envelope}]});
    let state = decode(&body).choices[0].parts[0].state.clone();
    assert_eq!(state, Some(Opaque::Native(State::native(Dialect::Anthropic, envelope))));
}

//! Calls, their results, and reasoning.

use super::{asked, warnings, with_part};
use crate::{
    form::{
        Args, Detail, Media, Opaque, Part, PartKind, Place, ReasoningForm, Role, State, ToolCall, ToolResult,
        Turn,
    },
    openai_responses::testing::encoded,
    scene::sealer,
};
use cliproxy_domain::Dialect;
use serde_json::json;

#[test]
fn calls_and_results_pair_by_call_id_and_images_stay_in_results() {
    let mut request = asked(Dialect::Anthropic);
    let call = |id: &str, args| PartKind::ToolCall(ToolCall { id: id.into(), name: "f".into(), args });
    request.turns.push(Turn::new(
        Role::Assistant,
        vec![
            Part::text("wait"),
            Part::new(call("functions.get_weather:0", Args::Json(String::new()))),
            Part::new(call("c2", Args::Free("x".into()))),
        ],
    ));
    let image = PartKind::Image {
        media: Media::Url { url: "https://x/y.png".into(), mime: None },
        detail: Some(Detail::High),
    };
    let result = |id: &str, content| {
        Part::new(PartKind::ToolResult(ToolResult {
            id: id.into(),
            name: None,
            error: true,
            free: false,
            content,
        }))
    };
    request.turns.push(Turn::new(
        Role::User,
        vec![
            result("functions.get_weather:0", vec![Part::text("t"), Part::new(image)]),
            result("c2", vec![]),
            Part::text("so?"),
        ],
    ));
    let (body, notes) = encoded(&request).unwrap();
    let id = "functions_get_weather_0_79ac1aaa";
    assert_eq!(
        body["input"].as_array().unwrap()[1..],
        [
            json!({"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "wait"}]}),
            json!({"type": "function_call", "call_id": id, "name": "f", "arguments": "{}"}),
            json!({"type": "custom_tool_call", "call_id": "c2", "name": "f", "input": "x"}),
            json!({"type": "function_call_output", "call_id": id, "output": [
                {"type": "input_text", "text": "t"},
                {"type": "input_image", "image_url": "https://x/y.png", "detail": "high"}
            ]}),
            json!({"type": "custom_tool_call_output", "call_id": "c2", "output": ""}),
            json!({"type": "message", "role": "user", "content": [{"type": "input_text", "text": "so?"}]}),
        ]
    );
    assert!(notes.losses.is_empty());
}

#[test]
fn a_last_answer_is_followed_by_a_request_to_go_on() {
    let request = with_part(Dialect::Anthropic, Role::Assistant, Part::text("{").kind);
    let (body, notes) = encoded(&request).unwrap();
    assert_eq!(body["input"][2], json!({"type": "message", "role": "user", "content": "(continue)"}));
    assert_eq!(warnings(&notes), "messages=continued");
}

#[test]
fn a_message_that_says_nothing_is_refused() {
    let request = with_part(Dialect::OpenAiChat, Role::User, Part::text("").kind);
    assert_eq!(encoded(&request).unwrap_err().field, "messages[1]");
}

fn encrypted() -> State {
    State {
        item_id: Some("rs_1".into()),
        credential: Some("key-1".into()),
        ..State::native(Dialect::OpenAiResponses, "gAAA")
    }
}

/// Pitfalls 12 and 14: encrypted reasoning is bound to its item's id and to the organisation that made it.
#[test]
fn encrypted_reasoning_goes_back_under_its_own_id_and_to_its_own_credential_alone() {
    let kind = || PartKind::Reasoning { text: "because".into(), form: ReasoningForm::Summary };
    let sealed = |state: State| Some(Opaque::Sealed(sealer().seal(&state)));
    let mut request = asked(Dialect::Anthropic);
    let parts = vec![Part { state: sealed(encrypted()), ..Part::new(kind()) }, Part::text("so")];
    request.turns.push(Turn::new(Role::Assistant, parts));
    request.turns.push(Turn::new(Role::User, vec![Part::text("and?")]));
    let (body, _) = encoded(&request).unwrap();
    assert_eq!(
        body["input"][1],
        json!({
            "type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "because"}],
            "encrypted_content": "gAAA"
        })
    );
    for state in [
        Some(Opaque::Sealed(sealer().seal(&State { credential: Some("key-2".into()), ..encrypted() }))),
        sealed(State::native(Dialect::Gemini, "c2ln")),
        Some(Opaque::Native(State::native(Dialect::Anthropic, "EqQB"))),
        None,
    ] {
        request.turns[1].parts[0].state = state;
        let (body, notes) = encoded(&request).unwrap();
        assert_eq!(body["input"][1]["type"], "message", "it is left out");
        assert!(notes.losses.is_empty(), "without a word");
    }
}

/// Pitfall 13: with nothing stored, an item that is named by its id alone is "not found".
#[test]
fn nothing_is_referred_to_by_its_id_alone_where_nothing_is_stored() {
    let reasoning = || PartKind::Reasoning { text: "hm".into(), form: ReasoningForm::Summary };
    let mut request = with_part(Dialect::Anthropic, Role::Assistant, reasoning());
    let state = State { item_id: Some("rs_1".into()), ..State::native(Dialect::OpenAiResponses, "") };
    request.turns[1].parts[0].state = Some(Opaque::Sealed(sealer().seal(&state)));
    request.turns[1].parts.push(Part::text("so"));
    request.turns.push(Turn::new(Role::User, vec![Part::text("and?")]));
    let (body, _) = encoded(&request).unwrap();
    let items = body["input"].as_array().unwrap();
    assert_eq!(items.len(), 3);
    assert!(items.iter().all(|item| item.get("id").is_none() || item.get("encrypted_content").is_some()));
}

#[test]
fn a_signature_that_a_gemini_client_kept_on_a_call_becomes_reasoning_before_it() {
    let state = State { text: Some("because".into()), place: Place::Here, ..encrypted() };
    let call = ToolCall { id: "c1".into(), name: "f".into(), args: Args::Json("{}".into()) };
    let mut request = with_part(Dialect::Gemini, Role::Assistant, PartKind::ToolCall(call));
    request.turns[1].parts[0].state = Some(Opaque::Sealed(sealer().seal(&state)));
    let (body, _) = encoded(&request).unwrap();
    assert_eq!(body["input"][1]["summary"][0]["text"], "because");
    assert_eq!(body["input"][1]["id"], "rs_1");
    assert_eq!(body["input"][2]["type"], "function_call");
}

/// Where a Gemini client has two states and one pocket, the first stands on an empty text.
#[test]
fn a_signature_on_a_text_becomes_reasoning_before_that_text() {
    let sealed = |text: &str| {
        let state = State { text: Some(text.into()), ..encrypted() };
        Some(Opaque::Sealed(sealer().seal(&state)))
    };
    let mut request = with_part(Dialect::Gemini, Role::Assistant, Part::text("a").kind);
    request.turns[1].parts.push(Part { state: sealed("one"), ..Part::text("") });
    request.turns[1].parts.push(Part { state: sealed("two"), ..Part::text("b") });
    request.turns.push(Turn::new(Role::User, vec![Part::text("and?")]));
    let (body, _) = encoded(&request).unwrap();
    let told: Vec<_> = body["input"].as_array().unwrap()[1..]
        .iter()
        .map(|item| {
            item.pointer("/summary/0/text").or(item.pointer("/content/0/text")).unwrap().as_str().unwrap()
        })
        .collect();
    assert_eq!(told, ["a", "one", "two", "b", "and?"]);
}

#[test]
fn what_only_another_dialect_understands_is_refused() {
    let foreign =
        PartKind::Foreign { dialect: Dialect::Anthropic, name: "server_tool_use".into(), json: json!({}) };
    let refused = encoded(&with_part(Dialect::Anthropic, Role::Assistant, foreign)).unwrap_err();
    assert!(refused.message.contains("server_tool_use"), "{refused}");
}

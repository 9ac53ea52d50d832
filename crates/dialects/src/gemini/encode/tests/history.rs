//! Calls, results and signatures of a history.

use super::{
    super::super::testing::{decode, to},
    call, chat, result, written,
};
use crate::{
    form::{Args, Media, Opaque, Part, PartKind, Place, ReasoningForm, Request, Role, State, ToolCall, Turn},
    scene::sealer,
};
use cliproxy_domain::Dialect;
use serde_json::{Value, json};

/// A chat history of one user message, one turn of the model and what follows.
fn history(model: Vec<Part>, after: Vec<Part>) -> Request {
    let mut request = chat();
    request.turns.push(Turn::new(Role::Assistant, model));
    request.turns.push(Turn::new(Role::User, after));
    request
}

fn parts(request: &Request, turn: usize) -> Value {
    written(request)["contents"][turn]["parts"].clone()
}

fn carrier(state: &State) -> Part {
    let hidden = PartKind::Reasoning { text: String::new(), form: ReasoningForm::Hidden };
    Part { state: Some(Opaque::Sealed(sealer().seal(state))), ..Part::new(hidden) }
}

fn gemini(place: Place) -> State {
    State { place, item_id: Some("gem1".into()), ..State::native(Dialect::Gemini, "c2ln") }
}

#[test]
fn results_follow_in_the_order_of_the_calls_with_the_names_looked_up() {
    let request = history(
        vec![Part::text("so"), call("a", "{\"n\": 1}"), call("b", "")],
        vec![
            result("b", vec![Part::text("down")], true),
            result("a", vec![Part::text("{\"temp\": -3}")], false),
            Part::text("and?"),
        ],
    );
    assert_eq!(
        parts(&request, 1),
        json!([
            {"text": "so"},
            {"functionCall": {"name": "f_a", "args": {"n": 1}}},
            {"functionCall": {"name": "f_b", "args": {}}}
        ])
    );
    assert_eq!(
        parts(&request, 2),
        json!([
            {"functionResponse": {"name": "f_a", "response": {"output": {"temp": -3}}}},
            {"functionResponse": {"name": "f_b", "response": {"error": "down"}}},
            {"text": "and?"}
        ])
    );
}

#[test]
fn texts_and_media_of_a_result_go_to_their_places() {
    let media = Media::Inline { mime: "image/png".into(), base64: "AA==".into() };
    let image = Part::new(PartKind::Image { media, detail: None });
    let content = vec![Part::text("one"), image, Part::text("two")];
    let request = history(vec![call("a", "{}")], vec![result("a", content, false)]);
    assert_eq!(
        parts(&request, 2),
        json!([{"functionResponse": {
            "name": "f_a",
            "response": {"output": "one\ntwo"},
            "parts": [{"inlineData": {"mimeType": "image/png", "data": "AA=="}}]
        }}])
    );
}

#[test]
fn arguments_that_are_no_object_are_refused_by_their_message() {
    for args in ["{\"a\":", "[7]", "\"x\""] {
        let request = history(vec![call("a", args)], vec![result("a", vec![], false)]);
        let refused = to().encoded(&request).unwrap_err();
        assert_eq!(refused.field, "messages[1]", "{args}");
        assert!(!refused.message.contains(args));
    }
}

#[test]
fn arguments_keep_the_digits_of_their_numbers() {
    let request = history(
        vec![call("a", "{\"id\": 12345678901234567890123}")],
        vec![result("a", vec![Part::text("ok")], false)],
    );
    let (body, _) = to().encoded(&request).unwrap();
    assert!(body.to_string().contains("12345678901234567890123"), "{body}");
}

#[test]
fn free_input_is_wrapped_as_the_declared_function_takes_it() {
    let args = Args::Free("ls -l".into());
    let free = PartKind::ToolCall(ToolCall { id: "a".into(), name: "sh".into(), args });
    let request = history(vec![Part::new(free)], vec![result("a", vec![Part::text("ok")], false)]);
    assert_eq!(parts(&request, 1)[0]["functionCall"], json!({"name": "sh", "args": {"input": "ls -l"}}));
}

#[test]
fn the_first_call_after_the_users_last_words_gets_the_filler_and_no_other() {
    let mut request =
        history(vec![call("a", "{}")], vec![result("a", vec![Part::text("1")], false), Part::text("more")]);
    request.turns.push(Turn::new(Role::Assistant, vec![call("b", "{}"), call("c", "{}")]));
    let results = ["b", "c"].map(|id| result(id, vec![Part::text("2")], false));
    request.turns.push(Turn::new(Role::User, results.to_vec()));
    assert_eq!(parts(&request, 1)[0].get("thoughtSignature"), None, "of an earlier turn");
    assert_eq!(parts(&request, 3)[0]["thoughtSignature"], "skip_thought_signature_validator");
    assert_eq!(parts(&request, 3)[1].get("thoughtSignature"), None, "not the first");
}

#[test]
fn a_signature_in_an_envelope_comes_back_on_the_part_that_it_came_on() {
    let after = || vec![result("a", vec![Part::text("1")], false)];
    let next = history(vec![carrier(&gemini(Place::Next)), call("a", "{}")], after());
    assert_eq!(
        parts(&next, 1),
        json!([{"functionCall": {"id": "gem1", "name": "f_a", "args": {}}, "thoughtSignature": "c2ln"}])
    );
    assert_eq!(parts(&next, 2)[0]["functionResponse"]["id"], "gem1");
    let previous = history(
        vec![Part::text("said"), carrier(&gemini(Place::Previous)), call("a", "{}")],
        vec![result("a", vec![Part::text("1")], false), Part::text("go")],
    );
    assert_eq!(parts(&previous, 1)[0], json!({"text": "said", "thoughtSignature": "c2ln"}));
    let here = history(vec![carrier(&gemini(Place::Here)), Part::text("said")], vec![Part::text("go")]);
    assert_eq!(parts(&here, 1)[0], json!({"text": "", "thoughtSignature": "c2ln"}));
}

#[test]
fn calls_beside_one_that_gemini_signed_keep_their_ids_unless_the_gateway_made_them() {
    let made = "call_0123456789abcdef01234567";
    let request = history(
        vec![carrier(&gemini(Place::Next)), call("a", "{}"), call("b", "{}"), call(made, "{}")],
        ["a", "b", made].map(|id| result(id, vec![Part::text("1")], false)).to_vec(),
    );
    let ids = |turn: usize, key: &str| -> Vec<Value> {
        let parts = parts(&request, turn);
        parts.as_array().unwrap().iter().map(|part| part[key]["id"].clone()).collect()
    };
    assert_eq!(ids(1, "functionCall"), [json!("gem1"), json!("b"), Value::Null]);
    assert_eq!(ids(1, "functionCall"), ids(2, "functionResponse"));
}

#[test]
fn reasoning_of_another_provider_is_dropped_without_a_word_and_its_calls_get_the_filler() {
    let state = State { text: Some("secret".into()), ..State::native(Dialect::Anthropic, "sig") };
    let thinking = PartKind::Reasoning { text: "aloud".into(), form: ReasoningForm::Summary };
    let native = Part { state: Some(Opaque::Native(state.clone())), ..Part::new(thinking) };
    let request = history(
        vec![native, carrier(&state), call("a", "{}")],
        vec![result("a", vec![Part::text("1")], false)],
    );
    let (body, notes) = to().encoded(&request).unwrap();
    assert_eq!(
        body["contents"][1]["parts"],
        json!([{"functionCall": {"name": "f_a", "args": {}},
                "thoughtSignature": "skip_thought_signature_validator"}])
    );
    assert!(notes.losses.is_empty());
}

#[test]
fn a_turn_of_foreign_reasoning_alone_leaves_no_empty_parts() {
    let request = history(vec![carrier(&State::native(Dialect::Anthropic, "sig"))], vec![Part::text("go")]);
    let expected = json!([{"role": "user", "parts": [{"text": "hi"}, {"text": "go"}]}]);
    assert_eq!(written(&request)["contents"], expected);
}

#[test]
fn a_refusal_in_the_history_is_text_and_an_answer_at_the_end_is_continued() {
    let mut request = chat();
    let refusal = PartKind::Refusal("no".into());
    request.turns.push(Turn::new(Role::Assistant, vec![Part::new(refusal)]));
    let (body, notes) = to().encoded(&request).unwrap();
    assert_eq!(body["contents"][1]["parts"], json!([{"text": "no"}]));
    assert_eq!(body["contents"][2], json!({"role": "user", "parts": [{"text": "(continue)"}]}));
    assert_eq!(notes.losses.header().as_deref(), Some("messages=continued"));
}

/// What a Gemini client sends after a provider of another dialect answered it.
fn mixed(sealed: &str) -> Value {
    json!({"contents": [
        {"role": "user", "parts": [{"text": "hi"}]},
        {"role": "model", "parts": [
            {"text": "aloud", "thought": true},
            {"functionCall": {"id": "toolu_1", "name": "f", "args": {}}, "thoughtSignature": sealed}
        ]},
        {"role": "user", "parts": [
            {"functionResponse": {"id": "toolu_1", "name": "f", "response": {"output": "{\"a\":1}"}}}
        ]}
    ]})
}

#[test]
fn envelopes_of_other_providers_are_stripped_from_a_gemini_clients_history() {
    let sealed = sealer().seal(&State::native(Dialect::Anthropic, "sig"));
    let body = written(&decode(mixed(&sealed)).unwrap());
    assert_eq!(
        body["contents"][1]["parts"],
        json!([{"functionCall": {"name": "f", "args": {}},
                "thoughtSignature": "skip_thought_signature_validator"}])
    );
    assert_eq!(
        body["contents"][2]["parts"][0]["functionResponse"],
        json!({"name": "f", "response": {"output": "{\"a\":1}"}})
    );
}

#[test]
fn a_history_that_gemini_made_keeps_its_thoughts_ids_and_signatures() {
    let body = mixed("c2ln");
    assert_eq!(written(&decode(body.clone()).unwrap()), body);
}

#[test]
fn empty_texts_are_left_out() {
    let mut request = chat();
    request.turns[0].parts.push(Part::text(""));
    assert_eq!(written(&request), written(&chat()));
    let native = json!({"contents": [
        {"role": "user", "parts": [{"text": ""}, {"text": "hi"}]}, {"role": "model", "parts": [{"text": ""}]}
    ]});
    assert_eq!(written(&decode(native).unwrap()), written(&chat()));
}

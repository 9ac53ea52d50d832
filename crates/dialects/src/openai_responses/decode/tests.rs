use crate::{
    envelope::PREFIX,
    form::{Opaque, PartKind, ReasoningForm, Role, Tier},
    openai_responses::testing::decoded,
};
use serde_json::{Value, json};

fn refused(body: Value) -> String {
    decoded(&body).unwrap_err().field.into_owned()
}

#[test]
fn items_of_the_model_that_follow_each_other_make_one_turn() {
    let request = decoded(&json!({"input": [
        {"role": "user", "content": "a"},
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"},
        {"role": "assistant", "content": "b"},
        {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
        {"type": "function_call", "call_id": "c2", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c2", "output": "2"},
        {"type": "function_call_output", "call_id": "c1", "output": "1"},
        {"role": "user", "content": "c"},
        {"role": "assistant", "content": "d"},
        {"role": "assistant", "content": "e"},
    ]}))
    .unwrap();
    let shape: Vec<_> = request.turns.iter().map(|turn| (turn.role, turn.parts.len())).collect();
    let (user, assistant) = (Role::User, Role::Assistant);
    assert_eq!(shape, [(user, 1), (assistant, 4), (user, 2), (user, 1), (assistant, 1), (assistant, 1)]);
}

#[test]
fn an_envelope_is_told_from_the_providers_own_state() {
    let request = decoded(&json!({"input": [
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"},
        {"type": "reasoning", "id": "rs_2", "summary": [], "encrypted_content": format!("{PREFIX}abc")},
    ]}))
    .unwrap();
    let states: Vec<_> = request.turns[0].parts.iter().map(|part| part.state.clone().unwrap()).collect();
    assert!(matches!(&states[0], Opaque::Native(state) if state.item_id.as_deref() == Some("rs_1")));
    assert!(matches!(&states[1], Opaque::Sealed(_)));
}

#[test]
fn reasoning_is_a_summary_its_text_or_hidden() {
    let request = decoded(&json!({"input": [
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "a"}, {"type": "summary_text", "text": "b"}]},
        {"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "c"}]},
        {"type": "reasoning", "summary": [], "encrypted_content": "gAAA"},
    ]}))
    .unwrap();
    let read: Vec<_> = request.turns[0].parts.iter().map(|part| part.kind.clone()).collect();
    let reasoning = |text: &str, form| PartKind::Reasoning { text: text.into(), form };
    assert_eq!(
        read,
        [
            reasoning("a\n\nb", ReasoningForm::Summary),
            reasoning("c", ReasoningForm::Raw),
            reasoning("", ReasoningForm::Hidden)
        ]
    );
}

#[test]
fn state_that_the_provider_keeps_is_named() {
    let request = decoded(&json!({
        "previous_response_id": "resp_1", "conversation": "conv_1", "background": true, "prompt": {"id": "p"},
        "input": [{"type": "item_reference", "id": "msg_1"}]
    }))
    .unwrap();
    assert_eq!(
        request.server_state,
        ["previous_response_id", "conversation", "prompt", "background", "input"]
    );
    assert!(decoded(&json!({"input": "hi", "background": false})).unwrap().server_state.is_empty());
}

#[test]
fn what_says_nothing_to_another_dialect_is_kept_apart_from_what_is_lost_there() {
    let request = decoded(&json!({
        "input": "hi", "store": true, "truncation": "disabled", "stream_options": {"include_obfuscation": false},
        "include": ["reasoning.encrypted_content"], "reasoning": {"summary": "concise"},
        "context_management": [], "service_tier": "default"
    }))
    .unwrap();
    let lost: Vec<_> = request.bag.of(request.from).map(|(name, _)| name).collect();
    assert_eq!(lost, ["context_management"]);
    assert_eq!(request.reasoning.shown, Some(true));
    assert_eq!(request.tier, Some(Tier::Standard));
}

#[test]
fn log_probabilities_are_asked_for_among_what_to_include() {
    let request =
        decoded(&json!({"input": "hi", "include": ["message.output_text.logprobs"], "top_logprobs": 2}));
    let sampling = request.unwrap().sampling;
    assert_eq!((sampling.logprobs, sampling.top_logprobs), (Some(true), Some(2)));
}

#[test]
fn a_refusal_names_the_field_in_the_clients_words() {
    assert_eq!(refused(json!({"input": 7})), "input");
    assert_eq!(refused(json!({"input": ["x"]})), "input[0]");
    assert_eq!(refused(json!({"input": [{}]})), "input[0].type");
    assert_eq!(refused(json!({"input": [{"role": "robot"}]})), "input[0].role");
    assert_eq!(
        refused(json!({"input": [{"role": "user", "content": [{"type": "input_text"}]}]})),
        "input[0].content[0].text"
    );
    assert_eq!(
        refused(json!({"input": [{"type": "function_call", "call_id": "", "name": "f", "arguments": ""}]})),
        "input[0].call_id"
    );
    assert_eq!(
        refused(json!({"input": [{"type": "function_call_output", "call_id": "c"}]})),
        "input[0].output"
    );
    assert_eq!(refused(json!({"reasoning": {"effort": "huge"}})), "reasoning.effort");
    assert_eq!(refused(json!({"text": {"format": {"type": "json_schema"}}})), "text.format.schema");
    assert_eq!(refused(json!({"tools": [{"name": "f"}]})), "tools[0].type");
    assert_eq!(refused(json!({"tool_choice": "perhaps"})), "tool_choice");
}

#[test]
fn a_part_that_nobody_knows_keeps_its_message_whole() {
    let message =
        json!({"type": "message", "role": "user", "content": [{"type": "hologram"}], "id": "msg_1"});
    let request = decoded(&json!({"input": [message]})).unwrap();
    let PartKind::Foreign { name, json, .. } = &request.turns[0].parts[0].kind else { panic!("it was read") };
    assert_eq!((name.as_str(), json), ("hologram", &message));
}

//! Instructions, turns and what stands in them (§9.3, §9.4 and the history's rows of §11).

use super::*;

fn chat(messages: Value) -> Ask {
    ask(Chat, json!({"messages": messages}))
}

#[test]
fn leading_instructions_have_a_place_everywhere() {
    chat(json!([{"role": "system", "content": "be brief"}, {"role": "user", "content": "hi"}])).becomes([
        own(),
        has("/instructions", "be brief"),
        has("/system", "be brief"),
        has("/systemInstruction/parts/0/text", "be brief"),
    ]);
}

#[test]
fn later_instructions_are_a_block_where_there_is_no_role_for_them() {
    let messages = json!([{"role": "user", "content": "hi"}, {"role": "system", "content": "be brief"}, {"role": "user", "content": "so?"}]);
    let block = "<system>\nbe brief\n</system>";
    let old = ModelTraits { system_anywhere: false, ..ModelTraits::default() };
    chat(messages.clone()).of(old.clone()).to(Anthropic, has("/messages/0/content/1/text", block));
    chat(messages.clone()).to(Gemini, has("/contents/0/parts/1/text", block));
    let new = ModelTraits { system_anywhere: true, ..ModelTraits::default() };
    chat(messages).of(new).to(Anthropic, has("/messages/1/role", "system"));
}

#[test]
fn developers_are_systems_to_servers_that_do_not_know_them() {
    let messages = json!([{"role": "developer", "content": "be brief"}, {"role": "user", "content": "hi"}]);
    let older = Profile { developer_role: false, ..Profile::default() };
    chat(messages).by(older).to(Chat, has("/messages/0/role", "system"));
}

#[test]
fn instructions_alone_are_said_by_the_user_where_one_must_speak() {
    let messages = json!([{"role": "system", "content": "say hi"}]);
    chat(messages)
        .to(Anthropic, has("/messages/0/role", "user").and("/system", Value::Null))
        .to(Gemini, has("/contents/0/parts/0/text", "say hi"));
}

#[test]
fn a_model_that_speaks_first_or_last_is_answered_to_continue() {
    let first = json!([{"role": "assistant", "content": "hello"}, {"role": "user", "content": "hi"}]);
    chat(first).becomes([
        own(),
        has("/input/0/role", "assistant"),
        warns("messages=continued").and("/messages/0/role", "user"),
        warns("messages=continued").and("/contents/0/parts/0/text", "(continue)"),
    ]);
    let no_prefill = ModelTraits { prefill: false, ..ModelTraits::default() };
    let last = json!([{"role": "user", "content": "hi"}, {"role": "assistant", "content": "{"}]);
    let continued = || warns("messages=continued");
    chat(last.clone()).of(no_prefill).becomes([
        own(),
        continued().and("/input/2/content", "(continue)"),
        continued().and("/messages/2/role", "user"),
        continued().and("/contents/2/role", "user"),
    ]);
    let prefill = ModelTraits { prefill: true, ..ModelTraits::default() };
    chat(last.clone()).of(prefill).to(Anthropic, without("/messages/2"));
    ask(Anthropic, json!({"messages": last})).to(Chat, continued().and("/messages/2/content", "(continue)"));
    let last =
        json!([{"role": "user", "parts": [{"text": "hi"}]}, {"role": "model", "parts": [{"text": "{"}]}]);
    ask(Gemini, json!({"contents": last})).to(Chat, warns("contents=continued"));
}

#[test]
fn a_user_who_says_nothing_is_refused() {
    let none = refused("messages[0]");
    chat(json!([{"role": "user", "content": ""}])).to(Anthropic, none).to(Gemini, refused("messages[0]"));
    let messages = json!([{"role": "user", "content": [{"type": "text", "text": ""}]}]);
    ask(Anthropic, json!({"messages": messages}))
        .to(Chat, refused("messages"))
        .to(Responses, refused("messages"));
}

#[test]
fn names_of_participants_are_told_by_chat_alone() {
    let dropped = || warns("messages.name=dropped");
    chat(json!([{"role": "user", "name": "ann", "content": "hi"}])).becomes([
        own(),
        dropped(),
        dropped(),
        dropped(),
    ]);
}

#[test]
fn refusals_in_the_history_are_text_to_those_who_know_none() {
    let messages = json!([{"role": "user", "content": "hi"}, {"role": "assistant", "content": null, "refusal": "no"}, {"role": "user", "content": "so?"}]);
    chat(messages).becomes([
        own(),
        has("/input/1/content/0", json!({"type": "refusal", "refusal": "no"})),
        has("/messages/1/content/0/text", "no"),
        has("/contents/1/parts/0/text", "no"),
    ]);
}

#[test]
fn thinking_of_another_provider_is_left_out_without_a_word() {
    let thinking = json!({"type": "thinking", "thinking": "hm", "signature": "c2ln"});
    let said = json!({"type": "text", "text": "hello"});
    let messages = json!([{"role": "user", "content": "hi"}, {"role": "assistant", "content": [thinking, said]}, {"role": "user", "content": "so?"}]);
    ask(Anthropic, json!({"messages": messages})).becomes([
        has("/messages/1", json!({"role": "assistant", "content": "hello"})),
        has("/input/1/content/0/text", "hello"),
        own(),
        has("/contents/1/parts", json!([{"text": "hello"}])),
    ]);
}

#[test]
fn a_loop_of_calls_without_its_thinking_is_gone_on_without() {
    let call = json!({"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}"});
    let result = json!({"type": "function_call_output", "call_id": "call_1", "output": "ok"});
    let reasoning = json!({"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "x"});
    let fields = json!({"input": [{"role": "user", "content": "hi"}, reasoning, call, result], "reasoning": {"effort": "low"}});
    ask(Responses, fields)
        .to(Anthropic, warns("reasoning.effort=disabled").and("/thinking/type", "disabled"))
        .to(Gemini, has("/contents/1/parts/0/thoughtSignature", "skip_thought_signature_validator"));
}

#[test]
fn citations_that_are_asked_for_are_dropped_elsewhere() {
    let source = json!({"type": "text", "media_type": "text/plain", "data": "words"});
    let document = json!({"type": "document", "source": source, "citations": {"enabled": true}});
    let dropped = || warns("messages.citations=dropped");
    ask(Anthropic, json!({"messages": [{"role": "user", "content": [document]}]})).becomes([
        dropped(),
        dropped(),
        own(),
        dropped(),
    ]);
}

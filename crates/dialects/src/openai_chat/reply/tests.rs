use super::*;
use crate::{
    fixtures,
    form::{
        Args, Choice, Citation, Finish, Losses, Opaque, Part, PartKind, Place, ReasoningForm, Reply, State,
        Tier, ToolCall,
    },
    openai_chat::{
        CHAT,
        testing::{context, decoded},
    },
    scene::sealer,
    translate::ReplyContext,
};
use cliproxy_domain::{Dialect, Failure, TokenUsage};
use serde_json::{Value, json};

fn recorded(name: &str) -> Value {
    serde_json::from_slice(&fixtures::read(&format!("openai-chat/{name}.response.json"))).unwrap()
}

fn read(body: &Value) -> Reply {
    decode_reply(body.to_string().as_bytes()).unwrap()
}

fn written(reply: &Reply, context: &ReplyContext) -> (Value, Option<String>) {
    let mut losses = Losses::default();
    let body = encode_reply(reply, context, &mut losses);
    (serde_json::from_slice(&body).unwrap(), losses.header())
}

fn answer(parts: Vec<Part>, finish: Finish) -> Reply {
    let choices = vec![Choice { index: 0, parts, finish, logprobs: None }];
    Reply { id: None, model: None, created: None, choices, usage: None, tier: None, fingerprint: None }
}

fn message(parts: Vec<Part>, context: &ReplyContext) -> Value {
    written(&answer(parts, Finish::End), context).0["choices"][0]["message"].take()
}

fn reasoning(text: &str, state: State) -> Part {
    let kind = PartKind::Reasoning { text: text.into(), form: ReasoningForm::Summary };
    Part { state: Some(Opaque::Native(state)), ..Part::new(kind) }
}

fn call(state: Option<State>) -> Part {
    let call = ToolCall { id: "c1".into(), name: "f".into(), args: Args::Json("{}".into()) };
    Part { state: state.map(Opaque::Native), ..Part::new(PartKind::ToolCall(call)) }
}

/// Takes out of a recorded answer what the gateway says anew, what it does not know, and counts that are nobody's.
fn normal(mut body: Value) -> Value {
    let fields = body.as_object_mut().unwrap();
    fields.insert("id".into(), json!(context(CHAT).ids.answer(CHAT)));
    fields.insert("model".into(), json!("asked"));
    fields.shift_remove("provider_extra");
    for choice in body["choices"].as_array_mut().unwrap() {
        choice["message"].as_object_mut().unwrap().shift_remove("citations_v2");
    }
    let usage = body["usage"].as_object_mut().unwrap();
    usage.shift_remove("energy_mj");
    for (details, kept) in [
        ("prompt_tokens_details", &["cached_tokens", "cache_write_tokens"][..]),
        ("completion_tokens_details", &["reasoning_tokens"][..]),
    ] {
        usage[details].as_object_mut().unwrap().retain(|name, _| kept.contains(&name.as_str()));
    }
    body
}

#[test]
fn every_recorded_answer_comes_out_as_it_came_in() {
    let names = fixtures::names("openai-chat", ".response.json");
    assert!(names.len() > 12);
    for name in names.iter().filter(|name| !name.starts_with("embeddings")) {
        let body: Value = serde_json::from_slice(&fixtures::read(&format!("openai-chat/{name}"))).unwrap();
        let (again, losses) = written(&read(&body), &context(CHAT));
        assert_eq!(again, normal(body), "{name}");
        assert_eq!(losses, None, "{name}");
    }
}

#[test]
fn an_answer_is_read_into_its_parts() {
    let reply = read(&recorded("tool-parallel"));
    let kinds: Vec<&PartKind> = reply.choices[0].parts.iter().map(|part| &part.kind).collect();
    assert!(matches!(kinds[..], [PartKind::Text { .. }, PartKind::ToolCall(_), PartKind::ToolCall(_)]));
    assert_eq!((&reply.choices[0].finish, reply.tier), (&Finish::ToolUse, Some(Tier::Standard)));
    assert_eq!(reply.created, Some(1_790_000_000));
    let reply = read(&recorded("thinking-reasoning-content"));
    let raw = PartKind::Reasoning { text: "Try 7: 7 x 13 = 91.".into(), form: ReasoningForm::Raw };
    assert_eq!(reply.choices[0].parts[0].kind, raw);
    assert_eq!(reply.usage.unwrap().reasoning, 128);
    assert_eq!(read(&recorded("n2")).choices.len(), 2);
}

#[test]
fn usage_is_told_as_the_golden_table_says() {
    let golden: Value = serde_json::from_slice(&fixtures::read("golden/usage.json")).unwrap();
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
        let reply = Reply { usage: Some(usage), ..answer(vec![Part::text("a")], Finish::End) };
        assert_eq!(written(&reply, &context(Dialect::Anthropic)).0["usage"], case["openai-chat"]);
    }
}

#[test]
fn usage_that_nobody_reported_is_left_out() {
    let (body, _) = written(&answer(vec![Part::text("a")], Finish::End), &context(Dialect::Gemini));
    assert_eq!((body.get("usage"), &body["created"]), (None, &json!(17)));
}

#[test]
fn what_servers_leave_out_or_spell_their_own_way_is_read() {
    let reply = read(&json!({
        "id": "", "created": 0,
        "choices": [{"message": {
            "content": [{"type": "text", "text": "So"}, {"type": "text", "text": "."}],
            "reasoning_details": [{"type": "reasoning.text", "text": "Try 7.", "signature": "c2ln"}],
            "tool_calls": [
                {"function": {"name": "f", "arguments": {"a": 1}}},
                {"function": {"name": "g", "arguments": ""}, "extra_content": {"google": {"thought_signature": "s"}}}
            ]
        }, "finish_reason": null}]
    }));
    assert_eq!((reply.id, reply.created, reply.usage), (None, None, None));
    let [thought, text, first, second] = &reply.choices[0].parts[..] else { panic!("{:?}", reply.choices) };
    assert!(matches!(&thought.state, Some(Opaque::Native(state)) if state.payload.contains("c2ln")));
    assert_eq!(text.as_text(), Some("So."));
    let (PartKind::ToolCall(first), PartKind::ToolCall(call)) = (&first.kind, &second.kind) else { panic!() };
    assert_eq!((&first.args, &call.args), (&Args::Json(r#"{"a":1}"#.into()), &Args::Json("{}".into())));
    assert!(!first.id.is_empty() && first.id != call.id);
    assert_eq!(second.state, Some(Opaque::Native(State::native(CHAT, "s"))));
    assert_eq!(reply.choices[0].finish, Finish::ToolUse);
}

#[test]
fn the_older_function_call_is_a_call() {
    let call = json!({"name": "f", "arguments": "{}"});
    let choice =
        json!({"message": {"content": null, "function_call": call}, "finish_reason": "function_call"});
    let reply = read(&json!({"id": "x", "choices": [choice]}));
    assert!(matches!(&reply.choices[0].parts[0].kind, PartKind::ToolCall(call) if call.name == "f"));
    assert_eq!(reply.choices[0].finish, Finish::ToolUse);
}

#[test]
fn what_is_no_answer_is_an_error() {
    let failure = |body: Value| decode_reply(body.to_string().as_bytes()).unwrap_err().failure;
    for body in [json!([]), json!("x"), json!({"choices": []}), json!({"choices": [{}]}), json!({})] {
        assert_eq!(failure(body.clone()), Failure::MalformedReply, "{body}");
    }
    assert_eq!(decode_reply(b"<html>").unwrap_err().failure, Failure::MalformedReply);
    let unnamed = json!({"choices": [{"message": {"tool_calls": [{"function": {"arguments": "{}"}}]}}]});
    assert_eq!(failure(unnamed), Failure::MalformedReply);
    let error = json!({"error": {"message": "busy", "type": "server_error"}, "choices": []});
    assert_eq!(failure(error), Failure::Upstream);
    let broken = json!({"choices": [{"message": {"content": "So"}, "finish_reason": "error"}]});
    assert_eq!(failure(broken), Failure::Upstream);
}

#[test]
fn a_lone_surrogate_does_not_lose_the_answer() {
    let body = br#"{"choices":[{"message":{"content":"a\ud83d"},"finish_reason":"stop"}]}"#;
    let reply = decode_reply(body).unwrap();
    assert_eq!(reply.choices[0].parts[0].as_text(), Some("a\u{fffd}"));
}

#[test]
fn reasoning_is_shown_to_those_who_asked_for_it() {
    let parts = || vec![reasoning("Try 7.", State::native(Dialect::Anthropic, "c2ln")), Part::text("No.")];
    let mut context = context(Dialect::Anthropic);
    assert_eq!(message(parts(), &context).get("reasoning_content"), None);
    context.shows_reasoning = true;
    assert_eq!(message(parts(), &context)["reasoning_content"], "Try 7.");
}

#[test]
fn a_signature_of_a_call_travels_on_the_call() {
    let context = context(Dialect::Gemini);
    let message = message(vec![call(Some(State::native(Dialect::Gemini, "c2ln"))), call(None)], &context);
    let signature = &message["tool_calls"][0]["extra_content"]["google"]["thought_signature"];
    let state = sealer().open(signature.as_str().unwrap()).unwrap();
    assert_eq!((state.place, state.payload.as_str()), (Place::Next, "c2ln"));
    assert_eq!(state.model.as_deref(), Some("upstream-model"));
    assert_eq!(message["tool_calls"][1].get("extra_content"), None);
}

#[test]
fn signed_reasoning_travels_on_the_next_call_and_comes_back_to_its_place() {
    let context = context(Dialect::Anthropic);
    let redacted = State { redacted: true, ..State::native(Dialect::Anthropic, "two") };
    let parts = vec![
        reasoning("Hm.", State::native(Dialect::Anthropic, "one")),
        Part::text("Looking."),
        reasoning("", redacted),
        call(None),
    ];
    let message = message(parts, &context);
    let request = decoded(json!({"messages": [message]})).unwrap();
    let [one, text, two, called] = &request.turns[0].parts[..] else { panic!("{:?}", request.turns) };
    let opened = |part: &Part| match &part.state {
        Some(Opaque::Sealed(envelope)) => sealer().open(envelope).unwrap(),
        other => panic!("{other:?}"),
    };
    assert_eq!(text.as_text(), Some("Looking."));
    assert!(matches!(called.kind, PartKind::ToolCall(_)));
    let (one, two) = (opened(one), opened(two));
    assert_eq!((one.text.as_deref(), one.payload.as_str(), one.place), (Some("Hm."), "one", Place::Here));
    assert_eq!((two.text, two.redacted, two.credential), (None, true, None));
}

#[test]
fn encrypted_reasoning_of_responses_is_bound_to_its_credential() {
    let state = State { item_id: Some("rs_1".into()), ..State::native(Dialect::OpenAiResponses, "ZGF0YQ==") };
    let message = message(vec![reasoning("", state), call(None)], &context(Dialect::OpenAiResponses));
    let signature =
        message["tool_calls"][0]["extra_content"]["google"]["thought_signature"].as_str().unwrap();
    // It stood before the text, of which there is none.
    let opened = sealer().open(signature.trim_end_matches(';')).unwrap();
    assert_eq!((opened.credential.as_deref(), opened.item_id.as_deref()), (Some("key-1"), Some("rs_1")));
}

#[test]
fn free_form_calls_are_custom_calls() {
    let free = ToolCall { id: "c1".into(), name: "sql".into(), args: Args::Free("select 1;".into()) };
    let message = message(vec![Part::new(PartKind::ToolCall(free))], &context(Dialect::OpenAiResponses));
    let expected = json!({"id": "c1", "type": "custom", "custom": {"name": "sql", "input": "select 1;"}});
    assert_eq!(message["tool_calls"][0], expected);
    assert_eq!(message["content"], Value::Null);
}

#[test]
fn citations_with_a_url_are_annotations_and_others_are_dropped() {
    let citation = |url: Option<&str>| Citation {
        url: url.map(str::to_owned),
        title: Some("T".into()),
        text: None,
        start: Some(2),
        end: Some(5),
        raw: None,
    };
    let citations = vec![citation(Some("https://x")), citation(None)];
    let text = Part::new(PartKind::Text { text: "So it is.".into(), citations });
    let (body, losses) = written(&answer(vec![text], Finish::End), &context(Dialect::Anthropic));
    let inner = json!({"start_index": 2, "end_index": 5, "title": "T", "url": "https://x"});
    let annotations = json!([{"type": "url_citation", "url_citation": inner}]);
    assert_eq!(body["choices"][0]["message"]["annotations"], annotations);
    assert_eq!(losses.as_deref(), Some("citations=dropped"));
    let own = read(&body);
    let PartKind::Text { citations, .. } = &own.choices[0].parts[0].kind else { panic!() };
    assert_eq!((citations[0].url.as_deref(), citations[0].start), (Some("https://x"), Some(2)));
}

#[test]
fn a_refusal_says_why() {
    let finish = Finish::Refusal { category: None, explanation: Some("Not this.".into()) };
    let (body, _) = written(&answer(vec![Part::text("So")], finish), &context(Dialect::Anthropic));
    let choice = &body["choices"][0];
    assert_eq!(
        (&choice["finish_reason"], &choice["message"]["refusal"]),
        (&json!("content_filter"), &json!("Not this."))
    );
}

#[test]
fn log_probabilities_are_passed_on() {
    let logprobs = json!({"content": [{"token": "a", "logprob": -0.1, "bytes": null, "top_logprobs": []}], "refusal": null});
    let choice =
        json!({"index": 0, "message": {"content": "a"}, "logprobs": logprobs, "finish_reason": "stop"});
    let (body, _) = written(&read(&json!({"choices": [choice]})), &context(CHAT));
    assert_eq!(body["choices"][0]["logprobs"], logprobs);
}

use crate::{
    envelope::PREFIX,
    fixtures,
    form::{
        Args, CacheMark, Detail, Media, Opaque, OutputFormat, PartKind, ReasoningForm, Request, Role, State,
        Tier, ToolChoice, ToolKind,
    },
    openai_chat::{CHAT, testing::decoded},
};
use cliproxy_domain::{Effort, Need};
use serde_json::{Value, json};

fn recorded(name: &str) -> Request {
    let body = fixtures::read(&format!("openai-chat/{name}.request.json"));
    decoded(serde_json::from_slice(&body).unwrap()).unwrap()
}

fn asked(fields: Value) -> Request {
    let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]});
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    decoded(body).unwrap()
}

fn refused(body: Value) -> String {
    decoded(body).unwrap_err().field.into_owned()
}

#[test]
fn parameters_are_read_by_their_meaning() {
    let request = recorded("text");
    assert_eq!((request.max_output, &request.stop[..]), (Some(64), &["END".to_owned()][..]));
    assert_eq!(request.sampling.temperature.unwrap().to_string(), "0.2");
    assert_eq!((request.user.as_deref(), request.tier), (Some("fx-user-1"), Some(Tier::Auto)));
    assert_eq!(request.metadata.unwrap()["trace"], "fx-1");
    assert_eq!(request.turns[0].role, Role::Developer);
    assert_eq!(request.quiet.get("store"), Some(&json!(false)));
    let request = recorded("thinking");
    assert_eq!((request.reasoning.effort, request.verbosity.as_deref()), (Some(Effort::High), Some("low")));
}

#[test]
fn older_names_are_read_as_their_successors() {
    let request = recorded("text-legacy");
    assert_eq!((request.max_output, &request.stop[..]), (Some(64), &["END".to_owned()][..]));
    assert_eq!((request.user.as_deref(), request.choices), (Some("fx-user-1"), Some(1)));
    assert_eq!((request.sampling.logprobs, request.sampling.top_logprobs), (Some(true), Some(2)));
    assert_eq!(request.turns[1].name.as_deref(), Some("ana"));
    assert_eq!(request.bag.get("logit_bias"), Some(&json!({"50256": -100})));
}

#[test]
fn functions_of_the_older_kind_are_tools_and_their_calls_get_ids() {
    let request = decoded(json!({
        "model": "m",
        "functions": [{"name": "f", "parameters": {"type": "object"}, "x_new": 1}],
        "function_call": {"name": "f"},
        "messages": [
            {"role": "user", "content": "go"},
            {"role": "assistant", "content": null, "function_call": {"name": "f", "arguments": "{}"}},
            {"role": "function", "name": "f", "content": "1"},
            {"role": "assistant", "content": null, "function_call": {"name": "f", "arguments": "{}"}},
            {"role": "function", "name": "f", "content": "2"}
        ]
    }))
    .unwrap();
    assert_eq!(request.tool_choice, Some(ToolChoice::One("f".into())));
    assert_eq!(request.tools[0].name, "f");
    assert_eq!(request.tools[0].bag.get("function"), Some(&json!({"x_new": 1})));
    let ids: Vec<&str> = request
        .turns
        .iter()
        .filter_map(|turn| match &turn.parts[0].kind {
            PartKind::ToolCall(call) => Some(call.id.as_str()),
            PartKind::ToolResult(result) => Some(result.id.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!((ids[0], ids[2]), (ids[1], ids[3]));
    assert_ne!(ids[0], ids[2]);
}

#[test]
fn results_of_the_older_kind_answer_calls_of_their_name_in_order() {
    let call = |name: &str| json!({"role": "assistant", "function_call": {"name": name, "arguments": "{}"}});
    let result = |name: &str| json!({"role": "function", "name": name, "content": "1"});
    let messages = [call("f"), call("g"), call("f"), result("g"), result("f"), result("f")];
    let request = decoded(json!({"model": "m", "messages": messages})).unwrap();
    let id = |turn: usize| match &request.turns[turn].parts[0].kind {
        PartKind::ToolCall(call) => call.id.clone(),
        PartKind::ToolResult(result) => result.id.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!([id(3), id(4), id(5)], [id(1), id(0), id(2)]);
    let once_more = [call("f"), result("f"), result("f")];
    let refused = decoded(json!({"model": "m", "messages": once_more})).unwrap_err();
    assert_eq!(refused.field, "messages[2].name");
}

#[test]
fn a_result_of_a_function_that_was_not_called_is_refused() {
    let messages = json!([{"role": "function", "name": "f", "content": "1"}]);
    assert_eq!(refused(json!({"messages": messages})), "messages[0].name");
}

#[test]
fn media_are_read_whatever_carries_them() {
    let request = recorded("image");
    let PartKind::Image { media: Media::Inline { mime, .. }, detail } = &request.turns[0].parts[1].kind
    else {
        panic!("{:?}", request.turns[0].parts[1]);
    };
    assert_eq!((mime.as_str(), *detail), ("image/png", Some(Detail::Low)));
    let url = Media::Url { url: "https://img.example/cat.jpg".into(), mime: None };
    assert_eq!(request.turns[0].parts[2].kind, PartKind::Image { media: url, detail: None });
    let request = recorded("file-audio");
    let needs = request.needs(cliproxy_domain::Dialect::Anthropic);
    assert!(needs.has(Need::Files) && needs.has(Need::Audio));
    let PartKind::File { media: Media::Inline { mime, .. }, name } = &request.turns[0].parts[0].kind else {
        panic!("{:?}", request.turns[0].parts[0]);
    };
    assert_eq!((mime.as_str(), name.as_deref()), ("application/pdf", Some("report.pdf")));
}

#[test]
fn what_only_another_server_of_the_provider_has_is_a_need() {
    let parts = json!([{"type": "file", "file": {"file_id": "file-1"}}]);
    let user = decoded(json!({"messages": [{"role": "user", "content": parts}]})).unwrap();
    let spoken = json!([{"role": "assistant", "audio": {"id": "audio_1"}}]);
    let assistant = decoded(json!({"messages": spoken})).unwrap();
    for request in [user, assistant] {
        assert!(request.needs(cliproxy_domain::Dialect::Gemini).has(Need::ServerState));
    }
}

#[test]
fn answers_with_sound_are_a_need_and_text_alone_is_none() {
    assert!(asked(json!({"modalities": ["text", "audio"], "audio": {"voice": "x"}})).media_output);
    assert!(!asked(json!({"modalities": ["text"]})).media_output);
}

#[test]
fn calls_and_results_keep_their_ids_and_places() {
    let request = recorded("tool-result");
    let PartKind::ToolCall(call) = &request.turns[2].parts[1].kind else { panic!() };
    assert_eq!((call.id.as_str(), call.name.as_str()), ("call_fx_oslo01", "get_weather"));
    assert_eq!(call.args, Args::Json(r#"{"city":"Oslo","unit":"celsius"}"#.into()));
    let PartKind::ToolResult(result) = &request.turns[3].parts[0].kind else { panic!() };
    assert_eq!((result.id.as_str(), result.error), ("call_fx_lima02", false));
    assert_eq!(request.turns.len(), 6, "a turn for each message");
}

#[test]
fn a_result_of_a_free_form_call_is_known_as_one() {
    let call = json!({"id": "c1", "type": "custom", "custom": {"name": "sql", "input": "select 1;"}});
    let request = decoded(json!({"messages": [
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "1"}
    ]}))
    .unwrap();
    let PartKind::ToolResult(result) = &request.turns[1].parts[0].kind else { panic!() };
    assert!(result.free);
}

#[test]
fn tools_and_the_choice_among_them_are_read() {
    let request = recorded("tool-choice-allowed");
    assert!(matches!(&request.tools[0].kind, ToolKind::Function { strict: Some(true), schema: Some(_) }));
    assert!(matches!(&request.tools[1].kind, ToolKind::Free(Some(_))));
    let some = ToolChoice::Some { names: vec!["get_weather".into()], required: false };
    assert_eq!(request.tool_choice, Some(some));
    assert_eq!(asked(json!({"tool_choice": "required"})).tool_choice, Some(ToolChoice::Required));
    let custom = json!({"type": "custom", "custom": {"name": "sql"}});
    assert_eq!(asked(json!({"tool_choice": custom})).tool_choice, Some(ToolChoice::One("sql".into())));
}

#[test]
fn formats_are_read() {
    assert_eq!(recorded("json-object").format, Some(OutputFormat::Json));
    let format = recorded("structured").format;
    let Some(OutputFormat::Schema { name, strict, .. }) = format else { panic!("{format:?}") };
    assert_eq!((name.as_deref(), strict), (Some("person"), Some(true)));
}

#[test]
fn a_mark_for_the_cache_is_read_in_the_mode_that_there_is() {
    let request = recorded("cache");
    assert_eq!(request.turns[0].parts[0].cache, Some(CacheMark { ttl: Some("30m".into()) }));
    assert_eq!(request.cache_key.as_deref(), Some("fx-key"));
}

#[test]
fn what_is_not_known_is_kept_where_it_stood() {
    let request = recorded("forward-compat");
    assert_eq!(request.bag.get("x_new_top"), Some(&json!({"a": null})));
    assert_eq!(request.turns[0].parts[0].bag.get("x_new"), Some(&json!(1)));
    let PartKind::Foreign { dialect: CHAT, name, json } = &request.turns[0].parts[1].kind else { panic!() };
    assert_eq!((name.as_str(), &json["hologram"]["id"]), ("hologram", &json!("h1")));
    let request = asked(json!({"reasoning_effort": "ultra", "response_format": {"type": "grammar"}}));
    assert_eq!(request.bag.get("reasoning_effort"), Some(&json!("ultra")));
    assert_eq!(request.bag.get("response_format"), Some(&json!({"type": "grammar"})));
}

#[test]
fn a_signature_of_a_provider_stays_on_its_call_and_envelopes_stand_before_it() {
    let call = |signature: &str| {
        json!({"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"},
            "extra_content": {"google": {"thought_signature": signature}}})
    };
    let turn = |signature: &str| {
        let message = json!({"role": "assistant", "content": "Looking.", "tool_calls": [call(signature)]});
        decoded(json!({"messages": [message]})).unwrap().turns.remove(0)
    };
    let native = turn("c2ln");
    assert_eq!(native.parts[1].state, Some(Opaque::Native(State::native(CHAT, "c2ln"))));
    let (one, other) = (format!("{PREFIX}one"), format!("{PREFIX}two"));
    let sealed = turn(&format!("{one};{other}"));
    let state = |at: usize| sealed.parts[at].state.clone();
    assert_eq!((state(0), state(2)), (Some(Opaque::Sealed(one)), Some(Opaque::Sealed(other))));
    assert_eq!(sealed.parts[1].as_text(), Some("Looking."));
    assert!(matches!(sealed.parts[3].kind, PartKind::ToolCall(_)) && state(3).is_none());
    assert!(sealed.parts.iter().all(|part| part.bag.is_empty()));
}

#[test]
fn reasoning_that_a_client_sends_back_comes_first() {
    for key in ["reasoning_content", "reasoning"] {
        let message = json!({"role": "assistant", "content": "No.", key: "Try 7."});
        let turn = decoded(json!({"messages": [message]})).unwrap().turns.remove(0);
        let reasoning = PartKind::Reasoning { text: "Try 7.".into(), form: ReasoningForm::Raw };
        assert_eq!(turn.parts[0].kind, reasoning);
        assert!(turn.bag.is_empty());
    }
}

#[test]
fn an_answer_that_a_client_sends_back_whole_leaves_nothing_over() {
    let message = json!({"role": "assistant", "content": "Oslo.", "refusal": null, "annotations": [],
        "audio": null, "function_call": null, "tool_calls": null});
    let turn = decoded(json!({"messages": [message]})).unwrap().turns.remove(0);
    assert!(turn.bag.is_empty() && turn.parts.len() == 1, "{turn:?}");
}

#[test]
fn what_is_wrong_is_named_by_its_path() {
    let one = |message: Value| json!({"messages": [{"role": "user", "content": "x"}, message]});
    let part = |part: Value| one(json!({"role": "user", "content": [part]}));
    let call = |call: Value| one(json!({"role": "assistant", "tool_calls": [call]}));
    let top = |name: &str, value: Value| json!({"messages": [{"role": "user", "content": "x"}], name: value});
    let named = |name: &str| json!({"type": "function", name: {"name": "f"}});
    for (body, field) in [
        (json!({"messages": []}), "messages"),
        (one(json!({"content": "x"})), "messages[1].role"),
        (one(json!({"role": "robot"})), "messages[1].role"),
        (one(json!({"role": "user"})), "messages[1].content"),
        (one(json!({"role": "user", "content": 7})), "messages[1].content"),
        (one(json!({"role": "tool", "content": "x"})), "messages[1].tool_call_id"),
        (part(json!({"text": "x"})), "messages[1].content[0].type"),
        (part(json!({"type": "text"})), "messages[1].content[0].text"),
        (
            part(json!({"type": "image_url", "image_url": {"url": "data:x"}})),
            "messages[1].content[0].image_url.url",
        ),
        (
            part(json!({"type": "file", "file": {"file_data": "JVBE"}})),
            "messages[1].content[0].file.file_data",
        ),
        (call(json!({"type": "function", "function": {"name": "f"}})), "messages[1].tool_calls[0].id"),
        (call(json!({"id": "c", "type": "x"})), "messages[1].tool_calls[0].type"),
        (top("stop", json!([7])), "stop"),
        (top("temperature", json!("hot")), "temperature"),
        (top("tool_choice", json!("any")), "tool_choice"),
        (top("tool_choice", json!({"type": "allowed_tools"})), "tool_choice.allowed_tools"),
        (top("tools", json!([named("other")])), "tools[0].function"),
        (top("response_format", json!({"type": "json_schema"})), "response_format.json_schema"),
        (top("metadata", json!([])), "metadata"),
    ] {
        assert_eq!(refused(body.clone()), field, "{body}");
    }
}

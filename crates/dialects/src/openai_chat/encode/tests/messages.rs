use super::parameters::asked;
use crate::{
    fixtures,
    form::{
        Args, Bag, Media, Opaque, Part, PartKind, Place, ReasoningForm, Request, Role, State, ToolCall,
        ToolResult, Turn,
    },
    openai_chat::{
        CHAT,
        testing::{compatible, decoded, encoded, to, to_server},
    },
    scene::{To, sealer},
};
use cliproxy_domain::{Dialect, Need, Profile, TranslationPolicy, UnsupportedTools};
use serde_json::{Map, Value, json};

fn conversation(turns: Vec<Turn>) -> Request {
    let mut request = Request::new(Dialect::Anthropic, "m");
    request.turns = turns;
    request
}

fn user(parts: Vec<Part>) -> Turn {
    Turn::new(Role::User, parts)
}

fn assistant(parts: Vec<Part>) -> Turn {
    Turn::new(Role::Assistant, parts)
}

fn call(id: &str, args: &str) -> Part {
    Part::new(PartKind::ToolCall(ToolCall { id: id.into(), name: "f".into(), args: Args::Json(args.into()) }))
}

fn result(id: &str, content: Vec<Part>) -> Part {
    let result = ToolResult { id: id.into(), name: None, error: true, free: false, content };
    Part::new(PartKind::ToolResult(result))
}

fn image() -> Part {
    let media = Media::Inline { mime: "image/png".into(), base64: "aGk=".into() };
    Part::new(PartKind::Image { media, detail: None })
}

fn reasoning(text: &str, state: Option<Opaque>) -> Part {
    let kind = PartKind::Reasoning { text: text.into(), form: ReasoningForm::Raw };
    Part { state, ..Part::new(kind) }
}

fn messages(request: &Request) -> Value {
    encoded(request).0["messages"].take()
}

#[test]
fn a_request_that_says_nothing_is_refused_in_the_clients_words() {
    let silent = conversation(Vec::new());
    assert_eq!(to().encoded(&silent).unwrap_err().field, "messages");
    let mut responses = conversation(vec![assistant(vec![reasoning("", None)])]);
    responses.from = Dialect::OpenAiResponses;
    assert_eq!(to().encoded(&responses).unwrap_err().field, "input");
}

#[test]
fn instructions_stay_where_they_are() {
    let golden: Value = serde_json::from_slice(&fixtures::read("golden/system-messages.json")).unwrap();
    let request = decoded(json!({"messages": golden["openai-chat"]})).unwrap();
    assert_eq!(messages(&request), golden["openai-chat"]);
}

#[test]
fn a_developer_is_a_system_to_servers_that_know_none() {
    let mut request = asked(Dialect::OpenAiResponses);
    request.turns.insert(0, Turn::new(Role::Developer, vec![Part::text("a"), Part::text("b")]));
    assert_eq!(messages(&request)[0]["role"], "developer");
    let (body, _) = to_server(compatible()).encoded(&request).unwrap();
    // They may know no lists of parts either.
    assert_eq!(body["messages"][0], json!({"role": "system", "content": "a\n\nb"}));
}

#[test]
fn results_are_messages_of_their_own_before_what_the_user_says() {
    let request = conversation(vec![
        user(vec![Part::text("go")]),
        assistant(vec![Part::text("So. "), call("c1", ""), Part::text("And."), call("c2", "{}")]),
        user(vec![result("c1", vec![Part::text("1")]), result("c2", vec![]), Part::text("thanks")]),
    ]);
    let called =
        |id: &str| json!({"id": id, "type": "function", "function": {"name": "f", "arguments": "{}"}});
    assert_eq!(
        messages(&request),
        json!([
            {"role": "user", "content": "go"},
            {"role": "assistant", "content": "So. And.", "tool_calls": [called("c1"), called("c2")]},
            {"role": "tool", "tool_call_id": "c1", "content": "1"},
            {"role": "tool", "tool_call_id": "c2", "content": ""},
            {"role": "user", "content": "thanks"}
        ])
    );
}

#[test]
fn images_of_results_follow_the_last_of_them_in_a_users_message() {
    let turns = vec![
        user(vec![Part::text("go")]),
        assistant(vec![call("c1", "{}"), call("c2", "{}")]),
        user(vec![result("c1", vec![Part::text("see"), image()]), result("c2", vec![Part::text("2")])]),
    ];
    let shown = json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}});
    let see = json!([{"type": "text", "text": "see"}, {"type": "text", "text": "(image below)"}]);
    let written = messages(&conversation(turns.clone()));
    assert_eq!(written[2]["content"], see);
    assert_eq!(written[3]["content"], "2");
    assert_eq!(written[4], json!({"role": "user", "content": [shown]}));
    let mut talking = turns;
    talking.push(user(vec![Part::text("well?")]));
    let written = messages(&conversation(talking));
    let well = json!({"type": "text", "text": "well?"});
    assert_eq!(written[4], json!({"role": "user", "content": [shown, well]}));
}

#[test]
fn ids_are_fitted_to_the_server_and_match() {
    let long = "x".repeat(50);
    let request = conversation(vec![
        user(vec![Part::text("go")]),
        assistant(vec![call(&long, "{}")]),
        user(vec![result(&long, vec![Part::text("1")])]),
    ]);
    assert_eq!(messages(&request)[1]["tool_calls"][0]["id"], long);
    let azure = Profile { max_tool_id: 40, ..Profile::default() };
    let (body, _) = to_server(azure).encoded(&request).unwrap();
    let id = body["messages"][1]["tool_calls"][0]["id"].as_str().unwrap();
    assert_eq!((id.len(), &body["messages"][2]["tool_call_id"]), (40, &json!(id)));
}

#[test]
fn empty_texts_are_left_out_and_an_empty_user_is_refused() {
    let request = conversation(vec![user(vec![Part::text(""), Part::text("a")])]);
    assert_eq!(messages(&request), json!([{"role": "user", "content": "a"}]));
    let silent = conversation(vec![user(vec![Part::text("")])]);
    assert_eq!(to().encoded(&silent).unwrap_err().field, "messages");
}

#[test]
fn a_conversation_of_another_dialect_ends_with_the_user() {
    let turns = vec![user(vec![Part::text("go")]), assistant(vec![Part::text("{")])];
    let request = conversation(turns);
    let (body, warnings) = encoded(&request);
    assert_eq!(body["messages"][2], json!({"role": "user", "content": "(continue)"}));
    assert_eq!(warnings.as_deref(), Some("messages=continued"));
    let own = Request { from: CHAT, ..request };
    assert_eq!((messages(&own).as_array().unwrap().len(), encoded(&own).1), (2, None));
}

#[test]
fn refusals_of_the_model_are_its_words_where_none_are_known() {
    let refusal = Part::new(PartKind::Refusal("No.".into()));
    let request = conversation(vec![
        user(vec![Part::text("go")]),
        assistant(vec![refusal]),
        user(vec![Part::text("why")]),
    ]);
    assert_eq!(messages(&request)[1], json!({"role": "assistant", "content": null, "refusal": "No."}));
    let (body, _) = to_server(compatible()).encoded(&request).unwrap();
    assert_eq!(body["messages"][1], json!({"role": "assistant", "content": "No."}));
}

#[test]
fn reasoning_goes_to_servers_that_take_it_in_their_own_field() {
    let request = conversation(vec![
        user(vec![Part::text("go")]),
        assistant(vec![reasoning("Try 7.", None), Part::text("No.")]),
        user(vec![Part::text("why")]),
    ]);
    let (body, warnings) = encoded(&request);
    assert_eq!(body["messages"][1], json!({"role": "assistant", "content": "No."}));
    assert_eq!(warnings, None);
    let profile = Profile { reasoning_field: "reasoning".into(), ..compatible() };
    let (body, _) = to_server(profile).encoded(&request).unwrap();
    assert_eq!(body["messages"][1]["reasoning"], "Try 7.");
}

#[test]
fn state_comes_back_to_the_server_that_made_it_and_to_no_other() {
    let details = r#"[{"type":"reasoning.encrypted","data":"ZGF0YQ=="}]"#;
    let next = State { place: Place::Next, ..State::native(CHAT, "c2ln") };
    let sealed = |state: &State| Some(Opaque::Sealed(sealer().seal(state)));
    let foreign = Some(Opaque::Native(State::native(Dialect::Anthropic, "other")));
    let request = conversation(vec![
        user(vec![Part::text("go")]),
        assistant(vec![
            reasoning("signed elsewhere", foreign),
            reasoning("a", None),
            reasoning("", sealed(&State::native(CHAT, details))),
            reasoning("", sealed(&next)),
            call("c1", "{}"),
            call("c2", "{}"),
        ]),
        user(vec![result("c1", vec![]), result("c2", vec![])]),
    ]);
    let (body, _) = to_server(compatible()).encoded(&request).unwrap();
    let message = &body["messages"][1];
    assert_eq!(message["reasoning_details"], serde_json::from_str::<Value>(details).unwrap());
    assert_eq!(message["reasoning_content"], "a");
    assert_eq!(message["tool_calls"][0]["extra_content"]["google"]["thought_signature"], "c2ln");
    assert_eq!(message["tool_calls"][1].get("extra_content"), None);
    assert!(!body.to_string().contains("other") && !body.to_string().contains("elsewhere"));
}

#[test]
fn an_envelope_of_another_provider_is_dropped_and_never_sent() {
    let call = |signature: &str| {
        json!({"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"},
            "extra_content": {"google": {"thought_signature": signature}}})
    };
    let body = |signature: &str| {
        let called = json!({"role": "assistant", "content": null, "tool_calls": [call(signature)]});
        let result = json!({"role": "tool", "tool_call_id": "c1", "content": "1"});
        decoded(json!({"messages": [{"role": "user", "content": "go"}, called, result]})).unwrap()
    };
    let sealed =
        crate::envelope::Sealer::new("other", b"secret").seal(&State::native(Dialect::Gemini, "c2ln"));
    let (written, warnings) = encoded(&body(&sealed));
    assert_eq!(written["messages"][1]["tool_calls"][0].get("extra_content"), None);
    assert_eq!(warnings, None);
}

#[test]
fn media_go_as_this_dialect_carries_them() {
    let audio =
        |mime: &str| Part::new(PartKind::Audio(Media::Inline { mime: mime.into(), base64: "aGk=".into() }));
    let pdf = Media::Inline { mime: "application/pdf".into(), base64: "aGk=".into() };
    let text = Part::new(PartKind::File { media: Media::Text("plain".into()), name: Some("a.txt".into()) });
    let file = Part::new(PartKind::File { media: pdf, name: None });
    let request = conversation(vec![user(vec![audio("audio/mpeg"), file, text])]);
    let pdf = json!({"filename": "document.pdf", "file_data": "data:application/pdf;base64,aGk="});
    assert_eq!(
        messages(&request)[0]["content"],
        json!([
            {"type": "input_audio", "input_audio": {"data": "aGk=", "format": "mp3"}},
            {"type": "file", "file": pdf},
            {"type": "text", "text": "plain"}
        ])
    );
    let flac = conversation(vec![user(vec![audio("audio/flac")])]);
    assert!(to().encoded(&flac).unwrap_err().message.contains("WAV nor MP3"));
}

#[test]
fn files_by_url_and_files_of_another_provider_are_refused() {
    let file = |media: Media| conversation(vec![user(vec![Part::new(PartKind::File { media, name: None })])]);
    let url = file(Media::Url { url: "https://x/y.pdf".into(), mime: None });
    assert_eq!(to().encoded(&url).unwrap_err().need, Some(Need::FileUrls));
    let id = file(Media::FileId { dialect: Dialect::Anthropic, id: "file_1".into() });
    assert_eq!(to().encoded(&id).unwrap_err().need, Some(Need::ServerState));
    let own = file(Media::FileId { dialect: Dialect::OpenAiResponses, id: "file-1".into() });
    assert_eq!(messages(&own)[0]["content"][0]["file"], json!({"file_id": "file-1"}));
}

#[test]
fn parts_that_only_their_vendor_understands_are_refused_or_dropped() {
    let json = json!({"type": "server_tool_use"});
    let foreign = PartKind::Foreign { dialect: Dialect::Anthropic, name: "server_tool_use".into(), json };
    let request = conversation(vec![
        user(vec![Part::text("go")]),
        assistant(vec![Part::new(foreign), Part::text("So.")]),
        user(vec![Part::text("and?")]),
    ]);
    assert_eq!(to().encoded(&request).unwrap_err().field, "messages");
    let policy =
        TranslationPolicy { unsupported_tools: UnsupportedTools::Drop, ..TranslationPolicy::default() };
    let (body, notes) = To { policy, ..to() }.encoded(&request).unwrap();
    assert_eq!(body["messages"][1], json!({"role": "assistant", "content": "So."}));
    assert_eq!(notes.losses.header().as_deref(), Some("messages.server_tool_use=dropped"));
}

#[test]
fn unknown_fields_of_another_dialect_are_dropped_with_a_warning() {
    let bag = |name: &str| Bag::new(Dialect::Anthropic, Map::from_iter([(name.to_owned(), json!(1))]));
    let mut turn = user(vec![Part { bag: bag("x_part"), ..Part::text("a") }]);
    turn.bag = bag("x_turn");
    let (body, warnings) = encoded(&conversation(vec![turn]));
    assert_eq!(body["messages"], json!([{"role": "user", "content": "a"}]));
    assert_eq!(warnings.as_deref(), Some("messages.x_turn=dropped, messages.x_part=dropped"));
}

#[test]
fn marks_for_the_cache_go_only_where_their_own_vendors_client_set_them() {
    let mark = crate::form::CacheMark { ttl: Some("30m".into()) };
    let marked = Part { cache: Some(mark), ..Part::text("a") };
    let anthropic = conversation(vec![user(vec![marked])]);
    assert_eq!(messages(&anthropic)[0]["content"], "a");
    let responses = Request { from: Dialect::OpenAiResponses, ..anthropic };
    let written = json!([{"type": "text", "text": "a", "prompt_cache_breakpoint": {"mode": "explicit"}}]);
    assert_eq!(messages(&responses)[0]["content"], written);
}

mod any;
mod history;

use crate::{
    fixtures,
    form::{
        Bag, CacheMark, FreeFormat, Media, OutputFormat, Part, PartKind, Request, Role, Tier, Tool,
        ToolChoice, ToolKind, Turn,
    },
    openai_responses::testing::{decoded, encoded, normal_request, to},
    scene::To,
    translate::Notes,
};
use cliproxy_domain::{Dialect, Effort, ModelTraits, Need, OnLoss, TranslationPolicy, UnsupportedTools};
use serde_json::{Value, json};

fn asked(from: Dialect) -> Request {
    let mut request = Request::new(from, "asked");
    request.turns.push(Turn::new(Role::User, vec![Part::text("hi")]));
    request
}

fn with_part(from: Dialect, role: Role, kind: PartKind) -> Request {
    let mut request = asked(from);
    request.turns.push(Turn::new(role, vec![Part::new(kind)]));
    request
}

fn warnings(notes: &Notes) -> String {
    notes.losses.header().unwrap_or_default()
}

#[test]
fn a_request_of_this_dialect_comes_out_as_it_came_in() {
    for name in fixtures::names("openai-responses", ".request.json") {
        let recorded = fixtures::read(&format!("openai-responses/{name}"));
        let body: Value = serde_json::from_slice(&recorded).unwrap();
        let request = decoded(&body).unwrap_or_else(|refused| panic!("{name}: {refused}"));
        let (written, notes) = encoded(&request).unwrap_or_else(|refused| panic!("{name}: {refused}"));
        assert_eq!(written, normal_request(body), "{name}");
        assert!(notes.losses.is_empty(), "{name}: {:?}", notes.losses);
    }
}

#[test]
fn fields_that_nobody_knows_go_back_to_their_own_dialect() {
    let body = json!({
        "model": "gpt-6-astra",
        "input": [
            {"type": "message", "role": "assistant", "id": "msg_1", "status": "completed", "phase": "commentary",
             "content": [{"type": "output_text", "text": "a", "annotations": [{"type": "url_citation", "url": "u", "title": "t", "start_index": 0, "end_index": 1}]}]},
            {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search"}},
            {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}", "namespace": "n"},
            {"type": "function_call_output", "call_id": "c1", "output": [{"type": "hologram", "x": 1}]},
            {"type": "custom_tool_call", "call_id": "c2", "name": "g", "input": ""},
            {"type": "custom_tool_call_output", "call_id": "c2", "output": "done"},
            {"type": "message", "role": "user", "content": [{"type": "hologram", "x": 1}]},
            {"type": "item_reference", "id": "msg_9"},
            {"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "why"}]},
        ],
        "reasoning": {"effort": "low", "summary": "detailed", "mode": "x"},
        "text": {"verbosity": "low", "future": true},
        "store": true, "stream_options": {"include_obfuscation": true}, "background": false,
        "include": ["file_search_call.results"], "new_top": {"x": [1]}, "user": "u",
        "tools": [{"type": "web_search"}, {"type": "function", "name": "f", "parameters": null, "defer": true}],
        "tool_choice": {"type": "web_search"}, "max_output_tokens": 3
    });
    let (written, _) = encoded(&decoded(&body).unwrap()).unwrap();
    let mut expected = body;
    expected["tools"][1].as_object_mut().unwrap().remove("parameters");
    assert_eq!(written, expected);
}

#[test]
fn the_same_request_gives_the_same_bytes() {
    let mut request = asked(Dialect::OpenAiChat);
    request.metadata = json!({"b": "1", "a": "2"}).as_object().cloned();
    let to = to();
    let target = to.target("asked");
    let bytes = || super::encode_request(&request, &target, &mut Notes::default()).unwrap();
    assert_eq!(bytes(), bytes());
}

#[test]
fn another_dialects_history_is_whole_so_nothing_is_stored_and_reasoning_comes_back() {
    let mut request = asked(Dialect::Anthropic);
    request.stream = true;
    let (body, notes) = encoded(&request).unwrap();
    assert_eq!(body["store"], false);
    assert_eq!(body["include"], json!(["reasoning.encrypted_content"]));
    assert_eq!(body["stream_options"], json!({"include_obfuscation": false}));
    assert!(notes.losses.is_empty());
}

#[test]
fn a_model_that_does_not_reason_is_not_asked_for_its_reasoning() {
    let traits = ModelTraits { thinking: cliproxy_domain::Thinking::Never, ..ModelTraits::default() };
    let mut request = asked(Dialect::Anthropic);
    let to = To { traits, ..to() };
    let (body, _) = to.encoded(&request).unwrap();
    assert_eq!(body["include"], json!([]));
    request.sampling.logprobs = Some(true);
    let (body, _) = to.encoded(&request).unwrap();
    assert_eq!(body["include"], json!(["message.output_text.logprobs"]));
}

#[test]
fn instructions_stand_where_the_golden_table_says() {
    let golden: Value = serde_json::from_slice(&fixtures::read("golden/system-messages.json")).unwrap();
    let mut request = Request::new(Dialect::OpenAiChat, "m");
    for message in golden["openai-chat"].as_array().unwrap() {
        let role = match message["role"].as_str().unwrap() {
            "system" => Role::System,
            "developer" => Role::Developer,
            "user" => Role::User,
            _ => Role::Assistant,
        };
        request.turns.push(Turn::new(role, vec![Part::text(message["content"].as_str().unwrap())]));
    }
    let (body, _) = encoded(&request).unwrap();
    assert_eq!(body["input"], golden["openai-responses"]["input"]);
    assert_eq!(body.get("instructions"), None);

    request.turns.remove(0);
    let (body, _) = encoded(&request).unwrap();
    assert_eq!(body["instructions"], "B.", "a single one has a field of its own");
    assert_eq!(body["input"][0]["role"], "user");
}

#[test]
fn an_instruction_alone_is_the_input() {
    let mut request = Request::new(Dialect::OpenAiChat, "m");
    request.turns.push(Turn::new(Role::System, vec![Part::text("Say hi.")]));
    let (body, _) = encoded(&request).unwrap();
    assert_eq!((&body["input"][0]["role"], body.get("instructions")), (&json!("system"), None));
}

#[test]
fn what_has_no_place_is_dropped_with_a_warning_in_the_clients_words() {
    let mut request = asked(Dialect::Gemini);
    request.sampling.top_k = Some(5.into());
    request.sampling.seed = Some(1.into());
    request.bag = Bag::new(Dialect::Gemini, json!({"safetySettings": []}).as_object().cloned().unwrap());
    request.turns[0].parts[0].bag =
        Bag::new(Dialect::Gemini, json!({"videoMetadata": {}}).as_object().cloned().unwrap());
    let (body, notes) = encoded(&request).unwrap();
    assert_eq!(
        warnings(&notes),
        "contents.videoMetadata=dropped, generationConfig.topK=dropped, generationConfig.seed=dropped, safetySettings=dropped"
    );
    assert_eq!(body.get("safetySettings"), None);
    let strict = TranslationPolicy { on_loss: OnLoss::Refuse, ..TranslationPolicy::default() };
    let refused = To { policy: strict, ..to() }.encoded(&request).unwrap_err();
    assert_eq!(refused.field, "contents.videoMetadata");
}

#[test]
fn a_model_that_refuses_sampling_is_sent_none() {
    let mut request = asked(Dialect::OpenAiChat);
    request.sampling.temperature = serde_json::Number::from_f64(0.5);
    let traits = ModelTraits { sampling: false, ..ModelTraits::default() };
    let (body, notes) = To { traits, ..to() }.encoded(&request).unwrap();
    assert_eq!((body.get("temperature"), warnings(&notes).as_str()), (None, "temperature=dropped"));
}

#[test]
fn stop_texts_are_watched_for_by_the_gateway() {
    let mut request = asked(Dialect::OpenAiChat);
    request.stop = vec!["END".to_owned(), String::new()];
    let (_, notes) = encoded(&request).unwrap();
    assert_eq!(
        (notes.stop.as_slice(), warnings(&notes).as_str()),
        (["END".to_owned()].as_slice(), "stop=emulated")
    );
}

#[test]
fn a_limit_below_sixteen_is_raised_with_a_warning() {
    let mut request = asked(Dialect::Anthropic);
    request.max_output = Some(15);
    let (body, notes) = encoded(&request).unwrap();
    assert_eq!((&body["max_output_tokens"], warnings(&notes).as_str()), (&json!(16), "max_tokens=raised"));
}

#[test]
fn several_answers_sound_and_state_of_another_server_are_refused() {
    let mut request = asked(Dialect::Gemini);
    request.choices = Some(2);
    let refused = encoded(&request).unwrap_err();
    assert_eq!((refused.need, &*refused.field), (Some(Need::Choices), "generationConfig.candidateCount"));

    let media = Media::Inline { mime: "audio/wav".into(), base64: "UklG".into() };
    let refused = encoded(&with_part(Dialect::OpenAiChat, Role::User, PartKind::Audio(media))).unwrap_err();
    assert_eq!(refused.need, Some(Need::Audio));

    let mut request = asked(Dialect::Gemini);
    request.server_state.push("cachedContent");
    assert_eq!(encoded(&request).unwrap_err().field, "cachedContent");

    let media = Media::FileId { dialect: Dialect::Anthropic, id: "file_1".into() };
    let refused = encoded(&with_part(Dialect::Anthropic, Role::User, PartKind::File { media, name: None }));
    assert_eq!(refused.unwrap_err().need, Some(Need::ServerState));
}

#[test]
fn a_moderation_that_blocks_is_refused_and_another_dropped() {
    let mut request = asked(Dialect::OpenAiChat);
    let bag = |policy: &str| {
        Bag::new(Dialect::OpenAiChat, json!({"moderation": {"policy": policy}}).as_object().cloned().unwrap())
    };
    request.bag = bag("block");
    assert_eq!(encoded(&request).unwrap_err().field, "moderation");
    request.bag = bag("flag");
    assert_eq!(warnings(&encoded(&request).unwrap().1), "moderation=dropped");
}

#[test]
fn cache_controls_stay_within_openai() {
    let bag = json!({"prompt_cache_options": {"mode": "explicit"}, "store": true, "logit_bias": {"1": 2}});
    let mut request = asked(Dialect::OpenAiChat);
    request.bag = Bag::new(Dialect::OpenAiChat, bag.as_object().cloned().unwrap());
    request.turns[0].parts[0].cache = Some(CacheMark { ttl: None });
    let (body, notes) = encoded(&request).unwrap();
    assert_eq!(body["prompt_cache_options"], json!({"mode": "explicit"}));
    assert_eq!(body["input"][0]["content"][0]["prompt_cache_breakpoint"], json!({"mode": "explicit"}));
    assert_eq!(warnings(&notes), "logit_bias=dropped");

    let mut request = asked(Dialect::Anthropic);
    request.turns[0].parts[0].cache = Some(CacheMark { ttl: Some("1h".into()) });
    let (body, notes) = encoded(&request).unwrap();
    assert_eq!(body["input"][0]["content"][0], json!({"type": "input_text", "text": "hi"}));
    assert!(notes.losses.is_empty());
}

#[test]
fn an_effort_that_the_model_lacks_becomes_the_nearest_it_has() {
    let mut request = asked(Dialect::OpenAiChat);
    request.reasoning.effort = Some(Effort::Max);
    request.reasoning.shown = Some(true);
    let traits = ModelTraits { efforts: vec![Effort::Low, Effort::High], ..ModelTraits::default() };
    let (body, notes) = To { traits, ..to() }.encoded(&request).unwrap();
    assert_eq!(body["reasoning"], json!({"effort": "high", "summary": "auto"}));
    assert_eq!(warnings(&notes), "reasoning_effort=lowered");
    assert_eq!(
        encoded(&asked(Dialect::OpenAiChat)).unwrap().0.get("reasoning"),
        None,
        "thinking is not invented"
    );
}

#[test]
fn tools_of_other_dialects_say_aloud_that_they_are_not_strict() {
    let mut request = asked(Dialect::Anthropic);
    let function = |schema| Tool {
        name: "mcp.f".into(),
        description: None,
        kind: ToolKind::Function { schema, strict: None },
        cache: None,
        bag: Bag::default(),
    };
    let grammar = json!({"type": "grammar", "grammar": {"syntax": "lark", "definition": "x"}});
    request.tools = vec![
        function(Some(json!({"type": "object", "title": "t"}))),
        Tool { name: "g".into(), kind: ToolKind::Free(Some(FreeFormat(grammar))), ..function(None) },
    ];
    request.tool_choice = Some(ToolChoice::Some { names: vec!["g".into(), "mcp.f".into()], required: true });
    let (body, notes) = encoded(&request).unwrap();
    let sent = body["tools"][0]["name"].as_str().unwrap();
    assert_eq!(notes.names.original(sent), "mcp.f");
    assert_eq!(body["tools"][0]["strict"], false);
    assert_eq!(body["tools"][0]["parameters"], json!({"type": "object", "title": "t", "properties": {}}));
    assert_eq!(body["tools"][1]["format"], json!({"type": "grammar", "syntax": "lark", "definition": "x"}));
    let tools = json!([{"type": "custom", "name": "g"}, {"type": "function", "name": sent}]);
    assert_eq!(body["tool_choice"], json!({"type": "allowed_tools", "mode": "required", "tools": tools}));
}

#[test]
fn a_vendors_tool_is_refused_or_dropped_as_the_policy_says() {
    let mut request = asked(Dialect::Anthropic);
    let kind =
        ToolKind::Vendor { dialect: Dialect::Anthropic, name: "bash_20250124".into(), json: json!({}) };
    request.tools =
        vec![Tool { name: "bash".into(), description: None, kind, cache: None, bag: Bag::default() }];
    request.tool_choice = Some(ToolChoice::Auto);
    let policy = |unsupported_tools| TranslationPolicy { unsupported_tools, ..TranslationPolicy::default() };
    let refused = To { policy: policy(UnsupportedTools::Reject), ..to() }.encoded(&request).unwrap_err();
    assert_eq!(refused.field, "tools[0]");
    let (body, _) = To { policy: policy(UnsupportedTools::Drop), ..to() }.encoded(&request).unwrap();
    assert_eq!((body.get("tools"), body.get("tool_choice")), (None, None));
}

#[test]
fn json_without_a_schema_is_asked_for_in_words_where_nobody_said_them() {
    let mut request = asked(Dialect::Gemini);
    request.format = Some(OutputFormat::Json);
    let (body, notes) = encoded(&request).unwrap();
    assert_eq!(body["text"]["format"], json!({"type": "json_object"}));
    assert_eq!(body["input"][1]["role"], "developer");
    assert_eq!(warnings(&notes), "generationConfig.responseMimeType=emulated");
    request.turns[0].parts[0] = Part::text("in Json, please");
    assert!(encoded(&request).unwrap().1.losses.is_empty());
}

#[test]
fn a_schema_without_a_name_gets_one() {
    let mut request = asked(Dialect::Anthropic);
    request.format =
        Some(OutputFormat::Schema { name: None, description: None, schema: json!({}), strict: None });
    let (body, _) = encoded(&request).unwrap();
    assert_eq!(
        body["text"]["format"],
        json!({"type": "json_schema", "name": "structured_output", "schema": {}})
    );
}

#[test]
fn a_user_id_that_is_too_long_is_told_as_its_digest() {
    let mut request = asked(Dialect::Anthropic);
    request.user = Some("u".repeat(129));
    let (body, notes) = encoded(&request).unwrap();
    assert_eq!(body["safety_identifier"].as_str().unwrap().len(), 64);
    assert!(notes.losses.is_empty());
}

#[test]
fn tiers_have_their_own_names() {
    for (tier, name) in [(Tier::Standard, "default"), (Tier::Auto, "auto"), (Tier::Fast, "fast")] {
        let request = Request { tier: Some(tier), ..asked(Dialect::Anthropic) };
        assert_eq!(encoded(&request).unwrap().0["service_tier"], name);
    }
    let request = Request { tier: Some(Tier::Other("batch".into())), ..asked(Dialect::Gemini) };
    assert_eq!(warnings(&encoded(&request).unwrap().1), "serviceTier=dropped");
}

#[test]
fn a_count_has_the_fields_of_the_prompt_alone() {
    let body = json!({
        "model": "m", "input": "hi", "instructions": "be brief", "temperature": 1, "store": false,
        "max_output_tokens": 20, "reasoning": {"effort": "low"}, "text": {"verbosity": "low"},
        "truncation": "auto", "tools": [{"type": "custom", "name": "f"}], "parallel_tool_calls": true
    });
    let (written, _) = to().counted(&decoded(&body).unwrap()).unwrap();
    let mut names: Vec<&str> = written.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    let expected =
        ["input", "instructions", "model", "parallel_tool_calls", "reasoning", "text", "tools", "truncation"];
    assert_eq!(names, expected);
}

use super::super::testing::{decode, fixture, to};
use crate::{
    form::{
        Args, CacheMark, Detail, FreeFormat, Media, OutputFormat, Part, PartKind, Refused, Request, Role,
        Tier, Tool, ToolCall, ToolChoice, ToolKind, ToolResult, Turn,
    },
    scene::To,
    schema,
};
use cliproxy_domain::{
    Dialect, Effort, ModelTraits, Need, Needs, OnLoss, Thinking, TranslationPolicy, UnsupportedTools,
};
use serde_json::{Map, Value, json};

mod history;

/// A chat request of one word.
pub(super) fn chat() -> Request {
    let mut request = Request::new(Dialect::OpenAiChat, "asked");
    request.turns.push(Turn::new(Role::User, vec![Part::text("hi")]));
    request
}

pub(super) fn written(request: &Request) -> Value {
    to().encoded(request).unwrap().0
}

fn warnings(to: &To, request: &Request) -> Option<String> {
    to.encoded(request).unwrap().1.losses.header()
}

fn refused(request: &Request) -> Refused {
    to().encoded(request).unwrap_err()
}

fn function(name: &str) -> Tool {
    let kind = ToolKind::Function { schema: Some(json!({"type": "object"})), strict: None };
    Tool { name: name.into(), description: None, kind, cache: None, bag: Default::default() }
}

fn tool(kind: ToolKind) -> Tool {
    Tool { kind, ..function("t") }
}

fn camel(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let key = |key: String| {
                let mut parts = key.split('_');
                let first = parts.next().unwrap_or("").to_owned();
                parts.fold(first, |key, part| key + &part[..1].to_uppercase() + &part[1..])
            };
            map.into_iter().map(|(name, value)| (key(name), camel(value))).collect::<Map<_, _>>().into()
        }
        Value::Array(list) => list.into_iter().map(camel).collect(),
        other => other,
    }
}

#[test]
fn every_recorded_request_goes_to_gemini_as_it_came_but_for_the_spelling_of_names() {
    for name in crate::fixtures::names("gemini", ".request.json") {
        if name.starts_with("embeddings") || name.starts_with("count-tokens") {
            continue;
        }
        let body = fixture(&name);
        let (sent, notes) = to().encoded(&decode(body.clone()).unwrap()).unwrap();
        assert_eq!(camel(sent), camel(body), "{name}");
        assert!(notes.losses.is_empty(), "{name}");
    }
}

#[test]
fn fields_that_gemini_alone_knows_go_back_into_their_objects() {
    let body = json!({
        "contents": [
            {"role": "user", "parts": [
                {"inlineData": {"mimeType": "video/mp4", "data": "AA=="}, "videoMetadata": {"fps": 1}},
                {"fileData": {"mimeType": "audio/mp3", "fileUri": "gs://b/x"}}
            ]},
            {"role": "model", "parts": [
                {"text": "thought", "thought": true},
                {"functionCall": {"name": "f", "id": "a1", "args": {"n": 1}, "willContinue": false}},
                {"executableCode": {"code": "1"}, "thoughtSignature": "c2ln"}
            ]},
            {"role": "user", "parts": [
                {"functionResponse": {"name": "f", "id": "a1", "response": {"temp": 1}, "scheduling": "SILENT"}}
            ]}
        ],
        "generationConfig": {
            "responseModalities": ["TEXT", "IMAGE"], "speechConfig": {"a": 1},
            "thinkingConfig": {"thinkingBudget": -1, "includeThoughts": false},
            "responseMimeType": "text/x.enum", "responseSchema": {"type": "STRING", "enum": ["a"]}
        },
        "tools": [
            {"functionDeclarations": [{"name": "f", "behavior": "BLOCKING", "parameters": {"type": "OBJECT"}}]},
            {"googleSearch": {"timeRangeFilter": {}}}
        ],
        "toolConfig": {"functionCallingConfig": {"mode": "VALIDATED"}, "retrievalConfig": {"languageCode": "nb"}}
    });
    assert_eq!(written(&decode(body.clone()).unwrap()), body);
}

#[test]
fn parameters_go_into_the_generation_config() {
    let mut request = chat();
    request.max_output = Some(9);
    request.choices = Some(2);
    request.stop = vec!["END".into()];
    request.tier = Some(Tier::Flex);
    let sampling = &mut request.sampling;
    sampling.temperature = serde_json::from_str("0.20").ok();
    sampling.top_p = serde_json::from_str("0.9").ok();
    sampling.top_k = Some(40.into());
    sampling.presence_penalty = Some(1.into());
    sampling.frequency_penalty = Some(1.into());
    sampling.seed = Some(7.into());
    sampling.logprobs = Some(true);
    sampling.top_logprobs = Some(3);
    assert_eq!(
        written(&request),
        json!({
            "contents": [{"role": "user", "parts": [{"text": "hi"}]}],
            "generationConfig": {
                "maxOutputTokens": 9, "candidateCount": 2, "temperature": serde_json::from_str::<Value>("0.20").unwrap(),
                "topP": 0.9, "topK": 40, "presencePenalty": 1, "frequencyPenalty": 1, "seed": 7,
                "responseLogprobs": true, "logprobs": 3, "stopSequences": ["END"]
            },
            "serviceTier": "flex"
        })
    );
}

#[test]
fn what_gemini_cannot_be_told_is_warned_of_and_never_copied() {
    let mut request = chat();
    let bag = json!({"logit_bias": {"1": 2}, "prediction": {}, "store": true, "x_new": 1});
    let Value::Object(fields) = bag else { panic!() };
    request.bag = crate::form::Bag::new(Dialect::OpenAiChat, fields);
    request.verbosity = Some("low".into());
    request.user = Some("u".into());
    request.parallel_tools = Some(false);
    request.tools = vec![function("f")];
    request.tier = Some(Tier::Fast);
    request.turns[0].name = Some("ann".into());
    request.sampling.seed = Some(9_999_999_999_u64.into());
    let (sent, notes) = to().encoded(&request).unwrap();
    let names: Vec<&String> = sent.as_object().unwrap().keys().collect();
    assert_eq!(names, ["contents", "tools"]);
    assert_eq!(
        notes.losses.header().unwrap(),
        "logit_bias=dropped, prediction=dropped, x_new=dropped, verbosity=dropped, \
         safety_identifier=dropped, parallel_tool_calls=dropped, messages.name=dropped, seed=dropped, \
         service_tier=dropped"
    );
    let strict =
        To { policy: TranslationPolicy { on_loss: OnLoss::Refuse, ..TranslationPolicy::default() }, ..to() };
    assert_eq!(strict.encoded(&request).unwrap_err().field, "logit_bias");
}

#[test]
fn prompt_caching_is_left_out_without_a_word() {
    let mut request = chat();
    request.cache_key = Some("k".into());
    request.cache = Some(CacheMark::default());
    request.turns[0].parts[0].cache = Some(CacheMark::default());
    let (sent, notes) = to().encoded(&request).unwrap();
    assert_eq!(sent, written(&chat()));
    assert!(notes.losses.is_empty());
}

#[test]
fn more_than_five_stop_texts_are_refused() {
    let mut request = chat();
    request.stop = vec!["x".into(); 6];
    assert_eq!(refused(&request).field, "stop");
}

#[test]
fn state_that_another_provider_keeps_is_refused() {
    let mut request = chat();
    request.server_state.push("previous_response_id");
    let error = refused(&request);
    assert_eq!((error.field.as_ref(), error.need), ("previous_response_id", Some(Need::ServerState)));
}

#[test]
fn sampling_is_dropped_for_models_that_refuse_it() {
    let mut request = chat();
    request.sampling.temperature = Some(1.into());
    let to = To { traits: ModelTraits { sampling: false, ..ModelTraits::default() }, ..to() };
    assert_eq!(warnings(&to, &request).as_deref(), Some("temperature=dropped"));
}

#[test]
fn efforts_become_levels_or_budgets_as_the_golden_table_says_and_never_both() {
    let golden: Value = serde_json::from_slice(&crate::fixtures::read("golden/effort.json")).unwrap();
    for effort in Effort::ALL {
        let mut request = chat();
        request.reasoning.effort = Some(effort);
        let level = written(&request)["generationConfig"]["thinkingConfig"].clone();
        let expected = golden["effort_to_gemini_level"][effort.as_str()].as_str().unwrap_or("MINIMAL");
        assert_eq!(level["thinkingLevel"], *expected, "{effort:?}");
        // A chat client that asks for an effort reads the thoughts.
        let read = if effort == Effort::None { Value::Null } else { json!(true) };
        assert_eq!(
            (&level["includeThoughts"], &level["thinkingBudget"]),
            (&read, &Value::Null),
            "{effort:?}"
        );
        let traits = ModelTraits { thinking: Thinking::Budget, ..ModelTraits::default() };
        let budget = To { traits, ..to() }.encoded(&request).unwrap().0;
        let expected = &golden["effort_to_budget"][effort.as_str()];
        let budget = &budget["generationConfig"]["thinkingConfig"];
        assert_eq!(
            (&budget["thinkingBudget"], &budget["thinkingLevel"]),
            (expected, &Value::Null),
            "{effort:?}"
        );
    }
}

#[test]
fn an_effort_that_the_model_lacks_becomes_the_nearest_with_a_warning() {
    let traits = |thinking, efforts: &[Effort]| {
        let efforts = efforts.to_vec();
        To {
            traits: ModelTraits { thinking, efforts, thinking_optional: false, ..ModelTraits::default() },
            ..to()
        }
    };
    let known = [Effort::Low, Effort::High];
    for (thinking, asked, sent, warning) in [
        (
            Thinking::Effort,
            Effort::Max,
            json!({"thinkingLevel": "HIGH", "includeThoughts": true}),
            "reasoning_effort=lowered",
        ),
        (Thinking::Effort, Effort::None, json!({"thinkingLevel": "LOW"}), "reasoning_effort=raised"),
        (Thinking::Budget, Effort::None, json!({"thinkingBudget": 2048}), "reasoning_effort=raised"),
        (Thinking::Never, Effort::High, Value::Null, "reasoning_effort=dropped"),
    ] {
        let mut request = chat();
        request.reasoning.effort = Some(asked);
        let to = traits(thinking, &known);
        let (body, notes) = to.encoded(&request).unwrap();
        assert_eq!(body["generationConfig"]["thinkingConfig"], sent);
        assert_eq!(notes.losses.header().as_deref(), Some(warning));
    }
}

#[test]
fn a_clients_own_budget_is_used_where_the_model_takes_budgets() {
    let mut request = chat();
    request.reasoning.effort = Some(Effort::Low);
    request.reasoning.budget = Some(3000);
    request.reasoning.shown = Some(true);
    let traits = ModelTraits { thinking: Thinking::Budget, ..ModelTraits::default() };
    let body = To { traits, ..to() }.encoded(&request).unwrap().0;
    let expected = json!({"thinkingBudget": 3000, "includeThoughts": true});
    assert_eq!(body["generationConfig"]["thinkingConfig"], expected);
    let level = written(&request);
    let expected = json!({"thinkingLevel": "LOW", "includeThoughts": true});
    assert_eq!(level["generationConfig"]["thinkingConfig"], expected);
}

#[test]
fn a_schema_goes_into_the_field_for_json_schema() {
    let golden: Value = serde_json::from_slice(&crate::fixtures::read("golden/schema.json")).unwrap();
    let mut request = chat();
    request.format = Some(OutputFormat::Schema {
        name: Some("n".into()),
        description: None,
        schema: golden["input"].clone(),
        strict: Some(true),
    });
    request.tools =
        vec![tool(ToolKind::Function { schema: Some(golden["input"].clone()), strict: Some(true) })];
    let sent = written(&request);
    let expected = json!({"responseMimeType": "application/json", "responseJsonSchema": golden["gemini"]});
    assert_eq!(sent["generationConfig"], expected);
    assert_eq!(sent["tools"][0]["functionDeclarations"][0]["parametersJsonSchema"], golden["gemini"]);
    request.format = Some(OutputFormat::Json);
    assert_eq!(written(&request)["generationConfig"], json!({"responseMimeType": "application/json"}));
}

#[test]
fn a_model_without_schemas_is_made_to_call_a_tool_of_that_schema() {
    let lacks = Needs::of(&[Need::StructuredOutput]);
    let to = To { traits: ModelTraits { lacks, ..ModelTraits::default() }, ..to() };
    let mut request = chat();
    let wanted = json!({"type": "object", "properties": {"a": {"type": "string"}}});
    request.format =
        Some(OutputFormat::Schema { name: None, description: None, schema: wanted.clone(), strict: None });
    request.tool_choice = Some(ToolChoice::None);
    let (sent, notes) = to.encoded(&request).unwrap();
    assert!(notes.structured_tool);
    assert_eq!(notes.losses.header().as_deref(), Some("response_format=emulated"));
    let declared = &sent["tools"][0]["functionDeclarations"][0];
    assert_eq!(declared["name"], "structured_output");
    assert_eq!(declared["parametersJsonSchema"], schema::for_gemini(&wanted, "").unwrap());
    let expected = json!({"mode": "ANY", "allowedFunctionNames": ["structured_output"]});
    assert_eq!(sent["toolConfig"]["functionCallingConfig"], expected);
    assert_eq!(sent.get("generationConfig"), None);
}

#[test]
fn choices_of_tools_become_modes() {
    let names = || vec!["f".to_owned(), "g".to_owned()];
    for (choice, mode, declared) in [
        (ToolChoice::None, json!({"mode": "NONE"}), 3),
        (ToolChoice::Auto, json!({"mode": "AUTO"}), 3),
        (ToolChoice::Required, json!({"mode": "ANY"}), 3),
        (ToolChoice::One("g".into()), json!({"mode": "ANY", "allowedFunctionNames": ["g"]}), 3),
        (ToolChoice::Some { names: names(), required: false }, json!({"mode": "AUTO"}), 2),
        (
            ToolChoice::Some { names: names(), required: true },
            json!({"mode": "ANY", "allowedFunctionNames": ["f", "g"]}),
            3,
        ),
    ] {
        let mut request = chat();
        request.tools = vec![function("f"), function("g"), function("h")];
        request.tool_choice = Some(choice.clone());
        let sent = written(&request);
        assert_eq!(sent["toolConfig"]["functionCallingConfig"], mode, "{choice:?}");
        let list = sent["tools"][0]["functionDeclarations"].as_array().unwrap();
        assert_eq!(list.len(), declared, "{choice:?}");
    }
}

#[test]
fn names_that_gemini_refuses_are_rewritten_the_same_everywhere() {
    let mut request = chat();
    request.tools = vec![function("fs/read")];
    request.tool_choice = Some(ToolChoice::One("fs/read".into()));
    let (sent, notes) = to().encoded(&request).unwrap();
    let name = sent["tools"][0]["functionDeclarations"][0]["name"].as_str().unwrap();
    assert_eq!(notes.names.original(name), "fs/read");
    assert_eq!(sent["toolConfig"]["functionCallingConfig"]["allowedFunctionNames"], json!([name]));
}

#[test]
fn a_free_form_tool_is_a_function_of_one_text_and_its_grammar_is_lost() {
    let mut request = chat();
    request.tools = vec![tool(ToolKind::Free(Some(FreeFormat(json!({"type": "grammar"}))))), function("f")];
    let (sent, notes) = to().encoded(&request).unwrap();
    assert!(notes.free_tools.contains("t") && notes.free_tools.len() == 1);
    assert_eq!(notes.losses.header().as_deref(), Some("tools[0].format=dropped"));
    let schema = &sent["tools"][0]["functionDeclarations"][0]["parametersJsonSchema"];
    assert_eq!(schema["required"], json!(["input"]));
    request.tools = vec![tool(ToolKind::Free(Some(FreeFormat(json!({"type": "text"})))))];
    assert_eq!(warnings(&to(), &request), None);
}

#[test]
fn tools_that_run_at_another_vendor_are_refused_or_dropped_as_configured() {
    let mut request = chat();
    let (dialect, json) = (Dialect::Anthropic, json!({"type": "bash_1"}));
    request.tools = vec![tool(ToolKind::Vendor { dialect, name: "bash_1".into(), json })];
    assert_eq!(refused(&request).field, "tools[0]");
    let policy =
        TranslationPolicy { unsupported_tools: UnsupportedTools::Drop, ..TranslationPolicy::default() };
    let to = To { policy, ..to() };
    let (sent, notes) = to.encoded(&request).unwrap();
    assert_eq!(sent.get("tools"), None);
    assert_eq!(notes.losses.header().as_deref(), Some("tools[0].bash_1=dropped"));
}

#[test]
fn media_go_inline_or_as_files_and_https_images_are_not_lost() {
    let inline = |mime: &str| Media::Inline { mime: mime.into(), base64: "AA==".into() };
    let url = |url: &str| Media::Url { url: url.into(), mime: None };
    let mut request = chat();
    let low = Some(Detail::Low);
    request.turns[0].parts.extend([
        Part::new(PartKind::Image { media: inline("image/png"), detail: low }),
        Part::new(PartKind::Image { media: url("https://x.example/cat.jpg"), detail: None }),
        Part::new(PartKind::Audio(inline("audio/wav"))),
        Part::new(PartKind::File { media: url("https://x.example/a.pdf"), name: Some("a.pdf".into()) }),
        Part::new(PartKind::File { media: Media::Text("plain".into()), name: None }),
    ]);
    assert_eq!(
        written(&request)["contents"][0]["parts"],
        json!([
            {"text": "hi"},
            {"inlineData": {"mimeType": "image/png", "data": "AA=="},
             "mediaResolution": {"level": "MEDIA_RESOLUTION_LOW"}},
            {"fileData": {"mimeType": "image/jpeg", "fileUri": "https://x.example/cat.jpg"}},
            {"inlineData": {"mimeType": "audio/wav", "data": "AA=="}},
            {"fileData": {"mimeType": "application/pdf", "fileUri": "https://x.example/a.pdf"}},
            {"text": "plain"}
        ])
    );
}

#[test]
fn files_of_another_provider_and_parts_that_nobody_knows_are_refused() {
    let mut request = chat();
    let media = Media::FileId { dialect: Dialect::OpenAiChat, id: "file-1".into() };
    request.turns[0].parts.push(Part::new(PartKind::File { media, name: None }));
    assert_eq!(refused(&request).need, Some(Need::ServerState));
    let mut request = chat();
    let (dialect, name, json) = (Dialect::Anthropic, "container_upload".into(), json!({}));
    request.turns[0].parts.push(Part::new(PartKind::Foreign { dialect, name, json }));
    assert_eq!(refused(&request).field, "messages");
}

#[test]
fn instructions_go_where_the_golden_table_says() {
    let table: Value = serde_json::from_slice(&crate::fixtures::read("golden/system-messages.json")).unwrap();
    let mut request = Request::new(Dialect::OpenAiChat, "m");
    for message in table["openai-chat"].as_array().unwrap() {
        let role = match message["role"].as_str().unwrap() {
            "system" => Role::System,
            "developer" => Role::Developer,
            "user" => Role::User,
            _ => Role::Assistant,
        };
        let text = message["content"].as_str().unwrap();
        request.turns.push(Turn::new(role, vec![Part::text(text)]));
    }
    let sent = written(&request);
    assert_eq!(sent, table["gemini"]);
}

#[test]
fn counting_takes_bare_contents_or_the_whole_request_with_its_model() {
    let to = to();
    assert_eq!(to.counted(&chat()).unwrap().0, written(&chat()));
    let full = fixture("count-tokens-full.request.json");
    let request = decode(full["generateContentRequest"].clone()).unwrap();
    let mut counted = to.counted(&request).unwrap().0;
    assert_eq!(counted["generateContentRequest"]["model"], "models/gemini-3");
    counted["generateContentRequest"]["model"] = full["generateContentRequest"]["model"].clone();
    assert_eq!(counted, full);
    let bare = fixture("count-tokens.request.json");
    assert_eq!(to.counted(&decode(bare.clone()).unwrap()).unwrap().0, bare);
}

pub(super) fn call(id: &str, args: &str) -> Part {
    let (id, name, args) = (id.into(), format!("f_{id}"), Args::Json(args.into()));
    Part::new(PartKind::ToolCall(ToolCall { id, name, args }))
}

pub(super) fn result(id: &str, content: Vec<Part>, error: bool) -> Part {
    Part::new(PartKind::ToolResult(ToolResult { id: id.into(), name: None, error, free: false, content }))
}

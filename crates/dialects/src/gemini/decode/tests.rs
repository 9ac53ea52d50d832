use super::super::testing::{decode, fixture};
use crate::{
    form::{
        Args, Detail, Media, Opaque, OutputFormat, Part, PartKind, ReasoningForm, Role, State, Tier,
        ToolChoice, ToolKind,
    },
    scene::sealer,
};
use cliproxy_domain::{Dialect, Effort, Need};
use serde_json::{Value, json};

fn user(parts: Value) -> Value {
    json!({"contents": [{"role": "user", "parts": parts}]})
}

fn parts_of(body: Value) -> Vec<Part> {
    decode(body).unwrap().turns.remove(0).parts
}

fn config(config: Value) -> crate::form::Request {
    decode(json!({"contents": [], "generationConfig": config})).unwrap()
}

#[test]
fn every_recorded_request_is_read() {
    let mut seen = 0;
    for name in crate::fixtures::names("gemini", ".request.json") {
        let body = fixture(&name);
        if name.starts_with("embeddings") {
            continue;
        }
        let body = body.get("generateContentRequest").cloned().unwrap_or(body);
        let request = decode(body).unwrap_or_else(|refused| panic!("{name}: {refused}"));
        assert!(!request.turns.is_empty(), "{name}");
        seen += 1;
    }
    assert!(seen > 12);
}

#[test]
fn parameters_are_read_into_their_places() {
    let request = decode(fixture("text.request.json")).unwrap();
    assert_eq!(request.turns[0].role, Role::System);
    assert_eq!(request.turns[0].parts[0].as_text(), Some("Answer in one short sentence."));
    assert_eq!(request.max_output, Some(64));
    assert_eq!(request.sampling.temperature.as_ref().unwrap().to_string(), "0.2");
    assert_eq!(request.sampling.top_k.as_ref().unwrap().as_u64(), Some(40));
    assert_eq!(request.stop, ["END"]);
    assert_eq!(request.tier, Some(Tier::Standard));
    let lost: Vec<_> = request.bag.foreign_to(Dialect::Anthropic).collect();
    assert_eq!(lost, ["safetySettings", "labels"]);
}

#[test]
fn both_spellings_of_a_request_are_the_same() {
    let camel = json!({
        "systemInstruction": {"parts": [{"text": "s"}]},
        "contents": [{"role": "user", "parts": [{"inlineData": {"mimeType": "image/png", "data": "AA=="}}]}],
        "generationConfig": {"maxOutputTokens": 4, "thinkingConfig": {"thinkingLevel": "LOW"}},
        "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f"]}},
        "tools": [{"functionDeclarations": [{"name": "f"}]}]
    });
    let snake = json!({
        "system_instruction": {"parts": [{"text": "s"}]},
        "contents": [{"role": "user", "parts": [{"inline_data": {"mime_type": "image/png", "data": "AA=="}}]}],
        "generation_config": {"max_output_tokens": 4, "thinking_config": {"thinking_level": "low"}},
        "tool_config": {"function_calling_config": {"mode": "any", "allowed_function_names": ["f"]}},
        "tools": [{"function_declarations": [{"name": "f"}]}]
    });
    let (camel, mut snake) = (decode(camel).unwrap(), decode(snake).unwrap());
    // The bags remember the spelling.
    snake.bag = camel.bag.clone();
    assert_eq!(camel, snake);
}

#[test]
fn schemas_of_the_openapi_kind_are_read_as_json_schema() {
    let request = decode(fixture("structured-responseschema.request.json")).unwrap();
    let Some(OutputFormat::Schema { schema, .. }) = request.format else { panic!("no schema") };
    assert_eq!(schema["type"], "object");
    assert_eq!(schema["properties"]["name"]["type"], "string");
    let request = decode(fixture("tool-result-image.request.json")).unwrap();
    let ToolKind::Function { schema: Some(schema), .. } = &request.tools[0].kind else { panic!("no schema") };
    assert_eq!(schema["type"], "object");
}

#[test]
fn a_format_that_gemini_alone_knows_is_lost_elsewhere_and_said_so() {
    let request = config(json!({"responseMimeType": "text/x.enum", "responseSchema": {"enum": ["a"]}}));
    assert_eq!(request.format, None);
    let lost: Vec<_> = request.bag.foreign_to(Dialect::OpenAiChat).collect();
    assert_eq!(lost, ["generationConfig.responseMimeType", "generationConfig.responseSchema"]);
}

#[test]
fn levels_and_budgets_are_read_as_efforts() {
    let thinking = |thinking: Value| config(json!({ "thinkingConfig": thinking })).reasoning;
    let level = thinking(json!({"thinkingLevel": "HIGH", "includeThoughts": true}));
    assert_eq!((level.effort, level.budget, level.shown), (Some(Effort::High), None, Some(true)));
    let budget = thinking(json!({"thinkingBudget": 2048}));
    assert_eq!((budget.effort, budget.budget), (Some(Effort::Low), Some(2048)));
    assert_eq!(thinking(json!({"thinkingBudget": 0})).effort, Some(Effort::None));
    assert_eq!(thinking(json!({"thinkingBudget": -1})).effort, None, "the model decides");
}

#[test]
fn thinking_that_cannot_be_read_is_refused_by_its_path() {
    for (thinking, path) in [
        (json!({"thinkingLevel": "LOUD"}), "generationConfig.thinkingConfig.thinkingLevel"),
        (json!({"thinkingLevel": "LOW", "thinkingBudget": 1}), "generationConfig.thinkingConfig"),
        (json!({"thinkingBudget": -7}), "generationConfig.thinkingConfig.thinkingBudget"),
    ] {
        let body = json!({"contents": [], "generationConfig": {"thinkingConfig": thinking}});
        assert_eq!(decode(body).unwrap_err().field, path);
    }
}

#[test]
fn images_files_and_sound_are_told_apart_by_their_type() {
    let parts = parts_of(user(json!([
        {"inlineData": {"mimeType": "image/png", "data": "AA=="}, "mediaResolution": {"level": "MEDIA_RESOLUTION_LOW"}},
        {"inlineData": {"mimeType": "audio/wav", "data": "AA=="}},
        {"inlineData": {"mimeType": "application/pdf", "data": "AA==", "displayName": "a.pdf"}},
        {"fileData": {"mimeType": "image/jpeg", "fileUri": "https://x.example/cat.jpg"}},
        {"fileData": {"mimeType": "application/pdf", "fileUri": "gs://bucket/a.pdf"}}
    ])));
    let PartKind::Image { media: Media::Inline { .. }, detail } = &parts[0].kind else { panic!() };
    assert_eq!(*detail, Some(Detail::Low));
    assert!(matches!(&parts[1].kind, PartKind::Audio(Media::Inline { .. })));
    assert!(matches!(&parts[2].kind, PartKind::File { name: Some(name), .. } if name == "a.pdf"));
    assert!(matches!(&parts[3].kind, PartKind::Image { media: Media::Url { .. }, .. }));
    let PartKind::File { media: Media::FileId { dialect, .. }, .. } = &parts[4].kind else { panic!() };
    assert_eq!(*dialect, Dialect::Gemini);
}

#[test]
fn calls_without_ids_get_some_that_their_results_share_in_order() {
    let call = |city: &str| json!({"functionCall": {"name": "f", "args": {"city": city}}});
    let result = |n: u32| json!({"functionResponse": {"name": "f", "response": {"output": n}}});
    let body = json!({"contents": [
        {"role": "user", "parts": [{"text": "go"}]},
        {"role": "model", "parts": [call("a"), call("b")]},
        {"role": "user", "parts": [result(1), result(2)]}
    ]});
    let request = decode(body.clone()).unwrap();
    let ids = |turn: usize| -> Vec<String> {
        let id = |part: &Part| match &part.kind {
            PartKind::ToolCall(call) => call.id.clone(),
            PartKind::ToolResult(result) => result.id.clone(),
            other => panic!("{other:?}"),
        };
        request.turns[turn].parts.iter().map(id).collect()
    };
    assert_eq!(ids(1), ids(2));
    assert_ne!(ids(1)[0], ids(1)[1]);
    assert_eq!(decode(body).unwrap(), request, "the same history maps the same");
}

#[test]
fn a_result_with_an_id_leaves_the_other_calls_of_its_name_to_those_without() {
    let call = |id: Option<&str>| json!({"functionCall": {"name": "f", "id": id}});
    let result = |id: Option<&str>| json!({"functionResponse": {"name": "f", "id": id, "response": {}}});
    let request = decode(json!({"contents": [
        {"role": "model", "parts": [call(Some("x")), call(None), call(Some("y"))]},
        {"role": "user", "parts": [result(Some("x")), result(None), result(None), result(None)]}
    ]}))
    .unwrap();
    let id = |turn: usize, part: usize| match &request.turns[turn].parts[part].kind {
        PartKind::ToolCall(call) => call.id.clone(),
        PartKind::ToolResult(result) => result.id.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!([id(1, 0), id(1, 1), id(1, 2)], [id(0, 0), id(0, 1), id(0, 2)]);
    assert!((0..3).all(|part| id(0, part) != id(1, 3)), "a result of no call has an id of its own");
}

#[test]
fn results_are_read_as_text_whatever_their_object_holds() {
    for (response, text, error) in [
        (json!({"output": "fine"}), "fine", false),
        (json!({"error": "down"}), "down", true),
        (json!({"output": {"a": 1}}), "{\"a\":1}", false),
        (json!({"temp": -3, "unit": "c"}), "{\"temp\":-3,\"unit\":\"c\"}", false),
        (json!({}), "{}", false),
    ] {
        let parts =
            parts_of(user(json!([{"functionResponse": {"name": "f", "id": "1", "response": response}}])));
        let PartKind::ToolResult(result) = &parts[0].kind else { panic!() };
        assert_eq!((result.content[0].as_text(), result.error), (Some(text), error));
        assert_eq!(result.content[0].bag.foreign_to(Dialect::Anthropic).count(), 0, "nothing is lost");
    }
}

#[test]
fn numbers_in_arguments_keep_their_digits() {
    let body: Value = serde_json::from_str(
        r#"{"contents":[{"role":"model","parts":[{"functionCall":{"name":"f","args":{"id":12345678901234567890123}}}]}]}"#,
    )
    .unwrap();
    let PartKind::ToolCall(call) = &parts_of(body)[0].kind.clone() else { panic!() };
    assert_eq!(call.args, Args::Json("{\"id\":12345678901234567890123}".into()));
}

#[test]
fn tool_modes_are_read_as_choices() {
    for (calling, expected) in [
        (json!({"mode": "AUTO"}), Some(ToolChoice::Auto)),
        (json!({"mode": "NONE"}), Some(ToolChoice::None)),
        (json!({"mode": "ANY"}), Some(ToolChoice::Required)),
        (json!({"mode": "ANY", "allowedFunctionNames": ["f"]}), Some(ToolChoice::One("f".into()))),
        (
            json!({"mode": "VALIDATED", "allowedFunctionNames": ["f", "g"]}),
            Some(ToolChoice::Some { names: vec!["f".into(), "g".into()], required: false }),
        ),
        (json!({"mode": "MODE_UNSPECIFIED"}), None),
    ] {
        let body = json!({"contents": [], "toolConfig": {"functionCallingConfig": calling}});
        assert_eq!(decode(body).unwrap().tool_choice, expected);
    }
    let body = json!({"contents": [], "toolConfig": {"functionCallingConfig": {"mode": "SOMETIMES"}}});
    assert_eq!(decode(body).unwrap_err().field, "toolConfig.functionCallingConfig.mode");
}

#[test]
fn server_tools_and_parts_of_servers_are_carried_whole() {
    let body = json!({
        "contents": [{"role": "model", "parts": [{"executableCode": {"language": "PYTHON", "code": "1"}}]}],
        "tools": [{"googleSearch": {"x": 1}}, {"functionDeclarations": [{"name": "f"}]}]
    });
    let request = decode(body).unwrap();
    assert!(matches!(&request.tools[0].kind, ToolKind::Vendor { name, .. } if name == "googleSearch"));
    assert_eq!(request.tools[1].name, "f");
    let PartKind::Foreign { name, json, .. } = &request.turns[0].parts[0].kind else { panic!() };
    assert_eq!((name.as_str(), &json["executableCode"]["code"]), ("executableCode", &json!("1")));
}

#[test]
fn what_a_provider_keeps_for_the_client_is_named() {
    let request = decode(fixture("cache.request.json")).unwrap();
    assert_eq!(request.server_state, ["cachedContent"]);
    assert!(request.needs(Dialect::Anthropic).has(Need::ServerState));
    assert!(!request.needs(Dialect::Gemini).has(Need::ServerState));
}

#[test]
fn a_signature_stays_on_its_part_and_an_envelope_becomes_reasoning_before_it() {
    let state = State { text: Some("whole".into()), ..State::native(Dialect::Anthropic, "sig") };
    let sealed = sealer().seal(&state);
    let body = |signature: &str| {
        json!({"contents": [{"role": "model", "parts": [
            {"text": "a thou", "thought": true},
            {"text": "ght", "thought": true},
            {"functionCall": {"name": "f", "args": {}}, "thoughtSignature": signature}
        ]}]})
    };
    let native = parts_of(body("c2ln"));
    assert_eq!(native.len(), 3);
    assert_eq!(native[2].state, Some(Opaque::Native(State::native(Dialect::Gemini, "c2ln"))));
    let foreign = parts_of(body(&sealed));
    let thought = PartKind::Reasoning { text: "a thought".into(), form: ReasoningForm::Summary };
    assert_eq!((&foreign[0].kind, &foreign[0].state), (&thought, &Some(Opaque::Sealed(sealed))));
    assert!(matches!(foreign[1].kind, PartKind::ToolCall(_)) && foreign[1].state.is_none());
}

#[test]
fn an_empty_text_that_carried_an_envelope_is_gone_with_it() {
    let sealed = sealer().seal(&State::native(Dialect::OpenAiResponses, "enc"));
    let parts = parts_of(json!({"contents": [{"role": "model", "parts": [
        {"text": "said"}, {"text": "", "thoughtSignature": sealed}
    ]}]}));
    assert_eq!(parts.len(), 2);
    let hidden = PartKind::Reasoning { text: String::new(), form: ReasoningForm::Hidden };
    assert_eq!(parts[1].kind, hidden);
}

#[test]
fn wrong_fields_are_named_by_their_whole_path() {
    for (body, path) in [
        (json!({}), "contents"),
        (json!({"contents": [{"role": "system", "parts": []}]}), "contents[0].role"),
        (user(json!([{"text": 1}])), "contents[0].parts[0].text"),
        (user(json!([{"inlineData": {"data": "x"}}])), "contents[0].parts[0].inlineData.mimeType"),
        (
            user(json!([{"function_call": {"name": "f", "args": []}}])),
            "contents[0].parts[0].function_call.args",
        ),
        (
            json!({"contents": [], "tools": [{"functionDeclarations": [{}]}]}),
            "tools[0].functionDeclarations[0].name",
        ),
        (json!({"contents": [], "systemInstruction": "x"}), "systemInstruction"),
        (
            json!({"contents": [], "generationConfig": {"stopSequences": [1]}}),
            "generationConfig.stopSequences",
        ),
    ] {
        assert_eq!(decode(body).unwrap_err().field, path);
    }
}

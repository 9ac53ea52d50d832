use super::*;
use crate::fixtures;
use proptest::prelude::*;

fn chat(body: &str) -> Result<Peek, PeekError> {
    peek(Dialect::OpenAiChat, Operation::Generate, body.as_bytes())
}

#[test]
fn model_and_stream_are_found_wherever_they_stand() {
    let body =
        r#" { "messages": [{"model":"inner","stream":false}], "stream" : true , "model" : "gpt \"x\"" } "#;
    let peek = chat(body).expect("a good body");
    let model = peek.model.expect("named");
    assert_eq!(model.name, r#"gpt "x""#);
    assert_eq!(&body[model.span], r#""gpt \"x\"""#);
    assert!(peek.stream);
}

#[test]
fn an_escaped_key_is_the_same_key() {
    let peek = chat(r#"{"mod\u0065l":"m","str\u0065am":true}"#).expect("a good body");
    assert_eq!((peek.model.expect("named").name.as_str(), peek.stream), ("m", true));
}

#[test]
fn no_stream_and_a_null_stream_ask_for_none() {
    assert!(!chat(r#"{"model":"m"}"#).expect("a good body").stream);
    assert!(!chat(r#"{"model":"m","stream":null}"#).expect("a good body").stream);
}

#[test]
fn each_mistake_has_its_own_error_and_names_its_field() {
    let cases: &[(&[u8], PeekError, Option<&str>)] = &[
        (b"{\"model\":\"\xff\"}", PeekError::InvalidUtf8 { at: 10 }, None),
        (b"{\"messages\":[\"\xc3\"],\"model\":\"m\"}", PeekError::InvalidUtf8 { at: 14 }, None),
        (b"", PeekError::MalformedJson { line: 1, column: 0 }, None),
        (b"{\"model\":\n  \"m\",}", PeekError::MalformedJson { line: 2, column: 7 }, None),
        (b"{\"model\":\"m\"} {}", PeekError::MalformedJson { line: 1, column: 15 }, None),
        (b"[1]", PeekError::NotAnObject, None),
        (b"\"model\"", PeekError::NotAnObject, None),
        (b"null", PeekError::NotAnObject, None),
        (b"{}", PeekError::ModelMissing, Some("model")),
        (b"{\"model\":null}", PeekError::ModelNotAString, Some("model")),
        (b"{\"model\":[\"m\"]}", PeekError::ModelNotAString, Some("model")),
        (b"{\"model\":\"\\ud83d\"}", PeekError::ModelNotAString, Some("model")),
        (b"{\"model\":\"\"}", PeekError::ModelEmpty, Some("model")),
        (b"{\"model\":\"m\",\"stream\":\"true\"}", PeekError::StreamNotABoolean, Some("stream")),
        (b"{\"model\":\"m\",\"stream\":1}", PeekError::StreamNotABoolean, Some("stream")),
        (b"{\"model\":\"m\",\"model\":\"n\"}", PeekError::Duplicate { field: "model" }, Some("model")),
        (
            b"{\"model\":\"m\",\"stream\":false,\"stream\":true}",
            PeekError::Duplicate { field: "stream" },
            Some("stream"),
        ),
    ];
    for (body, error, param) in cases {
        let shown = String::from_utf8_lossy(body);
        assert_eq!(peek(Dialect::OpenAiChat, Operation::Generate, body).as_ref(), Err(error), "{shown}");
        assert_eq!(error.param(), *param, "{shown}");
    }
}

#[test]
fn no_error_repeats_what_the_client_sent() {
    for body in
        [r#"{"model":sekrit}"#, r#"{"sekrit":tru}"#, r#"["sekrit"]"#, r#"{"model":"m","stream":"sekrit"}"#]
    {
        let error = chat(body).expect_err("a bad body");
        assert!(!error.to_string().contains("sekrit"), "{error}");
    }
}

#[test]
fn the_place_of_malformed_json_is_told() {
    let error = chat("{\n  \"model\": }").expect_err("a bad body");
    assert_eq!(
        error.to_string(),
        "the request body is not valid JSON at line 2 column 12; send one JSON object"
    );
}

#[test]
fn a_gemini_body_names_no_model_and_no_stream() {
    let body = br#"{"model":7,"stream":"x","contents":[]}"#;
    let found = peek(Dialect::Gemini, Operation::Generate, body).expect("a good body");
    assert_eq!(found, Peek { model: None, stream: false });
    assert_eq!(peek(Dialect::Gemini, Operation::Embed, b"[]"), Err(PeekError::NotAnObject));
}

#[test]
fn only_generation_streams() {
    let body = br#"{"model":"m","stream":true}"#;
    for operation in [Operation::Embed, Operation::CountTokens] {
        assert!(!peek(Dialect::OpenAiChat, operation, body).expect("a good body").stream);
    }
}

#[test]
fn every_recorded_request_can_be_routed() {
    for fixture in fixtures::all(".request.json") {
        let found = peek(fixture.dialect, Operation::Generate, &fixture.bytes)
            .unwrap_or_else(|error| panic!("{}: {error}", fixture.name));
        let tree: serde_json::Value = serde_json::from_slice(&fixture.bytes).expect("JSON");
        if fixture.dialect != Dialect::Gemini {
            assert_eq!(tree["model"], found.model.expect("named").name, "{}", fixture.name);
            assert_eq!(tree["stream"].as_bool().unwrap_or(false), found.stream, "{}", fixture.name);
        }
    }
}

#[test]
fn replacing_the_model_changes_nothing_else() {
    for name in ["openai-chat/forward-compat.request.json", "anthropic/text.request.json"] {
        let body = Bytes::from(fixtures::read(name));
        let model =
            peek(Dialect::OpenAiChat, Operation::Generate, &body).expect("good").model.expect("named");
        let literal = format!("{:?}", model.name);
        let replaced = replace_model(&body, model.span, "new \"é\" \u{1}");
        let expected =
            String::from_utf8(body.to_vec()).expect("UTF-8").replacen(&literal, r#""new \"é\" \u0001""#, 1);
        assert_eq!(replaced, expected, "{name}");
    }
}

#[test]
fn a_span_of_another_body_changes_nothing() {
    let body = Bytes::from_static(b"{}");
    assert_eq!(replace_model(&body, 1..9, "m"), body);
    assert_eq!(replace_model(&body, 7..9, "m"), body);
}

proptest! {
    #[test]
    fn no_body_panics(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = peek(Dialect::OpenAiChat, Operation::Generate, &body);
    }

    #[test]
    fn a_replaced_model_reads_back(name in ".{1,40}", other in ".{0,20}") {
        let body = serde_json::json!({"a": other, "model": "old", "z": [other]}).to_string();
        let body = Bytes::from(body);
        let span = chat(std::str::from_utf8(&body).expect("UTF-8")).expect("good").model.expect("named").span;
        let replaced = replace_model(&body, span, &name);
        let again = peek(Dialect::Anthropic, Operation::Generate, &replaced).expect("good");
        prop_assert_eq!(again.model.expect("named").name, name);
    }
}

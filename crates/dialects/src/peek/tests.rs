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
    assert_eq!(&body[model.span.clone()], r#""gpt \"x\"""#);
    assert_eq!(peek.model_spans, [model.span]);
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

/// The literals that a Gemini body names the model with.
fn gemini(body: &str) -> Vec<&str> {
    let found = peek(Dialect::Gemini, Operation::Generate, body.as_bytes()).expect(body);
    assert_eq!((found.model, found.stream), (None, false), "the path alone tells these");
    found.model_spans.into_iter().map(|span| &body[span]).collect()
}

#[test]
fn a_gemini_body_repeats_its_model_in_places_of_its_own() {
    let cases: &[(&str, &[&str])] = &[
        (r#"{"contents":[{"model":"inner"}]}"#, &[]),
        (r#"{"contents":[], "model" : "models/a" }"#, &[r#""models/a""#]),
        (r#"{"generateContentRequest":{"contents":[],"model":"a"}}"#, &[r#""a""#]),
        (r#"{"generate_content_request":{"model":"a"}}"#, &[r#""a""#]),
        (
            r#"{"requests":[{"model":"a"},{"content":{"model":"x"}},{"model":"b\n"}]}"#,
            &[r#""a""#, r#""b\n""#],
        ),
        (r#"{"requests":[{"model":"a"}],"m\u006fdel":"b"}"#, &[r#""a""#, r#""b""#]),
        // Which of two counts is the provider's business; none may name another model than the path.
        (r#"{"model":"a","model":"b"}"#, &[r#""a""#, r#""b""#]),
        // Only the body itself holds requests.
        (r#"{"generateContentRequest":{"generateContentRequest":{"model":"a"}}}"#, &[]),
    ];
    for (body, expected) in cases {
        assert_eq!(gemini(body), *expected, "{body}");
    }
}

#[test]
fn what_is_odd_in_a_gemini_body_is_left_for_the_provider_to_refuse() {
    for body in [
        r#"{"model":7,"stream":"x"}"#,
        r#"{"model":{"model":"a"}}"#,
        r#"{"generateContentRequest":"model","requests":7}"#,
        r#"{"generateContentRequest":null,"requests":[null,-1,1.5,true,"model"]}"#,
    ] {
        assert_eq!(gemini(body), [""; 0], "{body}");
    }
    let error = |body: &[u8]| peek(Dialect::Gemini, Operation::Embed, body).expect_err("a bad body");
    assert_eq!(error(b"[]"), PeekError::NotAnObject);
    assert_eq!(error(b"{} {}"), PeekError::MalformedJson { line: 1, column: 4 });
    assert_eq!(error(br#"{"requests":[{"model":}]}"#), PeekError::MalformedJson { line: 1, column: 23 });
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
        let named: Vec<_> = found
            .model_spans
            .iter()
            .map(|span| serde_json::from_slice::<String>(&fixture.bytes[span.clone()]).expect("a string"))
            .collect();
        if fixture.dialect == Dialect::Gemini {
            let requests = tree["requests"].as_array().into_iter().flatten();
            let places = [&tree["model"], &tree["generateContentRequest"]["model"]].into_iter();
            let expected: Vec<_> = places
                .chain(requests.map(|request| &request["model"]))
                .filter_map(|model| model.as_str().map(str::to_owned))
                .collect();
            assert_eq!(named, expected, "{}", fixture.name);
        } else {
            assert_eq!(named, [tree["model"].as_str().expect("text")], "{}", fixture.name);
            assert_eq!(tree["model"], found.model.expect("named").name, "{}", fixture.name);
            assert_eq!(tree["stream"].as_bool().unwrap_or(false), found.stream, "{}", fixture.name);
        }
    }
}

proptest! {
    #[test]
    fn no_body_panics(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        for dialect in [Dialect::OpenAiChat, Dialect::Gemini] {
            let _ = peek(dialect, Operation::Generate, &body);
        }
    }
}

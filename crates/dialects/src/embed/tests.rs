use super::*;
use crate::{
    form::{EmbedInput, EmbedReply, EmbedRequest, Refused, VectorFormat},
    json::Fields,
    scene::To,
    translate,
};
use cliproxy_domain::{Dialect, Failure, Need};
use proptest::prelude::*;
use serde_json::{Value, json};

fn fixture(name: &str) -> Value {
    serde_json::from_slice(&crate::fixtures::read(name)).unwrap()
}

fn read(dialect: Dialect, verb: &str, body: &Value) -> Result<EmbedRequest, Refused> {
    decode(dialect, verb, Fields::of(body.clone(), String::new()).unwrap(), "gemini-embedding-001")
}

fn openai(body: Value) -> Result<EmbedRequest, Refused> {
    read(Dialect::OpenAiChat, "", &body)
}

/// Writes a request for a provider; gives the body and the warnings.
fn written(request: &EmbedRequest, dialect: Dialect) -> Result<(Value, Option<String>), Refused> {
    let to = To { model: None, ..To::new(dialect) };
    let (body, notes) = translate::encode_embed(request, &to.target(&request.model))?;
    Ok((serde_json::from_slice(&body).unwrap(), notes.losses.header()))
}

fn answer(vectors: Vec<Vec<f32>>, request: &EmbedRequest) -> Value {
    serde_json::from_slice(&encode_reply(&EmbedReply { vectors, input_tokens: None }, request)).unwrap()
}

#[test]
fn a_request_of_openai_becomes_the_recorded_one_of_gemini() {
    let request = openai(fixture("openai-chat/embeddings.request.json")).unwrap();
    let expected = (fixture("gemini/embeddings.request.json"), None);
    assert_eq!(written(&request, Dialect::Gemini).unwrap(), expected);
}

#[test]
fn a_request_of_gemini_becomes_the_recorded_one_of_openai() {
    let body = fixture("gemini/embeddings.request.json");
    let request = read(Dialect::Gemini, "batchEmbedContents", &body).unwrap();
    let mut expected = fixture("openai-chat/embeddings.request.json");
    expected["model"] = json!("gemini-embedding-001");
    assert_eq!(written(&request, Dialect::OpenAiChat).unwrap(), (expected, None));
}

#[test]
fn recorded_answers_say_the_same_in_both_dialects() {
    let (one, other) = ("openai-chat/embeddings.response.json", "gemini/embeddings.response.json");
    let from_openai = decode_reply(Dialect::OpenAiChat, &crate::fixtures::read(one), 2).unwrap();
    let from_gemini = decode_reply(Dialect::Gemini, &crate::fixtures::read(other), 2).unwrap();
    assert_eq!(from_openai.vectors, from_gemini.vectors);
    assert_eq!((from_openai.input_tokens, from_gemini.input_tokens), (Some(2), None));

    let mut request = openai(fixture("openai-chat/embeddings.request.json")).unwrap();
    request.model = "text-embedding-3-small".into();
    let said: Value = serde_json::from_slice(&encode_reply(&from_openai, &request)).unwrap();
    assert_eq!(said, fixture(one));
    let asked = fixture("gemini/embeddings.request.json");
    let request = read(Dialect::Gemini, "batchEmbedContents", &asked).unwrap();
    let said: Value = serde_json::from_slice(&encode_reply(&from_openai, &request)).unwrap();
    assert_eq!(said, fixture(other));
}

#[test]
fn a_client_that_asks_for_base64_gets_little_endian_floats() {
    let request = openai(json!({"input": "a", "encoding_format": "base64"})).unwrap();
    assert_eq!(request.format, VectorFormat::Base64);
    let said = answer(vec![vec![1.0, -2.0]], &request);
    assert_eq!(said["data"][0]["embedding"], "AACAPwAAAMA=");
    let again = decode_reply(Dialect::OpenAiChat, said.to_string().as_bytes(), 1).unwrap();
    assert_eq!(again.vectors, [[1.0, -2.0]]);
}

#[test]
fn one_content_is_answered_with_one_vector() {
    let body = json!({"content": {"parts": [{"text": "a"}, {"text": "b"}]}, "task_type": "RETRIEVAL_QUERY", "output_dimensionality": 2});
    let request = read(Dialect::Gemini, "embedContent", &body).unwrap();
    assert_eq!(request.input, [EmbedInput::Text("a\nb".into())]);
    let (sent, warnings) = written(&request, Dialect::OpenAiChat).unwrap();
    assert_eq!(sent["dimensions"], 2);
    assert_eq!(warnings.as_deref(), Some("taskType=dropped"));
    assert_eq!(answer(vec![vec![0.5]], &request), json!({"embedding": {"values": [0.5]}}));

    let reply = decode_reply(
        Dialect::Gemini,
        br#"{"embedding":{"values":[1]},"usageMetadata":{"promptTokenCount":7}}"#,
        1,
    );
    assert_eq!(reply.unwrap(), EmbedReply { vectors: vec![vec![1.0]], input_tokens: Some(7) });
}

#[test]
fn token_numbers_go_to_openai_alone() {
    for (input, count) in [(json!([1, 2]), 1), (json!([[1, 2], [3]]), 2)] {
        let request = openai(json!({ "input": input })).unwrap();
        assert_eq!(request.input.len(), count);
        let refused = written(&request, Dialect::Gemini).unwrap_err();
        assert_eq!((refused.need, refused.field.as_ref()), (Some(Need::TokenArrays), "input"));
        let sent = written(&request, Dialect::OpenAiChat).unwrap().0;
        assert_eq!(sent["input"][0], json!([1, 2]));
    }
}

#[test]
fn anthropic_has_no_embeddings() {
    let request = openai(json!({"input": "a"})).unwrap();
    assert_eq!(written(&request, Dialect::Anthropic).unwrap_err().need, Some(Need::Embeddings));
    assert_eq!(read(Dialect::Anthropic, "", &json!({})).unwrap_err().need, Some(Need::Embeddings));
}

#[test]
fn unknown_fields_are_left_out_with_a_warning() {
    let request = openai(json!({"input": "a", "user": "u", "x": 1})).unwrap();
    assert_eq!(written(&request, Dialect::Gemini).unwrap().1.as_deref(), Some("user=dropped, x=dropped"));
    let one = json!({"content": {"role": "user", "parts": [{"text": "a"}]}, "title": "t"});
    let request = read(Dialect::Gemini, "batchEmbedContents", &json!({"requests": [one, one]})).unwrap();
    assert_eq!(request.unknown, ["requests.title"]);
}

#[test]
fn wrong_fields_are_refused_by_name() {
    let refused = |body: Value| openai(body).unwrap_err().field;
    assert_eq!(refused(json!({})), "input");
    assert_eq!(refused(json!({"input": []})), "input");
    assert_eq!(refused(json!({"input": [1, -1]})), "input");
    assert_eq!(refused(json!({"input": ["a", {}]})), "input");
    assert_eq!(refused(json!({"input": "a", "dimensions": -1})), "dimensions");
    assert_eq!(refused(json!({"input": "a", "encoding_format": "hex"})), "encoding_format");

    let batch = |requests: Value| {
        read(Dialect::Gemini, "batchEmbedContents", &json!({ "requests": requests })).unwrap_err().field
    };
    let part = |part: Value| json!({"content": {"parts": [part]}});
    let text = part(json!({"text": "a"}));
    assert_eq!(batch(json!([])), "requests");
    assert_eq!(batch(json!([{}])), "requests[0].content");
    assert_eq!(batch(json!([text, part(json!({"inlineData": {}}))])), "requests[1].content.parts[0].text");
    assert_eq!(batch(json!([part(json!({"text": "a", "thought": true}))])), "requests[0].content.parts");
    let sized = json!({"content": {"parts": [{"text": "a"}]}, "outputDimensionality": 4});
    assert_eq!(batch(json!([text, sized])), "requests[1].outputDimensionality");
}

#[test]
fn an_answer_that_does_not_fit_the_request_is_malformed() {
    let one = br#"{"data":[{"index":0,"embedding":[0.5]}]}"#;
    assert!(decode_reply(Dialect::OpenAiChat, one, 1).is_ok());
    let two_wanted = decode_reply(Dialect::OpenAiChat, one, 2).unwrap_err();
    assert_eq!(two_wanted.message, "the provider answered 2 inputs with 1 embeddings");
    for body in ["{}", "[]", r#"{"data":[{"embedding":"AAA="}]}"#, r#"{"data":[{"embedding":[1e99]}]}"#, "x"]
    {
        let error = decode_reply(Dialect::OpenAiChat, body.as_bytes(), 1).unwrap_err();
        assert_eq!(error.failure, Failure::MalformedReply, "{body}");
    }
}

#[test]
fn vectors_are_put_into_the_order_of_their_index() {
    let body = br#"{"data":[{"index":1,"embedding":[2]},{"index":0,"embedding":[1]}]}"#;
    assert_eq!(decode_reply(Dialect::OpenAiChat, body, 2).unwrap().vectors, [[1.0], [2.0]]);
}

proptest! {
    #[test]
    fn numbers_survive_both_spellings(vector in prop::collection::vec(-1e30_f32..1e30, 0..20), base64: bool) {
        let mut request = openai(json!({"input": "a"})).unwrap();
        request.format = if base64 { VectorFormat::Base64 } else { VectorFormat::Float };
        let said = encode_reply(&EmbedReply { vectors: vec![vector.clone()], input_tokens: None }, &request);
        prop_assert_eq!(&decode_reply(Dialect::OpenAiChat, &said, 1).unwrap().vectors[0], &vector);
    }
}

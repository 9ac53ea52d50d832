use super::*;
use http::HeaderValue;

fn find(method: &str, uri: &str, header: Option<&'static str>) -> Result<Endpoint, Refusal> {
    let mut headers = HeaderMap::new();
    if let Some(name) = header {
        headers.insert(name, HeaderValue::from_static("x"));
    }
    endpoint(&method.parse().unwrap(), &uri.parse().unwrap(), &headers)
}

fn call(uri: &str) -> CallEndpoint {
    match find("POST", uri, None).unwrap() {
        Endpoint::Call(call) => call,
        other => panic!("{uri} is {other:?}"),
    }
}

#[test]
fn every_path_of_the_four_apis_is_known() {
    let cases = [
        ("/v1/chat/completions", Dialect::OpenAiChat, Operation::Generate),
        ("/v1/responses", Dialect::OpenAiResponses, Operation::Generate),
        ("/v1/responses/input_tokens", Dialect::OpenAiResponses, Operation::CountTokens),
        ("/v1/embeddings", Dialect::OpenAiChat, Operation::Embed),
        ("/v1/messages?beta=true", Dialect::Anthropic, Operation::Generate),
        ("/v1/messages/count_tokens", Dialect::Anthropic, Operation::CountTokens),
        ("/v1beta/models/gemini-3:generateContent", Dialect::Gemini, Operation::Generate),
        ("/v1/models/gemini-3:generateContent", Dialect::Gemini, Operation::Generate),
        ("/v1alpha/models/gemini-3:countTokens", Dialect::Gemini, Operation::CountTokens),
        ("/v1beta/models/e:embedContent", Dialect::Gemini, Operation::Embed),
        ("/v1beta/models/e:batchEmbedContents", Dialect::Gemini, Operation::Embed),
    ];
    for (uri, dialect, operation) in cases {
        let call = call(uri);
        assert_eq!((call.dialect, call.operation), (dialect, operation), "{uri}");
    }
}

#[test]
fn gemini_models_may_hold_slashes_colons_and_escapes() {
    let cases = [
        ("/v1beta/models/gemini-3:generateContent", "gemini-3"),
        ("/v1beta/models/google/gemini-3:generateContent", "google/gemini-3"),
        ("/v1beta/tunedModels/mine:generateContent", "tunedModels/mine"),
        ("/v1beta/models/a:b:generateContent", "a:b"),
        ("/v1beta/models/a%3Ab%2:generateContent", "a:b%2"),
    ];
    for (uri, model) in cases {
        assert_eq!(call(uri).model.unwrap().as_str(), model, "{uri}");
    }
}

#[test]
fn gemini_streams_are_framed_as_the_query_says() {
    let delivery = |uri| call(uri).delivery;
    assert_eq!(
        delivery("/v1beta/models/m:streamGenerateContent?key=k&alt=sse"),
        Some(Delivery::Stream(Framing::Sse))
    );
    assert_eq!(
        delivery("/v1beta/models/m:streamGenerateContent"),
        Some(Delivery::Stream(Framing::JsonArray))
    );
    assert_eq!(delivery("/v1beta/models/m:generateContent"), Some(Delivery::Whole));
}

#[test]
fn the_shared_models_path_is_told_apart_by_headers_and_key() {
    let dialect = |uri, header| match find("GET", uri, header).unwrap() {
        Endpoint::Models { dialect, .. } => dialect,
        other => panic!("{other:?}"),
    };
    assert_eq!(dialect("/v1/models", None), Dialect::OpenAiChat);
    assert_eq!(dialect("/v1/models", Some("x-api-key")), Dialect::OpenAiChat);
    assert_eq!(dialect("/v1/models", Some("anthropic-version")), Dialect::Anthropic);
    assert_eq!(dialect("/v1/models", Some("x-goog-api-key")), Dialect::Gemini);
    assert_eq!(dialect("/v1/models/x?key=k", None), Dialect::Gemini);
    assert_eq!(dialect("/v1beta/models", None), Dialect::Gemini);
    let Endpoint::Models { id, .. } = find("GET", "/v1/models/org/model", None).unwrap() else { panic!() };
    assert_eq!(id.as_deref(), Some("org/model"));
}

#[test]
fn a_path_of_one_api_outweighs_the_headers_of_another() {
    let mut headers = HeaderMap::new();
    headers.insert("anthropic-version", HeaderValue::from_static("2023-06-01"));
    let dialect = |path: &str| dialect_of(&path.parse().unwrap(), &headers);
    assert_eq!(dialect("/v1/chat/completions"), Dialect::OpenAiChat);
    assert_eq!(dialect("/v1/responses"), Dialect::OpenAiResponses);
    assert_eq!(dialect("/v1beta/models"), Dialect::Gemini);
    assert_eq!(dialect("/v1/unknown"), Dialect::Anthropic);
}

#[test]
fn a_wrong_method_is_405_and_a_strange_path_404() {
    let refused = |method, uri| find(method, uri, None).unwrap_err();
    assert_eq!(refused("GET", "/v1/messages").allow, Some("POST"));
    assert_eq!(refused("DELETE", "/v1/models").allow, Some("GET"));
    for path in ["/", "/v1", "/v2/messages", "/v1/other", "/v1beta/models/m:dance", "/v1/modelsx"] {
        assert_eq!(refused("POST", path).class, ErrorClass::NotFound, "{path}");
    }
}

#[test]
fn a_key_in_the_query_goes_no_further() {
    assert_eq!(query_without_key("key=secret"), None);
    assert_eq!(query_without_key("alt=sse&key=secret&x=1").as_deref(), Some("alt=sse&x=1"));
    assert_eq!(query_without_key("keyed=1").as_deref(), Some("keyed=1"));
}

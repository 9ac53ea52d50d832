//! What is asked beside answers, across kinds: counts of tokens, embeddings and lists of models.

use crate::{
    network::MemoryNet,
    node::{Answer, Node, in_turn, post, provider},
    script::{Script, document},
    translation::{ASK, body_of, with},
};
use cliproxy_domain::ProviderKind;
use http::Request;
use http_body_util::Full;
use serde_json::{Value, json};

const GEMINI: &str = "/v1beta/models/m";

fn tree(answer: &Answer) -> Value {
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.body);
    serde_json::from_str(&answer.body).expect("JSON")
}

#[tokio::test(start_paused = true)]
async fn tokens_are_counted_by_providers_of_every_kind_that_can() {
    let responses = r#"{"model":"m","input":"hi"}"#;
    let gemini = r#"{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}"#;
    let clients = [
        ("/v1/responses/input_tokens".to_owned(), responses, "input_tokens"),
        ("/v1/messages/count_tokens".to_owned(), ASK, "input_tokens"),
        (format!("{GEMINI}:countTokens"), gemini, "totalTokens"),
    ];
    let providers = [
        (
            ProviderKind::OpenAi,
            "POST /v1/responses/input_tokens ",
            r#"{"object":"response.input_tokens","input_tokens":7}"#,
        ),
        (ProviderKind::Anthropic, "POST /v1/messages/count_tokens", r#"{"input_tokens":7}"#),
        (ProviderKind::Gemini, "POST /v1beta/models/up:countTokens", r#"{"totalTokens":7}"#),
    ];
    for (path, ask, field) in &clients {
        for (kind, asked, counted) in &providers {
            let net = MemoryNet::new();
            let script = Script::play(&net, "a", vec![document("200 OK", counted)]);
            let node = with(&net, vec![provider("a", *kind)]).await;
            let answer = node.ask(path, ask).await;
            assert_eq!(tree(&answer)[*field], 7, "{path} by {kind:?}");
            assert!(!answer.headers.contains_key("x-cliproxy-warnings"), "{path} by {kind:?}");
            assert!(script.requests()[0].starts_with(asked), "{path}: {}", script.requests()[0]);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn embeddings_of_gemini_reach_a_client_of_openai_however_it_wants_its_numbers() {
    let net = MemoryNet::new();
    let vectors = r#"{"embeddings":[{"values":[1.0,-2.0]}]}"#;
    let script = Script::play(&net, "a", vec![document("200 OK", vectors)]);
    let node = with(&net, vec![provider("a", ProviderKind::Gemini)]).await;
    let ask = json!({"model": "m", "input": "hi", "dimensions": 2});
    let answer = tree(&node.ask("/v1/embeddings", &ask.to_string()).await);
    assert_eq!(answer["data"][0]["embedding"], json!([1.0, -2.0]));
    assert_eq!((&answer["object"], &answer["model"]), (&json!("list"), &json!("m")));
    let ask = json!({"model": "m", "input": "hi", "encoding_format": "base64"});
    let answer = tree(&node.ask("/v1/embeddings", &ask.to_string()).await);
    assert_eq!(answer["data"][0]["embedding"], "AACAPwAAAMA=", "little-endian floats");
    let requests = script.requests();
    assert!(requests[0].starts_with("POST /v1beta/models/up:batchEmbedContents"), "{}", requests[0]);
    assert_eq!(body_of(&requests[0])["requests"][0]["outputDimensionality"], 2);
}

#[tokio::test(start_paused = true)]
async fn embeddings_of_openai_reach_a_client_of_gemini() {
    let net = MemoryNet::new();
    let vectors = r#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.5,1.5]}],"model":"up","usage":{"prompt_tokens":2,"total_tokens":2}}"#;
    let script = Script::play(&net, "a", vec![document("200 OK", vectors)]);
    let node = with(&net, vec![provider("a", ProviderKind::OpenAi)]).await;
    let ask = r#"{"content":{"parts":[{"text":"hi"}]}}"#;
    let answer = tree(&node.ask(&format!("{GEMINI}:embedContent"), ask).await);
    assert_eq!(answer["embedding"]["values"], json!([0.5, 1.5]));
    assert_eq!(body_of(&script.requests()[0])["input"], json!(["hi"]));
}

/// Asks for a list of models with one more header.
async fn listed(node: &Node, path: &str, header: (&'static str, &str)) -> Value {
    let mut request: Request<Full<_>> = post(path, "");
    *request.method_mut() = http::Method::GET;
    request.headers_mut().insert(header.0, header.1.parse().expect("a value"));
    tree(&Answer::read(node.open(request).await).await)
}

#[tokio::test(start_paused = true)]
async fn models_are_listed_in_the_clients_own_shape() {
    let net = MemoryNet::new();
    let node = Node::start(&net, in_turn(vec![provider("a", ProviderKind::Anthropic)])).await;
    let openai = listed(&node, "/v1/models", ("authorization", "Bearer x")).await;
    assert_eq!((&openai["object"], &openai["data"][0]["id"]), (&json!("list"), &json!("m")), "{openai}");
    let anthropic = listed(&node, "/v1/models", ("anthropic-version", "2023-06-01")).await;
    assert_eq!(
        (&anthropic["data"][0]["id"], &anthropic["has_more"]),
        (&json!("m"), &json!(false)),
        "{anthropic}"
    );
    for path in ["/v1/models", "/v1beta/models"] {
        let gemini = listed(&node, path, ("x-goog-api-key", "x")).await;
        assert_eq!(gemini["models"][0]["name"], "models/m", "{gemini}");
    }
}

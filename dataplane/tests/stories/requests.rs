//! What a provider gets of a client's request.

use crate::{
    network::MemoryNet,
    node::{Answer, Node, in_turn, post, provider},
    script::{Script, document},
};
use cliproxy_domain::ProviderKind;
use http::HeaderValue;

#[tokio::test(start_paused = true)]
async fn a_gemini_request_names_the_providers_model_wherever_it_names_one() {
    let net = MemoryNet::new();
    let script = Script::play(&net, "a", vec![document("200 OK", r#"{"totalTokens":7}"#)]);
    let node = Node::start(&net, in_turn(vec![provider("a", ProviderKind::Gemini)])).await;
    let cases = [
        (
            "/v1beta/models/m:countTokens",
            r#"{"generateContentRequest":{"model":"models/m","contents":[]}}"#,
            r#"{"generateContentRequest":{"model":"models/up","contents":[]}}"#,
        ),
        (
            "/v1/models/a/x:batchEmbedContents",
            r#"{"requests":[{"model":"models/a/x","content":{}},{"model":"a/x"}]}"#,
            r#"{"requests":[{"model":"models/x","content":{}},{"model":"x"}]}"#,
        ),
        ("/v1beta/models/m:embedContent", r#"{"content":{},"model":"m"}"#, r#"{"content":{},"model":"up"}"#),
    ];
    for (path, body, _) in cases {
        assert_eq!(node.ask(path, body).await.status.as_u16(), 200, "{path}");
    }
    for (request, (path, _, body)) in script.requests().iter().zip(cases) {
        let path = path.replace("/m:", "/up:").replace("/a/x:", "/x:");
        assert!(request.starts_with(&format!("POST {path} HTTP/1.1\r\n")), "{request}");
        assert!(request.ends_with(body), "{request}");
    }
    assert_eq!(script.requests().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn what_belongs_to_the_clients_own_account_and_network_goes_no_further() {
    let net = MemoryNet::new();
    let script = Script::play(&net, "a", vec![document("200 OK", r#"{"id":"x","choices":[]}"#)]);
    let node = Node::start(&net, in_turn(vec![provider("a", ProviderKind::OpenAi)])).await;
    let mut request = post("/v1/chat/completions?access_token=clients&x=1", r#"{"model":"m"}"#);
    for name in [
        "api-key",
        "openai-organization",
        "openai-project",
        "x-goog-user-project",
        "anthropic-workspace-id",
        "forwarded",
        "x-forwarded-for",
        "x-real-ip",
    ] {
        request.headers_mut().insert(name, HeaderValue::from_static("clients"));
    }
    request.headers_mut().insert("openai-beta", HeaderValue::from_static("passes"));
    assert_eq!(Answer::read(node.open(request).await).await.status.as_u16(), 200);
    let sent = &script.requests()[0];
    assert!(!sent.contains("clients"), "{sent}");
    assert!(sent.contains("openai-beta: passes\r\n") && sent.contains("?x=1 "), "{sent}");
}

//! Servers that differ from OpenAI, as their profiles declare.

use crate::{
    network::MemoryNet,
    node::{Node, in_turn, provider},
    script::{Script, document},
};
use cliproxy_domain::{Profile, Provider, ProviderKind};

const REPLY: &str = r#"{"id":"c1","object":"chat.completion","created":1,"model":"up","choices":[{"index":0,"message":{"role":"assistant","content":"Hello"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}"#;
const VECTORS: &str = r#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.5]}],"model":"up","usage":{"prompt_tokens":1,"total_tokens":1}}"#;
const CHAT: &str = r#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#;
const MESSAGES: &str = r#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}"#;

fn odd_vendor() -> Profile {
    Profile {
        auth_header: "x-vendor-key".into(),
        auth_prefix: "Token ".into(),
        headers: vec![("x-vendor-region".into(), "north".into())],
        chat_path: Some("/models/{model}/talk".into()),
        embeddings_path: Some("/models/{model}/embed".into()),
        query: Some("api-version=7".into()),
        ..Profile::default()
    }
}

/// Asks a server of the odd vendor, and gives the request that it got.
async fn asked(path: &str, body: &str, reply: &str) -> String {
    let net = MemoryNet::new();
    let script = Script::play(&net, "a", vec![document("200 OK", reply)]);
    let provider = Provider { profile: Some(odd_vendor()), ..provider("a", ProviderKind::OpenAiCompatible) };
    let node = Node::start(&net, in_turn(vec![provider])).await;
    let answer = node.ask(path, body).await;
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.body);
    script.requests().remove(0)
}

#[tokio::test(start_paused = true)]
async fn a_profiles_path_query_headers_and_key_are_used_for_what_passes_and_for_what_is_translated() {
    for (path, body, reply, place) in [
        ("/v1/chat/completions", CHAT, REPLY, "/models/up/talk?api-version=7"),
        ("/v1/messages", MESSAGES, REPLY, "/models/up/talk?api-version=7"),
        ("/v1/embeddings", r#"{"model":"m","input":"hi"}"#, VECTORS, "/models/up/embed?api-version=7"),
    ] {
        let request = asked(path, body, reply).await;
        assert!(request.starts_with(&format!("POST {place} HTTP/1.1\r\n")), "{path}: {request}");
        assert!(request.contains("\r\nx-vendor-key: Token upstream-key\r\n"), "{path}: {request}");
        assert!(request.contains("\r\nx-vendor-region: north\r\n"), "{path}: {request}");
        assert!(!request.contains("\r\nauthorization: "), "{path}: the key is sent once: {request}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_clients_own_query_goes_before_the_profiles() {
    let request = asked("/v1/chat/completions?trace=1", CHAT, REPLY).await;
    assert!(request.starts_with("POST /models/up/talk?trace=1&api-version=7 "), "{request}");
}

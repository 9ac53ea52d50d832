//! What a request needs and not every target has.

use crate::{
    network::MemoryNet,
    node::{Node, in_turn, provider},
    script::{Script, document},
    translation::{ASK, CHAT_REPLY, MESSAGE, MESSAGES, body_of, error_of, with},
};
use cliproxy_domain::{ModelPattern, Need, Provider, ProviderKind, TraitsEntry, UnsupportedTools};
use serde_json::{Value, json};

const CHAT: &str = "/v1/chat/completions";
const RESPONSES: &str = "/v1/responses";
const EMBEDDINGS: &str = "/v1/embeddings";

/// A provider whose models cannot do `need`.
fn without(need: Need, kind: ProviderKind) -> Provider {
    let entry = TraitsEntry {
        models: vec![ModelPattern::new("*")],
        abilities: vec![(need, false)],
        ..TraitsEntry::default()
    };
    Provider { traits: vec![entry], ..provider("a", kind) }
}

fn chat(part: Value) -> Value {
    json!({"model": "m", "messages": [{"role": "user", "content": [part]}]})
}

fn asking(fields: Value) -> Value {
    let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]});
    body.as_object_mut().expect("an object").extend(fields.as_object().expect("an object").clone());
    body
}

/// A request that needs `need`: its path, its body, and a kind of provider that has no way to take it, if there is
/// one; else a model is said to lack it.
fn needing(need: Need) -> (&'static str, Value, Option<ProviderKind>) {
    let data = "data:application/pdf;base64,AAAA";
    let schema = json!({"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}});
    let function = json!({"type": "function", "function": {"name": "f"}});
    let by_url =
        json!([{"role": "user", "content": [{"type": "input_file", "file_url": "https://x.com/a.pdf"}]}]);
    match need {
        Need::Images => {
            let image = json!({"url": "https://example.com/a.png"});
            (CHAT, chat(json!({"type": "image_url", "image_url": image})), None)
        }
        Need::Files => (CHAT, chat(json!({"type": "file", "file": {"file_data": data}})), None),
        Need::Audio => {
            let audio = json!({"data": "AAAA", "format": "wav"});
            let body = chat(json!({"type": "input_audio", "input_audio": audio}));
            (CHAT, body, Some(ProviderKind::Anthropic))
        }
        Need::Tools => (CHAT, asking(json!({"tools": [function]})), None),
        Need::StructuredOutput => (CHAT, asking(json!({"response_format": schema})), None),
        Need::MediaOutput => {
            let fields = json!({"modalities": ["text", "audio"], "audio": {"voice": "x", "format": "wav"}});
            (CHAT, asking(fields), Some(ProviderKind::Gemini))
        }
        Need::Choices => (CHAT, asking(json!({"n": 2})), Some(ProviderKind::Anthropic)),
        Need::Logprobs => (CHAT, asking(json!({"logprobs": true})), Some(ProviderKind::Anthropic)),
        Need::FileUrls => {
            (RESPONSES, json!({"model": "m", "input": by_url}), Some(ProviderKind::OpenAiCompatible))
        }
        Need::ServerState => {
            let body = json!({"model": "m", "input": "hi", "previous_response_id": "resp_1"});
            (RESPONSES, body, Some(ProviderKind::Gemini))
        }
        Need::Embeddings => (EMBEDDINGS, json!({"model": "m", "input": "hi"}), Some(ProviderKind::Anthropic)),
        Need::TokenArrays => (EMBEDDINGS, json!({"model": "m", "input": [1, 2]}), Some(ProviderKind::Gemini)),
        Need::TokenCounts => (
            "/v1/responses/input_tokens",
            json!({"model": "m", "input": "hi"}),
            Some(ProviderKind::OpenAiCompatible),
        ),
    }
}

/// What the second target answers; it speaks the client's own API, so that it passes as it is.
const REPLIES: [(&str, &str); 4] = [
    (CHAT, CHAT_REPLY),
    (
        RESPONSES,
        r#"{"id":"r","object":"response","status":"completed","output":[],"usage":{"input_tokens":1,"output_tokens":1}}"#,
    ),
    (EMBEDDINGS, r#"{"object":"list","data":[],"model":"up","usage":{"prompt_tokens":1,"total_tokens":1}}"#),
    ("/v1/responses/input_tokens", r#"{"object":"response.input_tokens","input_tokens":3}"#),
];

#[tokio::test(start_paused = true)]
async fn a_request_goes_past_each_target_that_lacks_what_it_needs() {
    for need in Need::ALL {
        let (path, body, incapable) = needing(need);
        let net = MemoryNet::new();
        let first = Script::play(&net, "a", vec![document("200 OK", "{}")]);
        let reply = REPLIES.iter().find(|(known, _)| *known == path).expect("a reply").1;
        let second = Script::play(&net, "b", vec![document("200 OK", reply)]);
        let a = incapable.map_or_else(|| without(need, ProviderKind::OpenAi), |kind| provider("a", kind));
        let node = with(&net, vec![a.clone(), provider("b", ProviderKind::OpenAi)]).await;
        let answer = node.ask(path, &body.to_string()).await;
        assert_eq!((answer.status.as_u16(), answer.body.as_str()), (200, reply), "{need:?}");
        assert_eq!(answer.headers["x-cliproxy-attempts"], "1", "{need:?}");
        assert!(first.requests().is_empty() && second.requests().len() == 1, "{need:?}");
        node.adopt(in_turn(vec![a]));
        let alone = node.ask(path, &body.to_string()).await;
        if need == Need::TokenCounts {
            assert_eq!(alone.headers["x-cliproxy-warnings"], "input_tokens=estimated");
        } else {
            assert_eq!(
                (alone.status.as_u16(), &error_of(&alone)["code"]),
                (400, &json!("capability")),
                "{need:?}"
            );
        }
        assert!(first.requests().is_empty(), "{need:?}");
    }
}

fn with_search() -> Value {
    let mut ask: Value = serde_json::from_str(ASK).expect("JSON");
    ask["tools"] = json!([
        {"name": "f", "input_schema": {"type": "object"}},
        {"type": "web_search_20260318", "name": "web_search"}
    ]);
    ask
}

#[tokio::test(start_paused = true)]
async fn a_vendors_own_tool_is_refused_unless_it_may_be_left_out() {
    let net = MemoryNet::new();
    let script = Script::play(&net, "a", vec![document("200 OK", CHAT_REPLY)]);
    let mut snapshot = in_turn(vec![provider("a", ProviderKind::OpenAiCompatible)]);
    let node = Node::start(&net, snapshot.clone()).await;
    let refused = node.ask(MESSAGES, &with_search().to_string()).await;
    assert_eq!(refused.status.as_u16(), 400);
    assert!(refused.body.contains("`tools[1]` (web_search_20260318)"), "{}", refused.body);
    assert!(script.requests().is_empty());
    snapshot.policy.translation.unsupported_tools = UnsupportedTools::Drop;
    node.adopt(snapshot);
    let answer = node.ask(MESSAGES, &with_search().to_string()).await;
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.body);
    assert_eq!(answer.headers["x-cliproxy-warnings"], "tools[1].web_search_20260318=dropped");
    let sent = body_of(&script.requests()[0]);
    assert_eq!(sent["tools"].as_array().expect("tools").len(), 1, "{sent}");
}

#[tokio::test(start_paused = true)]
async fn a_vendors_own_tool_goes_to_its_vendor_where_one_is_there() {
    let net = MemoryNet::new();
    let first = Script::play(&net, "a", vec![document("200 OK", CHAT_REPLY)]);
    Script::play(&net, "b", vec![document("200 OK", MESSAGE)]);
    let providers =
        vec![provider("a", ProviderKind::OpenAiCompatible), provider("b", ProviderKind::Anthropic)];
    let answer = with(&net, providers).await.ask(MESSAGES, &with_search().to_string()).await;
    assert_eq!((answer.status.as_u16(), answer.body.as_str()), (200, MESSAGE));
    assert_eq!(answer.headers["x-cliproxy-attempts"], "1");
    assert!(first.requests().is_empty());
}

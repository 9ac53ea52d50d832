//! Which headers pass, and which stop at the gateway.

use super::{gateway, smart};
use crate::apis::Api;
use bytes::Bytes;
use cliproxy_testkit::{Recorder, config::upstream_key, mock::Script, provider};
use http::{Response, StatusCode};

/// The client's own key: nothing of it may leave the gateway.
const CLIENT_KEY: &str = "sk-of-the-client";

/// A whole answer in the API of the path.
fn answer(path: &str) -> &'static str {
    if path.starts_with("/v1/chat") {
        r#"{"id":"c","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}"#
    } else if path.starts_with("/v1/responses") {
        r#"{"id":"r","object":"response","status":"completed","output":[],"usage":{"input_tokens":1,"output_tokens":1,"total_tokens":2}}"#
    } else if path.starts_with("/v1/messages") {
        r#"{"id":"m","type":"message","role":"assistant","content":[{"type":"text","text":"hi"}],"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":1}}"#
    } else {
        r#"{"candidates":[{"content":{"role":"model","parts":[{"text":"hi"}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":1,"candidatesTokenCount":1,"totalTokenCount":2}}"#
    }
}

/// An upstream that answers well, with headers of every sort.
async fn upstream() -> Recorder {
    Recorder::start(|request| {
        Response::builder()
            .status(StatusCode::OK)
            .header("content-type", "application/json")
            .header("x-request-id", "of-the-provider")
            .header("x-ratelimit-remaining-requests", "17")
            .header("anthropic-ratelimit-requests-remaining", "18")
            .header("retry-after", "5")
            .header("x-unknown-of-the-future", "kept")
            .header("connection", "x-hop")
            .header("x-hop", "stops")
            .header("set-cookie", "lb=1")
            .body(Bytes::from_static(answer(request.uri.path()).as_bytes()))
            .unwrap()
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_clients_key_never_reaches_the_provider_and_the_providers_key_does() {
    let upstream = upstream().await;
    let (_gateway, client) = gateway(&upstream.base_url()).await;
    for api in Api::ALL {
        let (path, body) = api.request("m", false);
        let path = format!("{path}{}key={CLIENT_KEY}&other=1", if path.contains('?') { '&' } else { '?' });
        let answer = client
            .json(&path, body)
            .header("authorization", format!("Bearer {CLIENT_KEY}"))
            .header("x-api-key", CLIENT_KEY)
            .header("x-goog-api-key", CLIENT_KEY)
            .header("proxy-authorization", format!("Basic {CLIENT_KEY}"))
            .header("cookie", format!("session={CLIENT_KEY}"))
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status, 200, "{api:?}: {}", answer.text());
        let got = upstream.last();
        let everything = format!("{} {:?} {:?}", got.uri, got.headers, got.body);
        assert!(!everything.contains(CLIENT_KEY), "{api:?}: {everything}");
        assert_eq!(got.uri.query(), Some("other=1"), "{api:?}");
        let key = upstream_key(api.kind());
        let (own, value) = match api {
            Api::Chat | Api::Responses => ("authorization", format!("Bearer {key}")),
            Api::Messages => ("x-api-key", key),
            Api::Gemini => ("x-goog-api-key", key),
        };
        assert_eq!(got.header(own), value, "{api:?}");
        let others = ["authorization", "x-api-key", "x-goog-api-key"].into_iter().filter(|name| *name != own);
        assert!(others.clone().all(|name| !got.headers.contains_key(name)), "{api:?}: {everything}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_of_one_connection_stop_and_the_vendors_own_pass() {
    let upstream = upstream().await;
    let (_gateway, client) = gateway(&upstream.base_url()).await;
    let (path, body) = Api::Messages.request("m", false);
    let answer = client
        .json(&path, body)
        .header("connection", "x-hop-a, keep-alive")
        .header("connection", "x-hop-b")
        .header("x-hop-a", "stops")
        .header("x-hop-b", "stops")
        .header("keep-alive", "timeout=5")
        .header("te", "trailers")
        .header("proxy-connection", "keep-alive")
        .header("accept-encoding", "gzip, br")
        .header("x-cliproxy-anything", "stops")
        .header("x-request-id", "of-the-client")
        .header("anthropic-beta", "one-2026-01-01")
        .header("anthropic-beta", "two-2026-01-01")
        .header("x-stainless-lang", "python")
        .header("user-agent", "sdk/1")
        .header("x-unknown-of-the-future", "kept")
        .send()
        .await
        .unwrap();
    let got = upstream.last();
    for stopped in
        ["connection", "x-hop-a", "x-hop-b", "keep-alive", "te", "proxy-connection", "x-cliproxy-anything"]
    {
        assert!(!got.headers.contains_key(stopped), "{stopped}: {:?}", got.headers);
    }
    for (name, value) in [
        ("x-request-id", "of-the-client"),
        ("x-stainless-lang", "python"),
        ("user-agent", "sdk/1"),
        ("x-unknown-of-the-future", "kept"),
        ("anthropic-version", "2023-06-01"),
        ("accept-encoding", "identity"),
        ("host", upstream.base_url().trim_start_matches("http://")),
    ] {
        assert_eq!(got.header(name), value);
    }
    let betas: Vec<_> = got.headers.get_all("anthropic-beta").iter().collect();
    assert_eq!(betas, ["one-2026-01-01", "two-2026-01-01"]);

    assert_eq!(answer.header("x-request-id"), "of-the-client");
    assert_eq!(answer.header("x-upstream-request-id"), "of-the-provider");
    for (name, value) in [
        ("x-ratelimit-remaining-requests", "17"),
        ("anthropic-ratelimit-requests-remaining", "18"),
        ("retry-after", "5"),
        ("x-unknown-of-the-future", "kept"),
    ] {
        assert_eq!(answer.header(name), value);
    }
    for stopped in ["x-hop", "set-cookie"] {
        assert!(!answer.headers.contains_key(stopped), "{stopped}: {:?}", answer.headers);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_says_which_provider_model_and_node_gave_it_and_in_how_many_attempts() {
    let mock = provider("up", Script::default());
    let (gateway, client) = gateway(&mock.base_url()).await;
    let line = gateway.wait_for_log("clients are served", cliproxy_testkit::PATIENCE).await;
    for api in Api::ALL {
        for stream in [false, true] {
            let (path, body) = api.request(&smart(api), stream);
            let answer = client.post(&path, body).await;
            assert_eq!(answer.status, 200);
            assert_eq!(answer.header("x-cliproxy-provider"), api.kind());
            assert_eq!(answer.header("x-cliproxy-model"), "target-model");
            assert_eq!(answer.header("x-cliproxy-attempts"), "1");
            assert_eq!(answer.header("x-cliproxy-node"), line["node"].as_str().unwrap());
            let id = answer.header("x-request-id");
            assert!(!id.is_empty());
            // The same id is in the provider's own log, which has it when the provider is done.
            mock.wait_for(cliproxy_testkit::PATIENCE, |totals| totals.in_flight == 0).await.unwrap();
            assert!(
                mock.log().entries.iter().any(|entry| entry.request_id.as_deref() == Some(id)),
                "{api:?}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_taken_in_either_header_in_every_api() {
    let mock = provider("up", Script::default());
    let (_gateway, client) = gateway(&mock.base_url()).await;
    let headers = [("authorization", "Bearer any"), ("x-api-key", "any"), ("x-goog-api-key", "any")];
    for api in Api::ALL {
        for (name, value) in headers {
            let (path, body) = api.request("m", false);
            let answer = client.json(&path, body).header(name, value).send().await.unwrap();
            assert_eq!(answer.status, 200, "{api:?} with {name}: {}", answer.text());
        }
    }
}

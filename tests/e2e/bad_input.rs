//! What clients get wrong is answered clearly, in their dialect and in time, and disturbs nobody else.

mod slow;

use crate::{CLIPROXY, apis::Api};
use cliproxy_testkit::{
    Answer, Client, Config, Launch, PATIENCE, Process, Raw,
    mock::{MockProvider, Script},
    provider,
};
use http::Method;
use serde_json::json;

struct Setting {
    gateway: Process,
    client: Client,
    mock: MockProvider,
}

async fn setting() -> Setting {
    let mock = provider("up", Script::default());
    let mut config = Config::new().set(
        &["server", "limits"],
        json!({
            "max_body": "64KiB", "max_header_bytes": "16KiB",
            "client_header_timeout": "1s", "client_body_timeout": "1s"
        }),
    );
    for api in Api::ALL {
        config = config.provider(api.kind(), api.kind(), &mock.base_url());
    }
    let config = config.alias("smart-model", &[("openai", "m"), ("anthropic", "m"), ("gemini", "m")]);
    let gateway = Launch::new(CLIPROXY, "serve").config(config).ready().await;
    let client = gateway.client().await;
    Setting { gateway, client, mock }
}

/// Asks well, on a connection of its own.
async fn a_good_request_is_answered(client: &Client) {
    let client = Client::new(client.server());
    for api in Api::ALL {
        let (path, body) = api.request("smart-model", false);
        assert_eq!(client.post(&path, body).await.status, 200, "{api:?}");
    }
}

/// Holds a refusal against the dialect's envelope; gives the kind and the message.
fn refused(api: Api, answer: &Answer, status: u16) -> (String, String) {
    assert_eq!(answer.status, status, "{api:?}: {}", answer.text());
    assert_eq!(answer.header("content-type"), "application/json", "{api:?}");
    assert!(!answer.header("x-request-id").is_empty() && !answer.header("x-cliproxy-node").is_empty());
    api.error(&answer.json())
}

/// The word of each dialect for a request that is wrong.
fn invalid(api: Api) -> &'static str {
    if api == Api::Gemini { "INVALID_ARGUMENT" } else { "invalid_request_error" }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_no_json_is_refused_with_its_place() {
    let setting = setting().await;
    let Setting { client, mock, .. } = &setting;
    for api in Api::ALL {
        let (path, _) = api.request("smart-model", false);
        for body in ["", "{", "[]", "nonsense", r#"{"model":"smart-model","#] {
            let answer = client.post(&path, body).await;
            // A Gemini body that is not read for a model still has to be JSON.
            let (kind, message) = refused(api, &answer, 400);
            assert_eq!(kind, invalid(api), "{api:?} {body:?}");
            assert!(message.to_lowercase().contains("json"), "{api:?} {body:?}: {message}");
        }
    }
    assert_eq!(mock.totals().requests, 0);
    a_good_request_is_answered(client).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_no_utf8_is_refused() {
    let setting = setting().await;
    let Setting { client, mock, .. } = &setting;
    for api in Api::ALL {
        let (path, body) = api.request("smart-model", false);
        let mut body = body.into_bytes();
        let at = body.windows(2).position(|two| two == b"hi").unwrap();
        body[at] = 0xff;
        let (kind, message) = refused(api, &client.post(&path, body).await, 400);
        assert_eq!(kind, invalid(api), "{api:?}");
        assert!(message.contains("UTF-8"), "{api:?}: {message}");
    }
    assert_eq!(mock.totals().requests, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_model_is_named_as_what_is_missing() {
    let setting = setting().await;
    let Setting { client, .. } = &setting;
    for api in [Api::Chat, Api::Responses, Api::Messages] {
        let (path, _) = api.request("", false);
        for body in [r#"{"messages":[]}"#, r#"{"model":null}"#, r#"{"model":""}"#, r#"{"model":7}"#] {
            let answer = client.post(&path, body).await;
            let (kind, message) = refused(api, &answer, 400);
            assert_eq!(kind, invalid(api), "{api:?} {body}");
            assert!(message.contains("`model`"), "{api:?} {body}: {message}");
            if api != Api::Messages {
                assert_eq!(answer.json()["error"]["param"], "model", "{body}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_model_is_404_and_the_closest_name_is_told() {
    let setting = setting().await;
    let Setting { client, mock, .. } = &setting;
    for api in Api::ALL {
        let (path, body) = api.request("smart-modle", false);
        let (kind, message) = refused(api, &client.post(&path, body).await, 404);
        let expected = match api {
            Api::Chat | Api::Responses => "invalid_request_error",
            Api::Messages => "not_found_error",
            Api::Gemini => "NOT_FOUND",
        };
        assert_eq!(kind, expected, "{api:?}");
        assert!(message.contains("smart-modle") && message.contains("smart-model"), "{api:?}: {message}");
    }
    assert_eq!(mock.totals().requests, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_over_the_limit_is_refused_whether_it_is_announced_or_not() {
    let setting = setting().await;
    let Setting { gateway, client, mock } = &setting;
    let address = gateway.address().await;
    for api in Api::ALL {
        let (path, _) = api.request("smart-model", false);
        // Announced: refused without a byte of it.
        let mut raw = Raw::connect(address).await;
        raw.send(format!("POST {path} HTTP/1.1\r\nhost: h\r\ncontent-length: 65537\r\n\r\n")).await.unwrap();
        let answer = raw.finish(PATIENCE).await;
        assert_eq!(answer.status, 413, "{api:?}: {}", answer.head);
        let (_, message) = api.error(&serde_json::from_slice(&answer.body).unwrap());
        assert!(message.contains("65536") && message.contains("max_body"), "{message}");
        // In pieces without an end: refused once it is too much.
        let mut raw = Raw::connect(address).await;
        raw.send(format!("POST {path} HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n"))
            .await
            .unwrap();
        let piece = format!("4000\r\n{}\r\n", " ".repeat(0x4000));
        for _ in 0..5 {
            raw.send(&piece).await.unwrap();
        }
        let answer = raw.finish(PATIENCE).await;
        assert_eq!(answer.status, 413, "{api:?}: {}", answer.head);
        api.error(&serde_json::from_slice(&answer.body).unwrap());
    }
    assert_eq!(mock.totals().requests, 0);
    a_good_request_is_answered(client).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_over_the_limit_are_refused_with_431() {
    let setting = setting().await;
    let Setting { gateway, client, .. } = &setting;
    let mut raw = Raw::connect(gateway.address().await).await;
    let head = format!("POST /v1/messages HTTP/1.1\r\nhost: h\r\nx-large: {}\r\n\r\n", "a".repeat(20_000));
    raw.send(head).await.unwrap();
    let answer = raw.finish(PATIENCE).await;
    assert_eq!(answer.status, 431, "{}", answer.head);
    a_good_request_is_answered(client).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_no_http_end_the_connection_with_400() {
    let setting = setting().await;
    let Setting { gateway, client, .. } = &setting;
    for nonsense in ["\0\x01\x02\x03\x04\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n"] {
        let mut raw = Raw::connect(gateway.address().await).await;
        raw.send(nonsense).await.unwrap();
        let answer = raw.finish(PATIENCE).await;
        assert!(matches!(answer.status, 400 | 505), "{nonsense:?}: {}", answer.head);
    }
    a_good_request_is_answered(client).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_method_is_405_and_the_right_one_is_told() {
    let setting = setting().await;
    let Setting { client, .. } = &setting;
    for api in Api::ALL {
        let (path, _) = api.request("smart-model", false);
        for method in [Method::GET, Method::PUT, Method::DELETE] {
            let answer = client.request(method.clone(), &path).send().await.unwrap();
            refused(api, &answer, 405);
            assert_eq!(answer.header("allow"), "POST", "{api:?} {method}");
        }
    }
    let answer = client.request(Method::DELETE, "/v1/models").send().await.unwrap();
    refused(Api::Chat, &answer, 405);
    assert_eq!(answer.header("allow"), "GET");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compressed_body_is_415() {
    let setting = setting().await;
    let Setting { client, mock, .. } = &setting;
    for api in Api::ALL {
        let (path, body) = api.request("smart-model", false);
        let answer = client.json(&path, body).header("content-encoding", "gzip").send().await.unwrap();
        let (kind, message) = refused(api, &answer, 415);
        assert_eq!(kind, invalid(api), "{api:?}");
        assert!(message.contains("content-encoding"), "{message}");
    }
    assert_eq!(mock.totals().requests, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_path_is_404_in_the_dialect_that_its_client_speaks() {
    let setting = setting().await;
    let Setting { client, .. } = &setting;
    let cases = [
        (Api::Chat, "/v1/unknown", None),
        (Api::Chat, "/unknown", None),
        (Api::Responses, "/v1/responses/unknown", None),
        (Api::Messages, "/v1/messages/unknown", None),
        (Api::Messages, "/v1/unknown", Some(("anthropic-version", "2023-06-01"))),
        (Api::Gemini, "/v1beta/unknown", None),
        (Api::Gemini, "/v1/models/m:unknownVerb", Some(("x-goog-api-key", "k"))),
    ];
    for (api, path, header) in cases {
        let mut call = client.request(Method::POST, path);
        if let Some((name, value)) = header {
            call = call.header(name, value);
        }
        let (_, message) = refused(api, &call.body("{}").send().await.unwrap(), 404);
        assert!(message.contains(path), "{message}");
    }
}

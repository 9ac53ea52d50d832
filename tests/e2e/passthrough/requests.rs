//! What arrives at the provider.

use super::{
    fixtures::{ending_in, path},
    gateway, smart,
};
use crate::apis::Api;
use bytes::Bytes;
use cliproxy_testkit::{
    Client,
    mock::{MockProvider, Script},
    provider,
};
use serde_json::Value;

fn keeping_bodies() -> MockProvider {
    provider("up", Script { keep_bodies: 1, ..Script::default() })
}

/// Posts a body and gives the path and the body that arrived.
async fn arrived(client: &Client, mock: &MockProvider, path: &str, body: &[u8]) -> (String, Bytes) {
    let before = mock.totals().requests;
    client.post(path, Bytes::copy_from_slice(body)).await;
    let totals = mock.wait_for(cliproxy_testkit::PATIENCE, |totals| totals.in_flight == 0).await.unwrap();
    assert_eq!(totals.requests, before + 1, "{path} was called once");
    let entry = mock.log().entries.pop().unwrap();
    (entry.path.to_string(), entry.body.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_recorded_request_arrives_byte_for_byte() {
    let mock = keeping_bodies();
    let (_gateway, client) = gateway(&mock.base_url()).await;
    for api in Api::ALL {
        for (name, body) in ending_in(api, ".request.json") {
            let path = path(api, &name, "some-model");
            let got = arrived(&client, &mock, &path, &body).await;
            assert_eq!(got, (path, Bytes::from(body)), "{api:?} {name}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alias_replaces_the_models_name_and_nothing_else() {
    let mock = keeping_bodies();
    let (_gateway, client) = gateway(&mock.base_url()).await;
    for api in [Api::Chat, Api::Responses, Api::Messages] {
        for (name, body) in ending_in(api, ".request.json") {
            let body = String::from_utf8(body).unwrap();
            let asked = serde_json::from_str::<Value>(&body).unwrap()["model"].as_str().unwrap().to_owned();
            let with = |model: &str| body.replacen(&format!("\"{asked}\""), &format!("\"{model}\""), 1);
            let path = path(api, &name, "");
            let (_, got) = arrived(&client, &mock, &path, with(&smart(api)).as_bytes()).await;
            assert_eq!(got, with("target-model"), "{api:?} {name}");
        }
    }
    for (name, body) in ending_in(Api::Gemini, ".request.json") {
        // Some bodies of this API repeat the model that the path names.
        let body = String::from_utf8(body).unwrap();
        let with = |model: &str| {
            ["gemini-embedding-001", "gemini-3.8-flash"].iter().fold(body.clone(), |body, repeated| {
                body.replace(&format!("\"models/{repeated}\""), &format!("\"models/{model}\""))
            })
        };
        let path = |model: &str| path(Api::Gemini, &name, model);
        let smart = smart(Api::Gemini);
        let got = arrived(&client, &mock, &path(&smart), with(&smart).as_bytes()).await;
        assert_eq!(got, (path("target-model"), Bytes::from(with("target-model"))), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_spellings_of_a_body_survive_an_alias() {
    let mock = keeping_bodies();
    let (_gateway, client) = gateway(&mock.base_url()).await;
    let body = |model: &str| {
        format!(
            "\n{{ \"n\" : 1.0e0 ,\"x\":12345678901234567890123, \"model\" :\t\"{model}\" , \"messages\":[ {{\"role\":\"user\",\
             \"content\":\"\\u00e9 \\\"smart\\\" é\", \"model\":\"smart\"}}],\"big\":-0.0 ,\"messages2\":null }} \n"
        )
    };
    let (_, got) = arrived(&client, &mock, "/v1/chat/completions", body(&smart(Api::Chat)).as_bytes()).await;
    assert_eq!(got, body("target-model"));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_gemini_path_is_served_under_v1_as_under_v1beta() {
    let mock = keeping_bodies();
    let (_gateway, client) = gateway(&mock.base_url()).await;
    let generate = r#"{"contents":[{"role":"user","parts":[{"text":"hi"}]}],"unknownField":{"a":[1]}}"#;
    let embed = r#"{"content":{"parts":[{"text":"hi"}]},"unknownField":1}"#;
    let batch = r#"{"requests":[{"model":"models/m","content":{"parts":[{"text":"hi"}]},"unknownField":1}]}"#;
    for version in ["v1", "v1beta"] {
        for (verb, body) in [
            ("generateContent", generate),
            ("streamGenerateContent", generate),
            ("streamGenerateContent?alt=sse", generate),
            ("countTokens", generate),
            ("embedContent", embed),
            ("batchEmbedContents", batch),
        ] {
            let path = format!("/{version}/models/m:{verb}");
            let answer = client.post(&path, body).await;
            assert_eq!(answer.status, 200, "{path}: {}", answer.text());
            mock.wait_for(cliproxy_testkit::PATIENCE, |totals| totals.in_flight == 0).await.unwrap();
            let entry = mock.log().entries.pop().unwrap();
            assert_eq!(entry.body.unwrap(), body, "{path}");
            assert_eq!(*entry.path, *path.split('?').next().unwrap());
            assert_eq!(entry.stream, verb.starts_with("stream"), "{path}");
            let kind = if path.ends_with("alt=sse") { "text/event-stream" } else { "application/json" };
            assert!(answer.header("content-type").starts_with(kind), "{path}: {:?}", answer.headers);
        }
    }
}

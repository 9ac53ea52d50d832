//! What arrives at the client.

use super::{
    fixtures::{ending_in, path},
    gateway,
};
use crate::apis::Api;
use bytes::Bytes;
use cliproxy_testkit::{
    mock::{Behaviour, Chunk, Fixture, Payload, Script},
    now, provider,
};
use serde_json::Value;

fn given(fixture: Fixture) -> Script {
    Behaviour::Fixture(fixture).into()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_recorded_answer_passes_byte_for_byte() {
    let mock = provider("up", Script::default());
    let (_gateway, client) = gateway(&mock.base_url()).await;
    for api in Api::ALL {
        for (name, body) in ending_in(api, ".response.json") {
            mock.set(given(Fixture::new(200, "application/json; charset=utf-8", body.clone()))).unwrap();
            let path = path(api, &name, "m");
            let answer = client.post(&path, sound_request(&path)).await;
            assert_eq!(answer.status, 200, "{api:?} {name}: {}", answer.text());
            assert_eq!(answer.body, body, "{api:?} {name}");
            assert_eq!(answer.header("content-type"), "application/json; charset=utf-8");
        }
    }
}

/// A body that the path takes.
fn sound_request(path: &str) -> String {
    let api = Api::ALL.into_iter().find(|api| api.request("m", false).0 == path);
    match api {
        Some(api) => api.request("m", false).1,
        None if path.ends_with(":batchEmbedContents") => {
            r#"{"requests":[{"model":"models/m","content":{"parts":[{"text":"hi"}]}}]}"#.into()
        }
        None if path.ends_with(":countTokens") => Api::Gemini.request("m", false).1,
        None => r#"{"model":"m","input":"hi","messages":[{"role":"user","content":"hi"}]}"#.into(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_recorded_stream_passes_byte_for_byte_however_it_is_cut() {
    let mock = provider("up", Script::default());
    let (_gateway, client) = gateway(&mock.base_url()).await;
    for api in Api::ALL {
        for (name, body) in ending_in(api, ".stream.sse") {
            // What becomes of a stream without its end, or with an error before any content, is not for here.
            if name.starts_with("truncated") || name.starts_with("error-event") {
                continue;
            }
            // One that fails after its first content does so only when the two arrive one by one.
            let fails = name.starts_with("error") || name.starts_with("failed");
            for size in if fails { vec![11] } else { vec![11, 1_000_000] } {
                mock.set(given(Fixture::stream(body.clone(), size))).unwrap();
                let (path, request) = api.request("m", true);
                let answer = client.post(&path, request).await;
                assert_eq!(answer.status, 200, "{api:?} {name}: {}", answer.text());
                let got = String::from_utf8_lossy(&answer.body);
                assert_eq!(got, String::from_utf8_lossy(&body), "{api:?} {name} by {size} bytes");
                assert_eq!(answer.header("x-accel-buffering"), "no");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_streamed_json_array_passes_byte_for_byte() {
    let mock = provider("up", Script::default());
    let (_gateway, client) = gateway(&mock.base_url()).await;
    for (name, body) in ending_in(Api::Gemini, ".stream.json") {
        let chunks = body
            .chunks(13)
            .map(|piece| Chunk { payload: Payload(Bytes::copy_from_slice(piece)), pause_ms: 0 });
        let fixture = Fixture {
            body: None,
            chunks: chunks.collect(),
            ..Fixture::new(200, "application/json", Bytes::new())
        };
        mock.set(given(fixture)).unwrap();
        let answer = client.post("/v1beta/models/m:streamGenerateContent", r#"{"contents":[]}"#).await;
        assert_eq!((answer.status, &answer.body), (200, &Bytes::from(body)), "{name}");
        assert_eq!(answer.header("content-type"), "application/json");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_recorded_error_reaches_the_client_in_the_providers_words() {
    for api in Api::ALL {
        for (name, recorded) in ending_in(api, ".error.json") {
            let recorded: Value = serde_json::from_slice(&recorded).unwrap();
            let status = u16::try_from(recorded["status"].as_u64().unwrap()).unwrap();
            let mut fixture = Fixture::new(status, "application/json", recorded["body"].to_string());
            for (name, value) in recorded["headers"].as_object().unwrap() {
                fixture.headers.insert(name.clone(), value.as_str().unwrap().to_owned());
            }
            // A provider of its own for each: one that says when to come back is not asked before.
            let mock = provider("up", given(fixture));
            let (gateway, client) = gateway(&mock.base_url()).await;
            let (path, request) = api.request("m", false);
            let asked = now();
            let answer = client.post(&path, request).await;
            let took = now() - asked;
            // What a provider says of a key is of ours, and not for the client, which sent another.
            if name.starts_with("auth.") {
                assert_eq!(answer.status, 401, "{api:?} {name}: {}", answer.text());
                api.error(&answer.json());
                continue;
            }
            assert_eq!(answer.status, status, "{api:?} {name}: {}", answer.text());
            assert_eq!(answer.json(), recorded["body"], "{api:?} {name}");
            for header in ["x-should-retry", "request-id"] {
                let sent = recorded["headers"][header].as_str();
                if let Some(sent) = sent {
                    assert_eq!(answer.header(header), sent, "{api:?} {name}: {header}");
                }
            }
            for (header, unit) in [("retry-after", 1_000), ("retry-after-ms", 1)] {
                if let Some(sent) = recorded["headers"][header].as_str() {
                    // The wait ends when the provider says, so what is left of it shrinks while the answer is on its way.
                    let [sent, told] =
                        [sent, answer.header(header)].map(|wait| wait.parse::<u128>().unwrap());
                    assert!(
                        told <= sent && told * unit + took.as_millis() >= sent * unit,
                        "{api:?} {name}: {header} is {told} instead of {sent}"
                    );
                }
            }
            drop(gateway);
        }
    }
}

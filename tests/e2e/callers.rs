//! Clients with keys of their own: who is served, by which key, with which models.

use crate::{CLIPROXY, apis::Api};
use cliproxy_testkit::{
    Answer, Client, Config, Launch, Process,
    mock::{MockProvider, Script},
    provider,
};
use serde_json::json;

/// A gateway with the client `ci`, whose key is `cpk-good`, and one key of it that is over.
async fn gateway(allow_anonymous: bool) -> (Process, Client, MockProvider) {
    let mock = provider("up", Script::default());
    let config = Config::new()
        .provider("openai", "openai", &mock.base_url())
        .provider("claude", "anthropic", &mock.base_url())
        .set(&["providers", "openai", "models"], json!(["gpt-5", "gpt-5-mini"]))
        .set(&["server", "allow_anonymous"], allow_anonymous)
        .set(
            &["clients"],
            json!([{
                "name": "ci",
                "keys": [{"key": "cpk-good"}, {"key": "cpk-old", "expires": "2020-01-01"}],
                "models": ["gpt-*"],
            }]),
        );
    let gateway = Launch::new(CLIPROXY, "serve").config(config).ready().await;
    let client = gateway.client().await;
    (gateway, client, mock)
}

/// Asks for `model` with a header, or without one where its name is empty.
async fn ask(client: &Client, model: &str, (name, value): (&str, &str)) -> Answer {
    let (path, body) = Api::Chat.request(model, false);
    let call = client.json(&path, body);
    let call = if name.is_empty() { call } else { call.header(name, value) };
    call.send().await.expect("an answer")
}

const NONE: (&str, &str) = ("", "");

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_needed_on_this_machine_too_and_taken_where_each_sdk_puts_it() {
    let (_gateway, client, mock) = gateway(false).await;
    let missing = ask(&client, "gpt-5", NONE).await;
    assert_eq!((missing.status, &missing.json()["error"]["code"]), (401, &"missing_api_key".into()));
    let wrong = ask(&client, "gpt-5", ("authorization", "Bearer cpk-goo")).await;
    assert_eq!((wrong.status, &wrong.json()["error"]["code"]), (401, &"invalid_api_key".into()));
    let old = ask(&client, "gpt-5", ("x-api-key", "cpk-old")).await;
    assert_eq!((old.status, &old.json()["error"]["code"]), (401, &"expired_api_key".into()));
    assert_eq!(mock.totals().requests, 0);
    for shown in
        [("authorization", "Bearer cpk-good"), ("x-api-key", "cpk-good"), ("x-goog-api-key", "cpk-good")]
    {
        assert_eq!(ask(&client, "gpt-5", shown).await.status, 200, "{shown:?}");
    }
    let (path, body) = Api::Chat.request("gpt-5", false);
    assert_eq!(client.post(&format!("{path}?key=cpk-good"), body).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_asks_for_its_models_and_sees_no_others() {
    let (_gateway, client, _mock) = gateway(false).await;
    let key = ("x-api-key", "cpk-good");
    let other = ask(&client, "claude-sonnet-4-5", key).await;
    let error = other.json()["error"].clone();
    assert_eq!((other.status, &error["code"]), (403, &"model_not_allowed".into()));
    assert!(error["message"].as_str().is_some_and(|text| text.contains("`gpt-*`")), "{error}");
    let list = client.request(http::Method::GET, "/v1/models").header("x-api-key", "cpk-good");
    let list = list.send().await.expect("an answer").json();
    let ids: Vec<_> = list["data"].as_array().expect("models").iter().map(|model| &model["id"]).collect();
    assert_eq!(ids, ["gpt-5", "gpt-5-mini"], "{list}");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_anonymous_callers_are_allowed_a_wrong_key_is_refused_all_the_same() {
    let (_gateway, client, _mock) = gateway(true).await;
    assert_eq!(ask(&client, "gpt-5", NONE).await.status, 200);
    assert_eq!(ask(&client, "gpt-5", ("x-api-key", "cpk-wrong")).await.status, 401);
    assert_eq!(ask(&client, "claude-sonnet-4-5", NONE).await.status, 200, "its models are a client's own");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_clients_callers_on_this_machine_are_served_whatever_key_their_sdk_sends() {
    let mock = provider("up", Script::default());
    let config = Config::new().provider("openai", "openai", &mock.base_url());
    let gateway = Launch::new(CLIPROXY, "serve").config(config).ready().await;
    let client = gateway.client().await;
    assert_eq!(ask(&client, "gpt-5", ("authorization", "Bearer made-up")).await.status, 200);
}

//! The gateway's own lists of models, in each vendor's shape.

use crate::CLIPROXY;
use cliproxy_testkit::{Answer, Client, Config, Launch};
use http::Method;
use serde_json::Value;

async fn get(client: &Client, path: &str, header: Option<(&'static str, &'static str)>) -> Answer {
    let mut call = client.request(Method::GET, path);
    if let Some((name, value)) = header {
        call = call.header(name, value);
    }
    let answer = call.send().await.unwrap();
    assert_eq!(answer.header("content-type"), "application/json", "{path}");
    answer
}

fn names(list: &Value, field: &str) -> Vec<String> {
    list.as_array().unwrap().iter().map(|entry| entry[field].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn models_are_listed_in_the_shape_of_whoever_asks() {
    let config = Config::new()
        .provider("openai", "openai", "http://127.0.0.1:9")
        .provider("claude", "anthropic", "http://127.0.0.1:9")
        .provider("gemini", "gemini", "http://127.0.0.1:9")
        .alias("smart", &[("openai", "gpt-x"), ("claude", "claude-x"), ("gemini", "gemini-x")])
        .alias("claude-only", &[("claude", "claude-x")]);
    let gateway = Launch::new(CLIPROXY, "serve").config(config).ready().await;
    let client = gateway.client().await;

    let openai = get(&client, "/v1/models", Some(("authorization", "Bearer k"))).await.json();
    assert_eq!(openai["object"], "list");
    assert_eq!(names(&openai["data"], "id"), ["claude-only", "smart"], "any client may use any model");
    assert_eq!(openai["data"][0]["object"], "model");
    assert!(openai["data"][0]["created"].is_u64() && openai["data"][0]["owned_by"].is_string());

    let anthropic = get(&client, "/v1/models", Some(("anthropic-version", "2023-06-01"))).await.json();
    assert_eq!(names(&anthropic["data"], "id"), ["claude-only", "smart"]);
    assert_eq!((&anthropic["has_more"], &anthropic["first_id"]), (&false.into(), &"claude-only".into()));
    assert!(
        anthropic["data"][0]["display_name"].is_string() && anthropic["data"][0]["created_at"].is_string()
    );

    let v1 = get(&client, "/v1/models", Some(("x-goog-api-key", "k"))).await.json();
    assert_eq!(names(&v1["models"], "name"), ["models/claude-only", "models/smart"]);
    assert_eq!(get(&client, "/v1/models?key=k", None).await.json(), v1);
    assert_eq!(get(&client, "/v1beta/models", None).await.json(), v1);

    assert_eq!(get(&client, "/v1/models/smart", None).await.json(), openai["data"][1]);
    assert_eq!(get(&client, "/v1beta/models/smart", None).await.json(), v1["models"][1]);
    let missing = get(&client, "/v1/models/smarter", None).await;
    assert_eq!(missing.status, 404);
    assert!(missing.json()["error"]["message"].as_str().unwrap().contains("`smarter`"), "{}", missing.text());
}

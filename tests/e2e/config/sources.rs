//! Where a configuration comes from beside its file.

use crate::{CLIPROXY, apis::Api};
use cliproxy_testkit::{
    Config, Launch, PATIENCE,
    config::upstream_key,
    mock::{Key, Script},
    poll_until, provider,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_file_that_appears_makes_its_key_usable() {
    let key = Key { name: "new".into(), key: "sk-new".into() };
    let mock = provider("up", Script { keys: Some(vec![key]), ..Script::default() });
    let config = Config::new().provider("up", "openai", &mock.base_url()).set(&["auths_dir"], "auths");
    let gateway = Launch::new(CLIPROXY, "serve").config(config).file("auths/.keep", "").ready().await;
    let client = gateway.client().await;
    let (path, body) = Api::Chat.request("up/m", false);
    let answer = client.post(&path, body.clone()).await;
    assert_eq!(answer.status, 401, "the only key, {}, is refused: {}", upstream_key("up"), answer.text());
    std::fs::write(
        gateway.folder().join("auths/new.yaml"),
        "{provider: up, api_key: sk-new, name: from-a-file}\n",
    )
    .unwrap();
    let works = || async { (client.post(&path, body.clone()).await.status == 200).then_some(()) };
    poll_until("answer with the new key", PATIENCE, works).await;
    assert!(mock.log().of_key("new").completed > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_any_file_the_usual_variables_make_the_providers() {
    let gateway = Launch::new(CLIPROXY, "serve")
        .env("OPENAI_API_KEY", "sk-a")
        .env("ANTHROPIC_API_KEY", "sk-b")
        .env("GOOGLE_API_KEY", "sk-c")
        .ready()
        .await;
    let client = gateway.client().await;
    let shown = client.get("/v0/operations/providers/status").await.json();
    let names: Vec<_> = shown["providers"].as_object().unwrap().keys().collect();
    assert_eq!(names, ["claude", "gemini", "openai"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_any_variable_it_starts_and_says_that_there_is_no_provider() {
    let gateway = Launch::new(CLIPROXY, "serve").ready().await;
    let client = gateway.client().await;
    for api in Api::ALL {
        let (path, body) = api.request("gpt-5", false);
        let answer = client.post(&path, body).await;
        assert_eq!(answer.status, 404, "{api:?}: {}", answer.text());
        api.error(&answer.json());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_plane_alone_does_not_start_on_a_budget_that_nobody_would_keep() {
    let config = |on_loss: &str| {
        let quota = serde_json::json!({"limit": 5, "reset": "daily", "on_loss": on_loss});
        Config::new().provider("up", "openai", "http://127.0.0.1:1").set(&["providers", "up", "quota"], quota)
    };
    let refused = Launch::new(CLIPROXY, "dataplane").config(config("strict")).run().await;
    assert_eq!(refused.status.code(), Some(1));
    let expected = "`providers.up.quota`: a data plane without a control plane cannot keep it";
    assert!(refused.stderr.contains(expected), "{}", refused.stderr);
    let checked = Launch::new(CLIPROXY, "config check").config(config("strict")).run().await;
    assert!(checked.status.success(), "`serve` keeps it: {}", checked.stderr);
    Launch::new(CLIPROXY, "dataplane").config(config("optimistic")).ready().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_plane_alone_follows_its_file() {
    let mock = provider("up", Script::default());
    let config =
        |alias| Config::new().provider("up", "openai", &mock.base_url()).alias(alias, &[("up", "m")]);
    let node = Launch::new(CLIPROXY, "dataplane").config(config("before")).ready().await;
    let client = node.client().await;
    let status = |model| {
        let (path, body) = Api::Chat.request(model, false);
        let client = &client;
        async move { client.post(&path, body).await.status }
    };
    assert_eq!((status("before").await, status("after").await), (200, 404));
    node.write_config(config("after"));
    poll_until("new model", PATIENCE, || async { (status("after").await == 200).then_some(()) }).await;
    assert_eq!(status("before").await, 404);
}

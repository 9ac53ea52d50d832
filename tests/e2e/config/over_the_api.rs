//! The configuration read, checked, changed and rolled back by operators, on both ports.

use super::{becomes_known, status_of, with_model};
use crate::CLIPROXY;
use cliproxy_testkit::{
    Client, Config, Launch, PATIENCE, Process,
    client::Answer,
    config::upstream_key,
    mock::{MockProvider, Script},
    poll_until, provider,
};
use http::Method;
use serde_json::Value;
use std::os::unix::fs::PermissionsExt as _;

const CONFIG: &str = "/v0/operations/config";

async fn put(client: &Client, query: &str, text: &str) -> Answer {
    let path = format!("{CONFIG}{query}");
    let call = client.request(Method::PUT, &path).header("content-type", "application/yaml");
    call.body(text.to_owned()).send().await.unwrap()
}

async fn roll_back(client: &Client, body: &str) -> Answer {
    let path = format!("{CONFIG}/rollback");
    client.request(Method::POST, &path).body(body.to_owned()).send().await.unwrap()
}

/// The configurations of the history, the newest first, with `field` of each.
async fn history(client: &Client, field: &str) -> Vec<Value> {
    let told = client.get(&format!("{CONFIG}/history")).await.json();
    told["configs"].as_array().unwrap().iter().map(|config| config[field].clone()).collect()
}

/// A gateway that serves the name `before`; its node knows the control plane.
async fn connected(mock: &MockProvider) -> (Process, Client) {
    let (gateway, client) = super::serving(&with_model(mock, "before")).await;
    let linked =
        || async { (client.get("/health").await.json()["control_plane"] == "connected").then_some(()) };
    poll_until("connected control plane", PATIENCE, linked).await;
    (gateway, client)
}

fn file_of(gateway: &Process) -> String {
    std::fs::read_to_string(gateway.folder().join("config.yaml")).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_that_is_put_is_served_and_outlives_a_restart() {
    let mock = provider("up", Script::default());
    let (mut gateway, client) = connected(&mock).await;
    let new = with_model(&mock, "after").text();
    let answer = put(&client, "?expected=1&reason=a+new+name", &new).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let told = answer.json();
    assert_eq!(
        (&told["config"], &told["before"], &told["source"]),
        (&2.into(), &1.into(), &"cluster".into())
    );
    assert_eq!(told["changes"]["added"], serde_json::json!(["model after"]));
    assert_eq!(told["changes"]["removed"], serde_json::json!(["model before"]));
    becomes_known(&client, "after").await;
    assert_eq!(status_of(&client, "before").await, 404);
    assert_eq!(file_of(&gateway), new);
    let mode = std::fs::metadata(gateway.folder().join("config.yaml")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    gateway.kill9();
    gateway.restart();
    gateway.ready().await;
    let client = gateway.client().await;
    // A node that is killed starts from what it had saved by then, until its control plane has told it the rest.
    becomes_known(&client, "after").await;
    let operators = Client::new(gateway.operators().await);
    assert_eq!(history(&operators, "config").await, [2, 1], "the restart found what was in force");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_with_a_mistake_leaves_the_old_one_serving() {
    let mock = provider("up", Script::default());
    let (gateway, client) = connected(&mock).await;
    let before = file_of(&gateway);
    let answer = put(&client, "", "server:\n  lisen: \"127.0.0.1:1\"\n").await;
    assert_eq!(answer.status, 400);
    let message = answer.json()["error"]["message"].as_str().unwrap().to_owned();
    for part in ["body:2:3: unknown key `server.lisen`", "did you mean `listen`", "2 |   lisen:", "^^^^^"] {
        assert!(message.contains(part), "{part}: {message}");
    }
    assert_eq!((status_of(&client, "before").await, file_of(&gateway)), (200, before));
    assert_eq!(history(&client, "config").await, [1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_tells_what_would_change_and_what_is_wrong() {
    let mock = provider("up", Script::default());
    let (gateway, client) = connected(&mock).await;
    let before = file_of(&gateway);
    let check = async |text: &str| {
        let path = format!("{CONFIG}/check");
        let call = client.request(Method::POST, &path).body(text.to_owned());
        call.send().await.unwrap()
    };
    let sound = check(&with_model(&mock, "after").set(&["server", "drain_timeout"], "7s").text()).await;
    assert_eq!((sound.status, &sound.json()["valid"]), (200, &true.into()), "{}", sound.text());
    assert_eq!(sound.json()["changes"]["added"], serde_json::json!(["model after"]));
    assert_eq!(sound.json()["needs_restart"], serde_json::json!(["server.drain_timeout"]));
    let wrong = check("providers:\n  a: {kind: openai, api_key: sk-very-secret, wieght: 1}\n").await;
    assert_eq!((wrong.status, &wrong.json()["valid"]), (200, &false.into()));
    let error = wrong.json()["errors"][0].clone();
    assert_eq!((&error["file"], &error["line"]), (&"body".into(), &2.into()), "{error}");
    assert!(error["message"].as_str().unwrap().contains("wieght"), "{error}");
    assert!(!wrong.text().contains("very-secret"), "{}", wrong.text());
    assert_eq!((file_of(&gateway), status_of(&client, "before").await), (before, 200));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_serves_what_was_served_before() {
    let mock = provider("up", Script::default());
    let (gateway, client) = connected(&mock).await;
    let first = file_of(&gateway);
    assert_eq!(put(&client, "", &with_model(&mock, "after").text()).await.status, 200);
    becomes_known(&client, "after").await;
    let answer = roll_back(&client, r#"{"config": 1, "reason": "too new"}"#).await;
    assert_eq!((answer.status, &answer.json()["config"]), (200, &3.into()), "{}", answer.text());
    becomes_known(&client, "before").await;
    assert_eq!((status_of(&client, "after").await, file_of(&gateway)), (404, first));
    assert_eq!(history(&client, "in_force").await, [true, false, false]);
    assert_eq!(history(&client, "reason").await[0], "rollback to configuration 1: too new");
    let unknown = roll_back(&client, r#"{"config": 9}"#).await;
    assert_eq!(unknown.status, 404);
    assert!(unknown.text().contains("kept are 3, 2, 1"), "{}", unknown.text());
    let audit = client.get("/v0/operations/audit?action=config_applied").await.json();
    let actors: Vec<_> = audit["entries"].as_array().unwrap().iter().map(|entry| &entry["actor"]).collect();
    assert_eq!(actors, ["loopback", "loopback"], "{audit}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_edited_by_hand_afterwards_is_still_taken_over() {
    let mock = provider("up", Script::default());
    let (gateway, client) = connected(&mock).await;
    assert_eq!(put(&client, "", &with_model(&mock, "after").text()).await.status, 200);
    gateway.write_config(with_model(&mock, "by-hand"));
    becomes_known(&client, "by-hand").await;
    // The change over the API was applied once, and not again as a change of the file.
    assert_eq!(history(&client, "author").await, ["file", "loopback", "file"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_key_is_ever_shown() {
    let mock = provider("up", Script::default());
    let (gateway, client) = connected(&mock).await;
    let config = with_model(&mock, "after")
        .provider("other", "openai", &mock.base_url())
        .set(&["providers", "other", "api_key"], "${OTHER:-sk-by-default}")
        .set(&["server", "allow_anonymous"], true)
        .set(&["clients"], serde_json::json!([{"name": "ci", "keys": [{"key": "correct-horse-battery"}]}]));
    assert_eq!(put(&client, "", &config.text()).await.status, 200);
    let operators = Client::new(gateway.operators().await);
    for asked in [&client, &operators] {
        for path in ["", "/history"] {
            let answer = asked.get(&format!("{CONFIG}{path}")).await;
            assert_eq!(answer.status, 200, "{path}");
            for key in [upstream_key("openai").as_str(), "sk-by-default", "correct-horse-battery"] {
                assert!(!answer.text().contains(key), "{path}: {}", answer.text());
            }
        }
    }
    let shown = client.get(CONFIG).await.json();
    assert!(shown["text"].as_str().unwrap().contains("\"after\""), "{shown}");
    assert!(shown["file"].as_str().unwrap().ends_with("config.yaml"), "{shown}");
    // What was shown cannot be sent back by mistake.
    let again = put(&client, "", shown["text"].as_str().unwrap()).await;
    assert_eq!(again.status, 400);
    assert!(again.text().contains("where a secret was hidden"), "{}", again.text());
    for key in ["sk-by-default", "correct-horse-battery"] {
        assert!(!gateway.log_lines().iter().any(|line| line.to_string().contains(key)), "{key}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_no_token_neither_reads_nor_changes_it() {
    let mock = provider("up", Script::default());
    let sha256 = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"; // of `secret`
    let tokens = serde_json::json!([{"name": "ops", "role": "operator", "sha256": sha256}]);
    let config = with_model(&mock, "before").set(&["server", "operations", "admin_tokens"], tokens);
    let (gateway, client) = super::serving(&config).await;
    let operators = Client::new(gateway.operators().await);
    let new = with_model(&mock, "after");
    for asked in [&client, &operators] {
        assert_eq!(asked.get(CONFIG).await.status, 401);
        assert_eq!(put(asked, "", &new.text()).await.status, 401);
        assert_eq!(roll_back(asked, r#"{"config": 1}"#).await.status, 401);
    }
    assert_eq!(status_of(&client, "before").await, 200);
    let with_token = || async {
        let call = client.request(Method::PUT, CONFIG).header("authorization", "Bearer secret");
        let answer = call.body(new.clone().text()).send().await.unwrap();
        // The node may not be connected yet.
        (answer.status == 200).then_some(answer)
    };
    let told = poll_until("change by a token", PATIENCE, with_token).await.json();
    assert_eq!(told["needs_restart"], serde_json::json!(["server.operations.admin_tokens"]));
    let path = format!("{CONFIG}/history");
    let call = operators.request(Method::GET, &path).header("authorization", "Bearer secret");
    let listed = call.send().await.unwrap().json();
    assert_eq!(listed["configs"][0]["author"], "ops", "{listed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_without_a_file_writes_the_one_that_it_finds_at_its_next_start() {
    let mock = provider("up", Script::default());
    let mut gateway = Launch::new(CLIPROXY, "serve").ready().await;
    let operators = Client::new(gateway.operators().await);
    assert_eq!(operators.get(CONFIG).await.json()["file"], Value::Null);
    assert_eq!(put(&operators, "", &with_model(&mock, "after").text()).await.status, 200);
    assert_eq!(operators.get(CONFIG).await.json()["file"], "config.yaml");
    gateway.write_config(with_model(&mock, "by-hand"));
    becomes_known(&gateway.client().await, "by-hand").await;
    gateway.kill9();
    gateway.restart();
    gateway.ready().await;
    becomes_known(&gateway.client().await, "by-hand").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_appeared_by_itself_is_not_overwritten() {
    let gateway = Launch::new(CLIPROXY, "serve").ready().await;
    let operators = Client::new(gateway.operators().await);
    gateway.write_config(Config::new());
    let answer = put(&operators, "", "providers: {}\n").await;
    assert_eq!(answer.status, 409);
    assert!(answer.text().contains("config.yaml appeared after the start"), "{}", answer.text());
    assert_eq!(file_of(&gateway), Config::new().text());
}

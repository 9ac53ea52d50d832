//! Configuration: loaded again while running, refused when wrong, and looked at from the command line.

mod commands;
mod over_the_api;
mod sources;

use crate::{CLIPROXY, apis::Api};
use cliproxy_testkit::mock::Script;
use cliproxy_testkit::{Client, Config, Launch, PATIENCE, Process, mock::MockProvider, poll_until, provider};

fn with_model(mock: &MockProvider, alias: &str) -> Config {
    Config::new().provider("openai", "openai", &mock.base_url()).alias(alias, &[("openai", "m")])
}

async fn serving(config: &Config) -> (Process, Client) {
    let gateway = Launch::new(CLIPROXY, "serve").config(config).ready().await;
    let client = gateway.client().await;
    (gateway, client)
}

async fn status_of(client: &Client, model: &str) -> u16 {
    let (path, body) = Api::Chat.request(model, false);
    client.post(&path, body).await.status
}

async fn becomes_known(client: &Client, model: &str) {
    let known = || async { (status_of(client, model).await == 200).then_some(()) };
    poll_until(&format!("model {model}"), PATIENCE, known).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_file_is_taken_over_while_running() {
    let mock = provider("up", Script::default());
    let (gateway, client) = serving(&with_model(&mock, "before")).await;
    assert_eq!((status_of(&client, "before").await, status_of(&client, "after").await), (200, 404));
    gateway.write_config(with_model(&mock, "after"));
    becomes_known(&client, "after").await;
    assert_eq!(status_of(&client, "before").await, 404);
    let line = gateway.wait_for_log("the configuration was loaded again", PATIENCE).await;
    assert_eq!(line["cause"], "a file changed");
    let shown = client.get("/v0/operations/load_balancing/status").await.json();
    assert!(shown["models"]["after"].is_object(), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hang_up_signal_loads_the_configuration_again() {
    let mock = provider("up", Script::default());
    let (gateway, client) = serving(&with_model(&mock, "only")).await;
    gateway.signal("HUP");
    let loaded = |line: &serde_json::Value| {
        line["msg"] == "the configuration was loaded again" && line["cause"] == "SIGHUP"
    };
    gateway.wait_for_line("reload after SIGHUP", PATIENCE, loaded).await;
    assert_eq!(status_of(&client, "only").await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_file_changes_nothing_and_the_log_says_where_it_is_wrong() {
    let mock = provider("up", Script::default());
    let (gateway, client) = serving(&with_model(&mock, "smart")).await;
    gateway.write_config("server:\n  lisen: \"127.0.0.1:1\"\n");
    let refused = |line: &serde_json::Value| line["level"] == "error" && line["error"].is_string();
    let line = gateway.wait_for_line("refusal in the log", PATIENCE, refused).await;
    assert_eq!(line["msg"], "the new configuration is refused; the old one goes on");
    let error = line["error"].as_str().unwrap();
    for part in ["config.yaml:2:3", "unknown key `server.lisen`", "did you mean `listen`", "^^^^^"] {
        assert!(error.contains(part), "{part}: {error}");
    }
    assert_eq!(status_of(&client, "smart").await, 200);
    // The next sound file is taken over again.
    gateway.write_config(with_model(&mock, "mended"));
    becomes_known(&client, "mended").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_while_running_fails_no_request() {
    let mock = provider("up", Script::default());
    let config = with_model(&mock, "smart");
    let (gateway, client) = serving(&config).await;
    let asking = async {
        for turn in 0..300 {
            assert_eq!(status_of(&client, "smart").await, 200, "request {turn}");
        }
    };
    let changing = async {
        for round in 0..5 {
            let name = format!("round-{round}");
            gateway.write_config(config.clone().alias(&name, &[("openai", "m")]));
            becomes_known(&client, &name).await;
        }
    };
    tokio::join!(asking, changing);
}

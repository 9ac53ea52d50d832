//! `--set` on the command line.

use super::request;
use crate::{Config, ConfigError, Load, load_text};
use cliproxy_domain::ModelName;
use insta::assert_snapshot;

const FILE: &str = "
server:
  listen: 127.0.0.1:1
providers:
  claude:
    credentials: [{name: a, api_key: one}, {name: b, api_key: two}]
";

fn set(arguments: &[&str]) -> Result<Config, ConfigError> {
    let overrides = arguments.iter().map(|argument| (*argument).to_owned()).collect();
    load_text("config.yaml", FILE, &Load { overrides, ..request() })
}

fn refusal(argument: &str) -> String {
    set(&[argument]).expect_err("the argument is wrong").to_string()
}

#[test]
fn a_key_of_the_file_is_overridden_and_the_last_argument_wins() {
    let config = set(&["server.listen=127.0.0.1:2", "server.listen=127.0.0.1:3"]).unwrap();
    assert_eq!(config.server.listen.port(), 3);
}

#[test]
fn a_key_that_the_file_does_not_have_is_added_with_the_maps_above_it() {
    let config = set(&["server.limits.max_connections=7", "metrics={enabled: true, port: 9999}"]).unwrap();
    assert_eq!(config.server.limits.max_connections, 7);
    assert_eq!(config.metrics.port, 9999);
}

#[test]
fn a_number_picks_an_item_of_a_list() {
    let config = set(&["providers.claude.credentials.1.weight=5"]).unwrap();
    let weights: Vec<u32> =
        config.snapshot.providers["claude"].credentials.iter().map(|c| c.weight).collect();
    assert_eq!(weights, [1, 5]);
}

#[test]
fn a_key_with_a_dot_stands_in_quotes() {
    let config = set(&["models.\"gpt-4.1\".targets=[{provider: claude, model: claude-1}]"]).unwrap();
    assert!(config.snapshot.models.contains_key(&ModelName::from("gpt-4.1")));
}

#[test]
fn variables_are_filled_in_as_in_the_file() {
    assert_eq!(
        set(&["server.retries.max_attempts=${TEN}"]).unwrap().snapshot.policy.retries.max_attempts,
        10
    );
}

#[test]
fn a_wrong_value_is_shown_in_its_argument() {
    assert_snapshot!(refusal("server.listen=everywhere"), @r"
    --set server.listen:1:15: `server.listen`: `everywhere` is not an address to listen on; write an IP address and a port, such as `127.0.0.1:8317`, `0.0.0.0:8317` or `[::]:8317`
      |
    1 | server.listen=everywhere
      |               ^^^^^^^^^^
    ");
}

#[test]
fn an_unknown_key_is_shown_in_its_argument() {
    assert_snapshot!(refusal("server.lisen=127.0.0.1:2"), @r"
    --set server.lisen:1:8: unknown key `server.lisen`; did you mean `listen`?
      |
    1 | server.lisen=127.0.0.1:2
      |        ^^^^^
    ");
}

#[test]
fn an_argument_that_is_no_assignment_is_refused() {
    let cases = [
        ("server.listen", "a `=` is missing"),
        ("=1", "this part of the path is empty"),
        ("server..listen=1", "this part of the path is empty"),
        ("server.\"listen=1", "a `=` is missing"),
        ("server.listen.port=1", "there is a text here, which has no keys"),
        ("providers.claude.credentials.2.weight=1", "there is a list of 2 here"),
        ("providers.claude.credentials.x.weight=1", "there is a list of 2 here"),
        ("server.listen=[1", "this is not valid YAML"),
        ("server.listen=", "there is no value"),
    ];
    for (argument, expected) in cases {
        let error = refusal(argument);
        assert!(error.contains(expected) && error.starts_with("--set "), "{argument}: {error}");
    }
}

#[test]
fn a_key_on_the_command_line_is_hidden_in_reports_and_warned_of() {
    let error = refusal("providers.claude.api_key=hunter2");
    assert!(!error.contains("hunter2"), "{error}");
    let config = set(&["providers.openai.api_key=hunter2"]).unwrap();
    assert!(
        config.warnings.iter().any(|warning| warning.contains("list of processes")),
        "{:?}",
        config.warnings
    );
}

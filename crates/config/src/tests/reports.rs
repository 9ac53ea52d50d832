//! What the user sees for each kind of mistake.

mod operations;

use super::refuse;
use insta::assert_snapshot;

#[test]
fn a_syntax_error() {
    let text = r#"server:
  listen: "127.0.0.1:8317
  drain_timeout: 5s
"#;
    assert_snapshot!(refuse(text), @r#"
    config.yaml:3:3: this is not valid YAML: invalid indentation in multiline quoted scalar
      |
    3 |   drain_timeout: 5s
      |   ^
    "#);
}

#[test]
fn an_unknown_key_comes_with_a_suggestion() {
    let text = r#"server:
  lisen: "127.0.0.1:8317"
"#;
    assert_snapshot!(refuse(text), @r#"
    config.yaml:2:3: unknown key `server.lisen`; did you mean `listen`?
      |
    2 |   lisen: "127.0.0.1:8317"
      |   ^^^^^
    "#);
}

#[test]
fn an_unknown_key_that_belongs_elsewhere_says_where() {
    let text = r"server:
  strategy: round_robin
";
    assert_snapshot!(refuse(text), @r#"
    config.yaml:2:3: unknown key `server.strategy`; there is `server.operations.load_balancing.strategy` and `models.<name>.strategy`
      |
    2 |   strategy: round_robin
      |   ^^^^^^^^
    "#);
}

#[test]
fn an_unknown_key_without_a_likely_meaning_lists_what_is_known() {
    let text = r"metrics:
  zebra: 1
";
    assert_snapshot!(refuse(text), @r#"
    config.yaml:2:3: unknown key `metrics.zebra`; known here are `enabled`, `port` and `path`
      |
    2 |   zebra: 1
      |   ^^^^^
    "#);
}

#[test]
fn a_key_that_is_not_available_yet() {
    let text = r"server:
  operations:
    cache:
      enabled: true
logging: {rotation: {enabled: true}}
";
    assert_snapshot!(refuse(text), @r#"
    config.yaml:3:5: `server.operations.cache` is not available yet; remove it, since nothing would act on it
      |
    3 |     cache:
      |     ^^^^^

    config.yaml:5:11: `logging.rotation` is not available yet; remove it, since nothing would act on it
      |
    5 | logging: {rotation: {enabled: true}}
      |           ^^^^^^^^
    "#);
}

#[test]
fn an_unknown_strategy() {
    let text = r"server: {operations: {load_balancing: {strategy: roundrobin}}}
";
    assert_snapshot!(refuse(text), @r#"
    config.yaml:1:50: `server.operations.load_balancing.strategy`: `roundrobin` is not a known strategy; did you mean `round_robin`?
      |
    1 | server: {operations: {load_balancing: {strategy: roundrobin}}}
      |                                                  ^^^^^^^^^^
    "#);
}

#[test]
fn a_bad_duration() {
    let text = r"server:
  timeouts:
    connect: 5
    idle: 0s
    total: 10 fortnights
    first_byte: 2000h
";
    assert_snapshot!(refuse(text), @r#"
    config.yaml:3:14: `server.timeouts.connect`: `5` is not a duration; write a number with its unit, such as `500ms`, `90s` or `1h30m`
      |
    3 |     connect: 5
      |              ^

    config.yaml:4:11: `server.timeouts.idle`: `0s` would never wait; write a time longer than zero
      |
    4 |     idle: 0s
      |           ^^

    config.yaml:5:12: `server.timeouts.total`: `10 fortnights` is not a duration; write a number with its unit, such as `500ms`, `90s` or `1h30m`
      |
    5 |     total: 10 fortnights
      |            ^^^^^^^^^^^^^

    config.yaml:6:17: `server.timeouts.first_byte`: `2000h` is too long; write at most `86400s`
      |
    6 |     first_byte: 2000h
      |                 ^^^^^
    "#);
}

#[test]
fn a_bad_size() {
    let text = r"server: {limits: {max_body: lots, max_header_bytes: 1K}}
";
    assert_snapshot!(refuse(text), @r#"
    config.yaml:1:29: `server.limits.max_body`: `lots` is not a size; write one such as `32M`, `64KiB` or `65536`
      |
    1 | server: {limits: {max_body: lots, max_header_bytes: 1K}}
      |                             ^^^^

    config.yaml:1:53: `server.limits.max_header_bytes`: `1K` is out of range; write a size from 8192 to 1048576 bytes
      |
    1 | server: {limits: {max_body: lots, max_header_bytes: 1K}}
      |                                                     ^^
    "#);
}

#[test]
fn a_missing_variable() {
    let text = r#"providers:
  claude:
    api_key: "${ANTROPIC_API_KEY}"
  openai:
    api_key: "${NO_SUCH_KEY:?ask the platform team for it}"
"#;
    assert_snapshot!(refuse(text), @r#"
    config.yaml:3:14: `providers.claude.api_key`: the variable `ANTROPIC_API_KEY` is not set; export it, or write `${ANTROPIC_API_KEY:-default}`
      |
    3 |     api_key: "${ANTROPIC_API_KEY}"
      |              ^^^^^^^^^^^^^^^^^^^^^

    config.yaml:5:14: `providers.openai.api_key`: the variable `NO_SUCH_KEY` is required: ask the platform team for it
      |
    5 |     api_key: "${NO_SUCH_KEY:?ask the platform team for it}"
      |              ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
    "#);
}

#[test]
fn an_unknown_provider_in_an_alias() {
    let text = r"providers:
  claude: {}
models:
  smart:
    targets:
      - {provider: cluade, model: claude-sonnet-4-5}
";
    assert_snapshot!(refuse(text), @r#"
    config.yaml:6:20: `models.smart.targets[0].provider`: there is no provider `cluade`; did you mean `claude`?
      |
    6 |       - {provider: cluade, model: claude-sonnet-4-5}
      |                    ^^^^^^
    "#);
}

#[test]
fn values_of_the_wrong_type() {
    let text = r#"server:
  allow_anonymous: "yes"
  limits: 5
  retries:
    max_attempts: three
control_plane:
  endpoints: http://127.0.0.1:8319
"#;
    assert_snapshot!(refuse(text), @r#"
    config.yaml:2:20: `server.allow_anonymous`: `yes` is not a boolean; write `true` or `false` without quotes
      |
    2 |   allow_anonymous: "yes"
      |                    ^^^^^

    config.yaml:3:11: `server.limits`: expected a map of keys, found a number
      |
    3 |   limits: 5
      |           ^

    config.yaml:5:19: `server.retries.max_attempts`: `three` is not a whole number; write one such as `1`
      |
    5 |     max_attempts: three
      |                   ^^^^^

    config.yaml:7:14: `control_plane.endpoints`: expected a list, found a text
      |
    7 |   endpoints: http://127.0.0.1:8319
      |              ^^^^^^^^^^^^^^^^^^^^^
    "#);
}

#[test]
fn a_key_twice() {
    let text = r"server:
  drain_timeout: 5s
  drain_timeout: 6s
";
    assert_snapshot!(refuse(text), @r#"
    config.yaml:3:3: the key `drain_timeout` appears twice in the same map; remove one of the two
      |
    3 |   drain_timeout: 6s
      |   ^^^^^^^^^^^^^
    "#);
}

#[test]
fn a_second_document() {
    let text = r"server:
  drain_timeout: 5s
---
metrics: {}
";
    assert_snapshot!(refuse(text), @r#"
    config.yaml:4:1: a second document starts here; a configuration is one document without `---`
      |
    4 | metrics: {}
      | ^
    "#);
}

#[test]
fn a_key_without_a_value() {
    let text = r"server:
  listen:
  drain_timeout: 5s
";
    assert_snapshot!(refuse(text), @r#"
    config.yaml:2:3: `server.listen`: there is no value; give one or remove the key
      |
    2 |   listen:
      |   ^^^^^^
    "#);
}

#[test]
fn a_list_at_the_top() {
    let text = r"- server
";
    assert_snapshot!(refuse(text), @r#"
    config.yaml:1:1: the configuration: expected a map of keys, found a list
      |
    1 | - server
      | ^
    "#);
}

#[test]
fn two_listeners_on_one_port() {
    let text = r"server:
  listen: 0.0.0.0:9090
metrics:
  enabled: true
";
    assert_snapshot!(refuse(text), @r#"
    config.yaml:2:11: `server.listen` and `metrics.port` take the same port; choose another for one of them
      |
    2 |   listen: 0.0.0.0:9090
      |           ^^^^^^^^^^^^
    "#);
}

#[test]
fn a_secret_in_the_line_is_hidden() {
    let text = r"providers:
  claude: {api_key: hunter2, wieght: 1}
";
    assert_snapshot!(refuse(text), @r#"
    config.yaml:2:30: unknown key `providers.claude.wieght`; did you mean `weight`?
      |
    2 |   claude: {api_key: *******, wieght: 1}
      |                              ^^^^^^
    "#);
}

#[test]
fn what_a_variable_holds_is_never_shown() {
    let text = r#"server:
  listen: "${BAD}"
  drain_timeout: ${BAD}
  operations: {load_balancing: {strategy: "${BAD}"}}
logging:
  level: ${BAD}
  format: x-${BAD}
providers:
  claude: {kind: "${BAD}", base_url: "${BAD}", weight: "${BAD}"}
models:
  a: {targets: [{provider: "${BAD}", model: x}]}
"#;
    assert_snapshot!(refuse(text), @r#"
    config.yaml:2:11: `server.listen`: `${BAD}` is not an address to listen on; write an IP address and a port, such as `127.0.0.1:8317`, `0.0.0.0:8317` or `[::]:8317`
      |
    2 |   listen: "${BAD}"
      |           ^^^^^^^^

    config.yaml:3:18: `server.drain_timeout`: `${BAD}` is not a duration; write a number with its unit, such as `500ms`, `90s` or `1h30m`
      |
    3 |   drain_timeout: ${BAD}
      |                  ^^^^^^

    config.yaml:4:43: `server.operations.load_balancing.strategy`: `${BAD}` is not a known strategy; known are `round_robin`, `quota_aware`, `latency` and `cost`
      |
    4 |   operations: {load_balancing: {strategy: "${BAD}"}}
      |                                           ^^^^^^^^

    config.yaml:6:10: `logging.level`: `${BAD}` is not a known level; known are `debug`, `info`, `warn` and `error`
      |
    6 |   level: ${BAD}
      |          ^^^^^^

    config.yaml:7:11: `logging.format`: `x-${BAD}` is not a known format; known are `json` and `text`
      |
    7 |   format: x-${BAD}
      |           ^^^^^^^^

    config.yaml:9:18: `providers.claude.kind`: `${BAD}` is not a known kind; known are `anthropic`, `openai`, `gemini` and `openai_compatible`
      |
    9 |   claude: {kind: "${BAD}", base_url: "${BAD}", weight: "${BAD}"}
      |                  ^^^^^^^^

    config.yaml:9:38: `providers.claude.base_url`: this is not a base URL; write one that starts with `https://` or `http://`
      |
    9 |   claude: {kind: "${BAD}", base_url: "${BAD}", weight: "${BAD}"}
      |                                      ^^^^^^^^

    config.yaml:9:56: `providers.claude.weight`: `${BAD}` is not a whole number; write one such as `1`
      |
    9 |   claude: {kind: "${BAD}", base_url: "${BAD}", weight: "${BAD}"}
      |                                                        ^^^^^^^^

    config.yaml:11:28: `models.a.targets[0].provider`: there is no provider `${BAD}`; known are `claude`
       |
    11 |   a: {targets: [{provider: "${BAD}", model: x}]}
       |                            ^^^^^^^^
    "#);
}

#[test]
fn a_wide_line_keeps_its_caret() {
    let text = r#"providers:
  claude: {models: ["日本語-*"], wieght: 2}
"#;
    assert_snapshot!(refuse(text), @r#"
    config.yaml:2:31: unknown key `providers.claude.wieght`; did you mean `weight`?
      |
    2 |   claude: {models: ["日本語-*"], wieght: 2}
      |                                  ^^^^^^
    "#);
}

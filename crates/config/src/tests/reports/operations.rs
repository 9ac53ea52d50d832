//! What the user sees for mistakes in what operators set.

use crate::tests::refuse;
use insta::assert_snapshot;

#[test]
fn durations_of_operations_that_cannot_be() {
    let text = r"server:
  operations:
    cooldown: {detection_window: 0s, max_hint: 100ms}
    health_check: {interval: -30s, timeout: 9999999999999999999h}
    self_healing: {check_interval: 25h, backoff_duration: 100us}
    load_balancing: {latency_window: 200ms}
providers:
  claude: {cooldown: {error_duration: 2 minutes and a bit}}
";
    assert_snapshot!(refuse(text), @r#"
    config.yaml:3:34: `server.operations.cooldown.detection_window`: `0s` is too short; write at least `1ms`
      |
    3 |     cooldown: {detection_window: 0s, max_hint: 100ms}
      |                                  ^^

    config.yaml:3:48: `server.operations.cooldown.max_hint`: `100ms` is too short; write at least `250ms`
      |
    3 |     cooldown: {detection_window: 0s, max_hint: 100ms}
      |                                                ^^^^^

    config.yaml:4:30: `server.operations.health_check.interval`: `-30s` is not a duration; write a number with its unit, such as `500ms`, `90s` or `1h30m`
      |
    4 |     health_check: {interval: -30s, timeout: 9999999999999999999h}
      |                              ^^^^

    config.yaml:4:45: `server.operations.health_check.timeout`: `9999999999999999999h` is not a duration; write a number with its unit, such as `500ms`, `90s` or `1h30m`
      |
    4 |     health_check: {interval: -30s, timeout: 9999999999999999999h}
      |                                             ^^^^^^^^^^^^^^^^^^^^

    config.yaml:5:36: `server.operations.self_healing.check_interval`: `25h` is too long; write at most `86400s`
      |
    5 |     self_healing: {check_interval: 25h, backoff_duration: 100us}
      |                                    ^^^

    config.yaml:5:59: `server.operations.self_healing.backoff_duration`: `100us` is too short; write at least `1ms`
      |
    5 |     self_healing: {check_interval: 25h, backoff_duration: 100us}
      |                                                           ^^^^^

    config.yaml:6:38: `server.operations.load_balancing.latency_window`: `200ms` is too short; write at least `1s`
      |
    6 |     load_balancing: {latency_window: 200ms}
      |                                      ^^^^^

    config.yaml:8:39: `providers.claude.cooldown.error_duration`: `2 minutes and a bit` is not a duration; write a number with its unit, such as `500ms`, `90s` or `1h30m`
      |
    8 |   claude: {cooldown: {error_duration: 2 minutes and a bit}}
      |                                       ^^^^^^^^^^^^^^^^^^^
    "#);
}

#[test]
fn counts_of_operations_that_cannot_be() {
    let text = r"server:
  operations:
    cooldown: {error_threshold: 0}
    health_check: {unhealthy_threshold: 0, healthy_threshold: -1, daily_budget: 0}
    self_healing: {max_attempts: 0}
  retries: {budget_percent: 101, hedge: {enabled: true, budget_percent: 0}}
";
    assert_snapshot!(refuse(text), @r#"
    config.yaml:3:33: `server.operations.cooldown.error_threshold`: `0` is out of range; write a whole number from 1 to 10000
      |
    3 |     cooldown: {error_threshold: 0}
      |                                 ^

    config.yaml:4:41: `server.operations.health_check.unhealthy_threshold`: `0` is out of range; write a whole number from 1 to 1000
      |
    4 |     health_check: {unhealthy_threshold: 0, healthy_threshold: -1, daily_budget: 0}
      |                                         ^

    config.yaml:4:63: `server.operations.health_check.healthy_threshold`: `-1` is out of range; write a whole number from 1 to 1000
      |
    4 |     health_check: {unhealthy_threshold: 0, healthy_threshold: -1, daily_budget: 0}
      |                                                               ^^

    config.yaml:4:81: `server.operations.health_check.daily_budget`: `0` is out of range; write a whole number from 1 to 1000000
      |
    4 |     health_check: {unhealthy_threshold: 0, healthy_threshold: -1, daily_budget: 0}
      |                                                                                 ^

    config.yaml:5:34: `server.operations.self_healing.max_attempts`: `0` is out of range; write a whole number from 1 to 20
      |
    5 |     self_healing: {max_attempts: 0}
      |                                  ^

    config.yaml:6:29: `server.retries.budget_percent`: `101` is out of range; write a whole number from 0 to 100
      |
    6 |   retries: {budget_percent: 101, hedge: {enabled: true, budget_percent: 0}}
      |                             ^^^

    config.yaml:6:73: `server.retries.hedge.budget_percent`: `0` is out of range; write a whole number from 1 to 100
      |
    6 |   retries: {budget_percent: 101, hedge: {enabled: true, budget_percent: 0}}
      |                                                                         ^
    "#);
}

#[test]
fn words_of_operations_that_are_not_known() {
    let text = r"server:
  operations:
    load_balancing: {strategy: latencey, session_affinity: declare}
    health_check: {heathy_threshold: 2}
providers:
  claude:
    health_check: {method: get, endpoint: api.anthropic.com}
    quota: {limit: 5, unit: token, reset: month, timezone: Europe/Berlim}
models:
  smart: {strategy: cheapest, targets: [{provider: claude, model: claude-1}]}
";
    assert_snapshot!(refuse(text), @r#"
    config.yaml:3:32: `server.operations.load_balancing.strategy`: `latencey` is not a known strategy; did you mean `latency`?
      |
    3 |     load_balancing: {strategy: latencey, session_affinity: declare}
      |                                ^^^^^^^^

    config.yaml:3:60: `server.operations.load_balancing.session_affinity`: `declare` is not a known session affinity; did you mean `declared`?
      |
    3 |     load_balancing: {strategy: latencey, session_affinity: declare}
      |                                                            ^^^^^^^

    config.yaml:4:20: unknown key `server.operations.health_check.heathy_threshold`; did you mean `healthy_threshold`?
      |
    4 |     health_check: {heathy_threshold: 2}
      |                    ^^^^^^^^^^^^^^^^

    config.yaml:7:28: `providers.claude.health_check.method`: `get` is not a known method; did you mean `GET`?
      |
    7 |     health_check: {method: get, endpoint: api.anthropic.com}
      |                            ^^^

    config.yaml:7:43: `providers.claude.health_check.endpoint`: this is not a URL to check; write one that starts with `https://` or `http://`
      |
    7 |     health_check: {method: get, endpoint: api.anthropic.com}
      |                                           ^^^^^^^^^^^^^^^^^

    config.yaml:8:29: `providers.claude.quota.unit`: `token` is not a known unit; did you mean `tokens`?
      |
    8 |     quota: {limit: 5, unit: token, reset: month, timezone: Europe/Berlim}
      |                             ^^^^^

    config.yaml:8:43: `providers.claude.quota.reset`: `month` is not a known reset; known are `hourly`, `daily`, `weekly` and `monthly`, and durations such as `5h`
      |
    8 |     quota: {limit: 5, unit: token, reset: month, timezone: Europe/Berlim}
      |                                           ^^^^^

    config.yaml:8:60: `providers.claude.quota.timezone`: `Europe/Berlim` is not a known time zone; did you mean `Europe/Berlin`?
      |
    8 |     quota: {limit: 5, unit: token, reset: month, timezone: Europe/Berlim}
      |                                                            ^^^^^^^^^^^^^

    config.yaml:10:21: `models.smart.strategy`: `cheapest` is not a known strategy; known are `round_robin`, `quota_aware`, `latency` and `cost`
       |
    10 |   smart: {strategy: cheapest, targets: [{provider: claude, model: claude-1}]}
       |                     ^^^^^^^^
    "#);
}

#[test]
fn amounts_of_money_that_cannot_be() {
    let text = r#"providers:
  claude:
    cost_per_1k_tokens: {input: "0.003", output: -1}
  openai:
    cost_per_1k_tokens: {input: 0.00000000001, output: 1001}
    quota: {limit: 0, unit: usd, reset: monthly}
  gemini:
    cost_per_1k_tokens: {input: 0.1}
    quota: {limit: 0.5, reset: monthly}
"#;
    assert_snapshot!(refuse(text), @r#"
    config.yaml:3:33: `providers.claude.cost_per_1k_tokens.input`: `0.003` is not an amount; write US dollars such as `0.003`, without quotes
      |
    3 |     cost_per_1k_tokens: {input: "0.003", output: -1}
      |                                 ^^^^^^^

    config.yaml:3:50: `providers.claude.cost_per_1k_tokens.output`: `-1` is not an amount; write US dollars such as `0.003`, without quotes
      |
    3 |     cost_per_1k_tokens: {input: "0.003", output: -1}
      |                                                  ^^

    config.yaml:5:33: `providers.openai.cost_per_1k_tokens.input`: `0.00000000001` is finer than a billionth of a dollar; round it
      |
    5 |     cost_per_1k_tokens: {input: 0.00000000001, output: 1001}
      |                                 ^^^^^^^^^^^^^

    config.yaml:5:56: `providers.openai.cost_per_1k_tokens.output`: `1001` is out of range; write US dollars from 0 to 1000
      |
    5 |     cost_per_1k_tokens: {input: 0.00000000001, output: 1001}
      |                                                        ^^^^

    config.yaml:6:20: `providers.openai.quota.limit`: `0` is out of range; write US dollars from 0.000000001 to 1000000000
      |
    6 |     quota: {limit: 0, unit: usd, reset: monthly}
      |                    ^

    config.yaml:8:5: `providers.gemini.cost_per_1k_tokens`: `output` is missing; write US dollars for 1,000 tokens, or `0`
      |
    8 |     cost_per_1k_tokens: {input: 0.1}
      |     ^^^^^^^^^^^^^^^^^^

    config.yaml:9:20: `providers.gemini.quota.limit`: `0.5` is not a whole number; write one such as `1`
      |
    9 |     quota: {limit: 0.5, reset: monthly}
      |                    ^^^
    "#);
}

//! What operators set of cooldown, health, healing, balancing and retries.

use super::{accept, refuse};
use crate::Config;
use cliproxy_domain::{
    CooldownDurations, CooldownPolicy, HealingPolicy, HealthCheck, HealthPolicy, Hedge, Policy, Provider,
    Retries, SessionAffinity, Strategy,
};
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);

fn operations(blocks: &str) -> Config {
    accept(&format!("server: {{operations: {{{blocks}}}}}"))
}

fn policy(blocks: &str) -> Policy {
    operations(blocks).snapshot.policy
}

fn claude(keys: &str) -> Provider {
    accept(&format!("providers: {{claude: {{{keys}}}}}")).snapshot.providers["claude"].clone()
}

/// Gives the only warning, which a text has to have.
fn warning(text: &str) -> String {
    let mut warnings = accept(text).warnings;
    assert_eq!(warnings.len(), 1, "{text}: {warnings:?}");
    warnings.remove(0)
}

#[test]
fn errors_are_counted_without_being_asked_to() {
    let expected = CooldownPolicy {
        enabled: true,
        detection_window: MINUTE,
        error_threshold: 5,
        honor_retry_after: true,
        max_hint: 60 * MINUTE,
    };
    assert_eq!(accept("").snapshot.policy.cooldown, expected);
    assert_eq!(policy("cooldown: {}").cooldown, expected);
}

#[test]
fn each_key_of_cooldown_is_taken_by_itself() {
    let cooldown = |keys: &str| policy(&format!("cooldown: {{{keys}}}")).cooldown;
    let default = CooldownPolicy::default();
    assert_eq!(cooldown("enabled: false"), CooldownPolicy { enabled: false, ..default });
    let window = Duration::from_secs(5_400);
    assert_eq!(cooldown("detection_window: 1h30m"), CooldownPolicy { detection_window: window, ..default });
    assert_eq!(cooldown("error_threshold: 1"), CooldownPolicy { error_threshold: 1, ..default });
    assert_eq!(cooldown("honor_retry_after: false"), CooldownPolicy { honor_retry_after: false, ..default });
    let hint = Duration::from_millis(250);
    assert_eq!(cooldown("max_hint: 250ms"), CooldownPolicy { max_hint: hint, ..default });
}

#[test]
fn a_provider_rests_as_long_as_it_says_and_else_as_long_as_all_do() {
    let expected = CooldownDurations {
        enabled: true,
        default: 3 * MINUTE,
        rate_limit: 10 * MINUTE,
        error: Duration::from_secs(90),
    };
    assert_eq!(claude("cooldown: {default_duration: 3m, error_duration: 90s}").cooldown, expected);
    assert_eq!(claude("").cooldown, CooldownDurations::default());
    assert_eq!(accept("").snapshot.providers["claude"].cooldown, CooldownDurations::default());
    assert!(!claude("cooldown: {enabled: false}").cooldown.enabled);
}

#[test]
fn a_provider_that_may_rest_where_nothing_rests_is_warned_of() {
    let server = "server: {operations: {cooldown: {enabled: false}}}";
    let told = warning(&format!("{server}\nproviders: {{claude: {{cooldown: {{enabled: true}}}}}}"));
    let expected = "config.yaml:2:42: `providers.claude.cooldown.enabled`: has no effect, as \
                    `server.operations.cooldown.enabled` is `false`";
    assert_eq!(told, expected);
    assert!(
        accept(&format!("{server}\nproviders: {{claude: {{cooldown: {{error_duration: 1m}}}}}}"))
            .warnings
            .is_empty()
    );
}

#[test]
fn providers_are_asked_only_where_the_section_stands() {
    assert!(!accept("").snapshot.policy.health_check.enabled);
    assert!(!policy("health_check:").health_check.enabled);
    assert!(!policy("health_check: {enabled: false}").health_check.enabled);
    let expected = HealthPolicy {
        enabled: true,
        interval: Duration::from_secs(30),
        timeout: Duration::from_secs(10),
        unhealthy_threshold: 3,
        healthy_threshold: 2,
        daily_budget: 10_000,
    };
    assert_eq!(policy("health_check: {}").health_check, expected);
    assert_eq!(policy("health_check: {enabled: true}").health_check, expected);
}

#[test]
fn checks_that_overlap_are_warned_of() {
    let told = |keys: &str| operations(&format!("health_check: {{{keys}}}")).warnings;
    assert!(
        told("timeout: 30s")[0].starts_with("config.yaml:1:47: `server.operations.health_check.timeout`")
    );
    assert!(told("interval: 10s")[0].contains("`timeout` is not shorter than `interval`"));
    assert_eq!(told("timeout: 29s"), [""; 0]);
    assert_eq!(told("timeout: 30s, enabled: false"), [""; 0]);
}

#[test]
fn an_interval_that_the_daily_budget_does_not_allow_is_warned_of() {
    let told = warning("server: {operations: {health_check: {interval: 5s, timeout: 1s}}}");
    let expected = "config.yaml:1:48: `server.operations.health_check.interval`: `daily_budget` allows 10000 checks \
                    of a provider a day, one in 8.6s, and `interval` asks for 17280; raise `daily_budget` or `interval`";
    assert_eq!(told, expected);
    let budget = warning("server: {operations: {health_check: {daily_budget: 24}}}");
    assert!(budget.contains("allows 24 checks of a provider a day, one in 3600.0s"), "{budget}");
    assert!(operations("health_check: {interval: 5s, timeout: 1s, daily_budget: 17280}").warnings.is_empty());
}

#[test]
fn a_provider_is_asked_for_what_it_says() {
    assert_eq!(
        claude("").health_check,
        HealthCheck { enabled: true, endpoint: None, method: "GET".to_owned() }
    );
    let check =
        claude("health_check: {endpoint: 'https://example.com/up?deep=1', method: OPTIONS}").health_check;
    assert_eq!(check.endpoint.as_deref(), Some("https://example.com/up?deep=1"));
    assert_eq!(check.method, "OPTIONS");
    assert!(!claude("health_check: {enabled: false}").health_check.enabled);
}

#[test]
fn an_address_that_cannot_be_asked_is_refused_without_being_shown() {
    let cases = [
        ("ftp://x", "this is not a URL to check"),
        ("/v1/models", "this is not a URL to check"),
        ("https://", "this is not a URL to check"),
        ("https://me:hunter2@x/", "holds no user or password"),
        ("https://x/#up", "with a `#` part"),
    ];
    for (url, expected) in cases {
        let error = refuse(&format!("providers: {{claude: {{health_check: {{endpoint: '{url}'}}}}}}"));
        assert!(error.contains(expected) && !error.contains("hunter2"), "{url}: {error}");
        assert!(error.starts_with("config.yaml:1:47: "), "{url}: {error}");
    }
}

#[test]
fn a_check_of_a_provider_where_nobody_is_asked_is_warned_of() {
    let told = warning("providers: {claude: {health_check: {endpoint: 'https://example.com/up'}}}");
    assert!(told.starts_with("config.yaml:1:22: `providers.claude.health_check`: has no effect"), "{told}");
    assert!(accept("providers: {claude: {health_check: {enabled: false}}}").warnings.is_empty());
}

#[test]
fn unhealthy_providers_are_healed_only_where_the_section_stands() {
    assert!(!accept("").snapshot.policy.self_healing.enabled);
    assert!(!policy("self_healing: {enabled: false}").self_healing.enabled);
    let expected = HealingPolicy {
        enabled: true,
        check_interval: 2 * MINUTE,
        max_attempts: 5,
        backoff: Duration::from_secs(10),
    };
    let keys = "check_interval: 2m, max_attempts: 5, backoff_duration: 10s";
    assert_eq!(policy(&format!("health_check: {{}}, self_healing: {{{keys}}}")).self_healing, expected);
}

#[test]
fn healing_without_checks_is_warned_of_and_says_what_it_can_do() {
    let told = warning("server:\n  operations:\n    self_healing: {}\n");
    assert!(
        told.starts_with("config.yaml:3:5: `server.operations.self_healing`: health checks are off"),
        "{told}"
    );
    assert!(told.contains("drops its connections"), "{told}");
    assert!(operations("health_check: {}, self_healing: {}").warnings.is_empty());
    assert!(operations("self_healing: {enabled: false}").warnings.is_empty());
}

#[test]
fn every_strategy_is_taken_for_all_and_for_an_alias() {
    for strategy in Strategy::ALL {
        let word = strategy.as_str();
        assert_eq!(policy(&format!("load_balancing: {{strategy: {word}}}")).strategy, strategy);
        let config = accept(&format!(
            "models: {{smart: {{strategy: {word}, targets: [{{provider: claude, model: claude-1}}]}}}}"
        ));
        assert_eq!(config.snapshot.models["smart"].strategy, Some(strategy));
        assert_eq!(config.snapshot.policy.strategy, Strategy::RoundRobin);
    }
}

#[test]
fn sessions_stay_where_clients_declare_them_unless_told_otherwise() {
    assert_eq!(accept("").snapshot.policy.session_affinity, SessionAffinity::Declared);
    for affinity in SessionAffinity::ALL {
        let word = affinity.as_str();
        let read = policy(&format!("load_balancing: {{session_affinity: {word}}}")).session_affinity;
        assert_eq!(read, affinity);
    }
}

#[test]
fn the_cost_strategy_warns_of_what_has_no_price() {
    let priced = "cost_per_1k_tokens: {input: 0.003, output: 0.015}";
    let global = "server: {operations: {load_balancing: {strategy: cost}}}";
    let own =
        |keys: &str| format!("kind: openai_compatible, base_url: 'http://127.0.0.1:1', api_key: x, {keys}");
    let (own, own_priced) = (own(""), own(priced));
    let told = warning(&format!("{global}\nproviders: {{claude: {{}}, mine: {{{own}}}, other: {{{own}}}}}"));
    let expected = "config.yaml:1:50: `server.operations.load_balancing.strategy`: what has no price is taken last; \
                    give `mine` and `other` one, by `cost_per_1k_tokens` or `prices` of the provider";
    assert_eq!(told, expected);
    assert!(
        accept(&format!("{global}\nproviders: {{claude: {{}}, mine: {{{own_priced}}}}}")).warnings.is_empty()
    );
    let alias = |model: &str| {
        let targets = format!("[{{provider: openai, model: gpt-5}}, {{provider: openai, model: {model}}}]");
        format!("providers: {{openai: {{}}}}\nmodels: {{smart: {{strategy: cost, targets: {targets}}}}}")
    };
    let told = warning(&alias("tuned"));
    assert!(told.starts_with("config.yaml:2:28: `models.smart.strategy`: what has no price"), "{told}");
    assert!(told.contains("give `openai/tuned` one"), "{told}");
    assert!(accept(&alias("gpt-5-mini")).warnings.is_empty(), "well-known models have list prices");
}

#[test]
fn the_quota_aware_strategy_warns_when_there_is_no_quota() {
    let told = warning("server: {operations: {load_balancing: {strategy: quota_aware}}}");
    assert!(told.contains("no provider has a `quota`"), "{told}");
}

#[test]
fn a_fifth_of_all_requests_may_be_tried_again_unless_told_otherwise() {
    assert_eq!(
        accept("").snapshot.policy.retries,
        Retries { max_attempts: 3, budget_percent: 20, hedge: None }
    );
    for percent in [0, 100] {
        let text = format!("server: {{retries: {{budget_percent: {percent}}}}}");
        assert_eq!(accept(&text).snapshot.policy.retries.budget_percent, percent);
    }
}

#[test]
fn a_hedge_is_made_only_when_it_is_asked_for_in_as_many_words() {
    let retries = |hedge: &str| accept(&format!("server: {{retries: {{hedge: {{{hedge}}}}}}}"));
    let hedge = |text: &str| retries(text).snapshot.policy.retries.hedge;
    let default = Hedge { after: Duration::from_secs(2), budget_percent: 5 };
    assert_eq!(hedge("enabled: true"), Some(default));
    assert_eq!(hedge("enabled: true, after: 500ms").map(|it| it.after), Some(Duration::from_millis(500)));
    assert_eq!(hedge("enabled: true, budget_percent: 1"), Some(Hedge { budget_percent: 1, ..default }));
    assert_eq!(hedge("enabled: false, after: 1s"), None);
    assert_eq!(hedge(""), None);
    let told = retries("after: 1s");
    assert_eq!(told.snapshot.policy.retries.hedge, None);
    assert!(told.warnings[0].contains("no effect without `server.retries.hedge.enabled: true`"));
}

#[test]
fn a_hedge_for_which_there_is_never_room_is_warned_of() {
    let told = warning("server: {retries: {max_attempts: 1, hedge: {enabled: true}}}");
    assert!(told.starts_with("config.yaml:1:34: `server.retries.max_attempts`: one call"), "{told}");
    let told = warning("server: {timeouts: {total: 20s}, retries: {hedge: {enabled: true, after: 20s}}}");
    assert!(told.contains("`server.retries.hedge.after`: the request is over by then"), "{told}");
}

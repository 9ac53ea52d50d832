//! Providers, their keys and the models that name them.

use super::{accept, places, refuse, request};
use crate::{Config, Environment, Load, load, load_text};
use cliproxy_domain::{ModelName, ProviderKind, Strategy};
use std::time::Duration;

fn without_file(environment: Environment) -> Config {
    load(&Load { environment, ..request() }).unwrap()
}

fn names(config: &Config) -> Vec<&str> {
    config.snapshot.providers.keys().map(|name| name.as_str()).collect()
}

#[test]
fn without_a_file_the_providers_whose_variables_are_set_are_served() {
    let config = without_file(Environment::fixed([
        ("ANTHROPIC_API_KEY", "a"),
        ("GOOGLE_API_KEY", "g"),
        ("OPENAI_API_KEY", ""),
    ]));
    assert_eq!(names(&config), ["claude", "gemini"]);
    let claude = &config.snapshot.providers["claude"];
    assert_eq!(claude.base_url, "https://api.anthropic.com");
    assert_eq!(claude.credentials[0].api_key.expose(), "a");
    assert_eq!(claude.credentials[0].name.as_str(), "default");
    assert_eq!(config.snapshot.providers["gemini"].credentials[0].api_key.expose(), "g");
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
}

#[test]
fn no_provider_at_all_is_accepted_with_a_warning() {
    let config = without_file(Environment::fixed::<&str, &str>([]));
    assert!(config.snapshot.providers.is_empty());
    assert!(config.warnings[0].contains("no provider is configured"));
}

#[test]
fn a_node_that_names_a_control_plane_is_not_warned_of_having_no_provider() {
    let config = accept("providers: {}\ncontrol_plane: {endpoints: [\"http://127.0.0.1:8319\"]}");
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
}

#[test]
fn a_file_without_providers_takes_them_from_the_environment_and_an_empty_section_does_not() {
    assert_eq!(names(&accept("metrics: {}")), ["claude", "gemini", "openai"]);
    assert_eq!(names(&accept("providers:\n")), ["claude", "gemini", "openai"]);
    assert!(accept("providers: {}").snapshot.providers.is_empty());
}

#[test]
fn a_known_name_implies_the_kind_the_address_the_models_and_the_variable() {
    let config = accept("providers: {anthropic: {}, openai: {}, google: {}}");
    let described: Vec<(&str, ProviderKind, &str, &str)> = config
        .snapshot
        .providers
        .values()
        .map(|p| (p.name.as_str(), p.kind, p.base_url.as_str(), p.credentials[0].api_key.expose()))
        .collect();
    assert_eq!(
        described,
        [
            ("anthropic", ProviderKind::Anthropic, "https://api.anthropic.com", "anthropic-secret"),
            ("google", ProviderKind::Gemini, "https://generativelanguage.googleapis.com", "gemini-secret"),
            ("openai", ProviderKind::OpenAi, "https://api.openai.com", "openai-secret"),
        ]
    );
    let serves =
        |name: &str, model: &str| config.snapshot.providers[name].models.iter().any(|p| p.matches(model));
    assert!(
        serves("anthropic", "claude-sonnet-4-5")
            && serves("openai", "o3-mini")
            && serves("google", "gemini-2.5-pro")
    );
    assert!(!serves("openai", "omni") && !serves("openai", "claude-1"));
}

#[test]
fn another_name_needs_a_kind_and_a_compatible_server_an_address() {
    assert_eq!(
        places("providers:\n  mine: {api_key: x}\n  vllm: {kind: openai_compatible, api_key: x}\n")
            .into_iter()
            .map(|(line, column, message)| (
                line,
                column,
                message.split(';').next().unwrap_or_default().to_owned()
            ))
            .collect::<Vec<_>>(),
        [
            (2, 3, "`providers.mine`: `kind` is missing, and the name does not imply one".to_owned()),
            (3, 3, "`providers.vllm`: `base_url` is missing".to_owned()),
        ]
    );
}

#[test]
fn a_compatible_server_serves_no_model_unless_told() {
    let config = accept(
        "providers: {v: {kind: openai_compatible, base_url: 'http://127.0.0.1:8000/v1/', api_key: x}}",
    );
    let provider = &config.snapshot.providers["v"];
    assert!(provider.models.is_empty());
    assert_eq!(provider.base_url, "http://127.0.0.1:8000/v1");
}

#[test]
fn a_known_provider_without_a_key_names_the_variable() {
    let load = Load { environment: Environment::fixed::<&str, &str>([]), ..request() };
    let error = load_text("c.yaml", "providers:\n  gemini: {}\n", &load).unwrap_err().to_string();
    assert!(error.contains("set `GEMINI_API_KEY` or `GOOGLE_API_KEY`"), "{error}");
    assert!(error.starts_with("c.yaml:2:3"), "{error}");
}

#[test]
fn a_key_stays_text_whatever_it_looks_like() {
    let config = accept(
        "providers:\n  a: {kind: openai, api_key: y}\n  b: {kind: openai, api_key: 007}\n  c: {kind: openai, api_key: 1e999}\n  d: {kind: openai, api_key: 123456789012345678901234567890}\n",
    );
    let keys: Vec<&str> =
        config.snapshot.providers.values().map(|p| p.credentials[0].api_key.expose()).collect();
    assert_eq!(keys, ["y", "007", "1e999", "123456789012345678901234567890"]);
}

#[test]
fn keys_never_show_in_debug_output() {
    let config = accept("providers: {claude: {api_key: hunter2}}");
    assert!(!format!("{config:?}").contains("hunter2"));
}

#[test]
fn timeouts_of_a_provider_override_those_of_the_server_key_by_key() {
    let config =
        accept("server: {timeouts: {idle: 7s}}\nproviders: {claude: {timeouts: {connect: 1s500ms}}}");
    let timeouts = config.snapshot.providers["claude"].timeouts;
    assert_eq!((timeouts.connect, timeouts.idle), (Duration::from_millis(1500), Duration::from_secs(7)));
    assert_eq!(timeouts.total, Duration::from_secs(600));
}

#[test]
fn what_a_provider_cannot_be_is_refused_at_its_place() {
    let cases = [
        ("providers: {'a/b': {kind: openai, api_key: x}}", "this cannot name a provider"),
        ("providers: {a: {kind: opnai, api_key: x}}", "did you mean `openai`?"),
        ("providers: {claude: {base_url: ftp://x}}", "this is not a base URL"),
        ("providers: {claude: {base_url: 'https://u:p@x'}}", "holds no user or password"),
        ("providers: {claude: {base_url: 'https://x?a=b'}}", "has no `?` or `#` part"),
        ("providers: {claude: {api_key: ''}}", "the value is empty"),
        ("providers: {claude: {api_key: '${EMPTY}'}}", "empty once its variables are filled in"),
        ("providers: {claude: {api_key: 'a b'}}", "the key has a blank"),
        ("providers: {claude: {api_key: x, credentials: [{name: a, api_key: y}]}}", "are both given"),
        ("providers: {claude: {credentials: [{api_key: y}]}}", "`name` is missing"),
        ("providers: {claude: {credentials: [{name: a}]}}", "`api_key` is missing"),
        (
            "providers: {claude: {credentials: [{name: a, api_key: x}, {name: a, api_key: y}]}}",
            "has this name",
        ),
        ("providers: {claude: {credentials: [{name: a, api_key: x, weight: 0}]}}", "out of range"),
        ("providers: {claude: {weight: 0}}", "write a whole number from 1 to 10000"),
        ("providers: {claude: {weight: 1.5}}", "is not a whole number"),
        ("providers: {claude: {models: ['a b']}}", "is not a model pattern"),
        ("providers: {claude: {timeouts: {total: 1s}}}", "`total` is shorter than `connect`"),
        ("models: {a: {}}", "there are no targets"),
        ("models: {a: {targets: []}}", "there are no targets"),
        ("models: {a: {targets: [{provider: claude}]}}", "`model` is missing"),
        ("models: {a: {targets: [{model: x}]}}", "`provider` is missing"),
        ("models: {'a b': {targets: [{provider: claude, model: x}]}}", "this cannot name a model"),
        (
            "models: {a: {targets: [{provider: claude, model: x}, {provider: claude, model: x}]}}",
            "stands here twice",
        ),
    ];
    for (text, expected) in cases {
        let error = refuse(text);
        assert!(error.contains(expected), "{text}\n{error}");
        assert_eq!(error.matches("config.yaml:").count(), 1, "one report for one mistake: {error}");
    }
}

#[test]
fn an_alias_may_target_a_provider_of_the_environment() {
    let config = accept(
        "models:\n  smart:\n    strategy: round_robin\n    targets: [{provider: openai, model: gpt-5, priority: 2}, {provider: claude, model: claude-1, weight: 3}]\n",
    );
    let alias = &config.snapshot.models[&ModelName::from("smart")];
    assert_eq!(alias.strategy, Some(Strategy::RoundRobin));
    assert_eq!((alias.targets[0].priority, alias.targets[0].weight), (Some(2), None));
    assert_eq!((alias.targets[1].priority, alias.targets[1].weight), (None, Some(3)));
}

#[test]
fn an_unencrypted_address_elsewhere_is_warned_of() {
    let config = accept(
        "providers:\n  claude: {base_url: 'http://10.0.0.1'}\n  openai: {base_url: 'http://localhost:1'}\n",
    );
    assert_eq!(config.warnings.len(), 1, "{:?}", config.warnings);
    assert!(
        config.warnings[0].starts_with("config.yaml:2:22: `providers.claude.base_url`"),
        "{:?}",
        config.warnings
    );
}

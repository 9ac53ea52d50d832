//! What is said of models, before what the catalogue says.

use super::{accept, refuse};
use cliproxy_domain::{Effort, ModelTraits, Need, Thinking};

fn traits(text: &str, provider: &str, model: &str) -> ModelTraits {
    let config = accept(text);
    ModelTraits::of(model, &config.snapshot.providers[provider].traits)
}

#[test]
fn the_catalogue_of_its_kind_is_known_to_every_provider() {
    let catalogued = |config: &crate::Config, provider: &str, model: &str| {
        ModelTraits::of(model, &config.snapshot.providers[provider].traits)
    };
    let from_environment = accept("");
    let from_file = accept("providers: {claude: {}, openai: {}, gemini: {}}");
    for config in [from_environment, from_file] {
        assert!(!catalogued(&config, "claude", "claude-opus-4-7").sampling);
        assert!(catalogued(&config, "openai", "gpt-5.4").tools_need_responses);
        assert_eq!(catalogued(&config, "gemini", "gemini-2.5-pro").thinking, Thinking::Budget);
    }
}

#[test]
fn what_the_configuration_says_stands_before_the_catalogue_trait_by_trait() {
    let text =
        "providers: {claude: {model_traits: [{models: ['claude-opus-4-7'], sampling: true, max_output: 9}]}}";
    let told = traits(text, "claude", "claude-opus-4-7");
    assert_eq!((told.sampling, told.max_output, told.prefill), (true, Some(9), false));
    assert!(!traits(text, "claude", "claude-opus-4-8").sampling);
}

#[test]
fn every_trait_can_be_said() {
    let needs: Vec<String> = Need::ALL.iter().map(|need| format!("{}: false", need.as_str())).collect();
    let text = format!(
        "providers:
  local:
    kind: openai_compatible
    base_url: http://127.0.0.1:8000
    api_key: x
    model_traits:
      - models: [a, 'b-*']
        {}
        max_output: 8192
        thinking: budget
        efforts: [low, xhigh]
        thinking_optional: false
        sampling: false
        system_anywhere: true
        prefill: false
        forced_tools_while_thinking: true
        tools_need_responses: true
",
        needs.join("\n        ")
    );
    let expected = ModelTraits {
        max_output: Some(8192),
        lacks: Need::ALL.into_iter().collect(),
        thinking: Thinking::Budget,
        efforts: vec![Effort::Low, Effort::XHigh],
        thinking_optional: false,
        sampling: false,
        system_anywhere: true,
        prefill: false,
        forced_tools_while_thinking: true,
        tools_need_responses: true,
    };
    assert_eq!(traits(&text, "local", "a"), expected);
    assert_eq!(traits(&text, "local", "b-7"), expected);
    assert_eq!(traits(&text, "local", "c"), ModelTraits::default());
}

#[test]
fn what_cannot_be_said_is_refused_with_one_report_at_its_place() {
    let cases = [
        ("{sampling: true}", "there are no `models`"),
        ("{models: [], sampling: true}", "there are no `models`"),
        ("{models: ['a b']}", "is not a model pattern"),
        ("{models: [a], max_output: 0}", "`0` is out of range"),
        ("{models: [a], sampling: maybe}", "`maybe` is not a boolean"),
        ("{models: [a], thinking: adaptive}", "known are `effort`, `budget` and `never`"),
        ("{models: [a], efforts: []}", "the list is empty"),
        ("{models: [a], efforts: [lo]}", "did you mean `low`?"),
        ("{models: [a], efforts: [low, low]}", "stands here twice"),
        ("{models: [a], image: true}", "did you mean `images`?"),
    ];
    for (entry, expected) in cases {
        let error = refuse(&format!("providers: {{claude: {{model_traits: [{entry}]}}}}"));
        assert!(error.contains(expected), "{entry}\n{error}");
        assert_eq!(error.matches("config.yaml:1:").count(), 1, "one report for one mistake: {error}");
    }
}

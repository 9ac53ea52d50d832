//! Any text at all: an answer or a report, never a panic, never a secret.

use super::request;
use crate::{EXAMPLE, Load, load_text};
use proptest::prelude::*;

/// As long and as mixed as a real key.
const SECRET: &str = "sk-ant-api03-Zm9vYmFyYmF6cXV4MDEyMzQ1Njc4OUFCQ0RFRkdISUpLTE1OT1BRUg";

/// A configuration with a secret in each place that can hold one.
const WITH_SECRETS: &str = "
server:
  listen: 127.0.0.1:1
providers:
  claude: {api_key: sk-ant-api03-Zm9vYmFyYmF6cXV4MDEyMzQ1Njc4OUFCQ0RFRkdISUpLTE1OT1BRUg, weight: 1}
  openai:
    credentials:
      - name: a
        api_key: 'sk-ant-api03-Zm9vYmFyYmF6cXV4MDEyMzQ1Njc4OUFCQ0RFRkdISUpLTE1OT1BRUg'
      - {name: b, api_key: \"sk-ant-api03-Zm9vYmFyYmF6cXV4MDEyMzQ1Njc4OUFCQ0RFRkdISUpLTE1OT1BRUg\", weight: 3}
    base_url: https://x
clients:
  - {name: ci, keys: [{key: sk-ant-api03-Zm9vYmFyYmF6cXV4MDEyMzQ1Njc4OUFCQ0RFRkdISUpLTE1OT1BRUg}]}
  - name: web
    keys:
      - key: 'sk-ant-api03-Zm9vYmFyYmF6cXV4MDEyMzQ1Njc4OUFCQ0RFRkdISUpLTE1OT1BRUg'
        expires: 2099-01-01
";

fn yaml_like() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        Just("server:"),
        Just("providers:"),
        Just("claude:"),
        Just("api_key:"),
        Just("listen:"),
        Just("models:"),
        Just("profiles:"),
        Just("extends: "),
        Just("headers:"),
        Just("query:"),
        Just("errors:"),
        Just("translation:"),
        Just("model_traits:"),
        Just("operations:"),
        Just("cooldown: "),
        Just("health_check: "),
        Just("quota: "),
        Just("limit: "),
        Just("reset: "),
        Just("reset_day: "),
        Just("timezone: "),
        Just("cost_per_1k_tokens:"),
        Just("prices:"),
        Just("clients:"),
        Just("name: ci"),
        Just("keys: "),
        Just("sha256: "),
        Just("key: "),
        Just("expires: "),
        Just("2099-01-31"),
        Just("rate_limit: "),
        Just("requests_per_minute: "),
        Just("budget: "),
        Just("budgets:"),
        Just("unit: usd"),
        Just("on_loss: "),
        Just("tags: "),
        Just("input: "),
        Just("hourly"),
        Just("0.003"),
        Just("1e-5"),
        Just("- "),
        Just("\n"),
        Just("\n  "),
        Just("\n    "),
        Just("{"),
        Just("}"),
        Just("["),
        Just("]"),
        Just(","),
        Just("&a "),
        Just("*a"),
        Just("<<: "),
        Just("|"),
        Just(">"),
        Just("\""),
        Just("'"),
        Just("${"),
        Just("${A:-b}"),
        Just("!!int "),
        Just("? "),
        Just(": "),
        Just("#"),
        Just("\t"),
        Just("---\n"),
        Just("1e999"),
        Just("ü"),
        Just("\u{0}"),
        Just("10m"),
        Just("true"),
        Just("~"),
    ];
    prop::collection::vec(word, 0..40).prop_map(|words| words.concat())
}

fn mutated(text: &'static str) -> impl Strategy<Value = String> {
    let characters: Vec<char> = text.chars().collect();
    let count = characters.len();
    let edit = (
        0..count,
        prop_oneof![
            Just(None),
            prop::sample::select(vec!['"', '\'', '{', '}', ':', '\n', ' ', '-', '*', '&', '$', 'x', 'é'])
                .prop_map(Some)
        ],
    );
    prop::collection::vec(edit, 1..4).prop_map(move |edits| {
        let mut characters = characters.clone();
        for (at, edit) in edits {
            let at = at.min(characters.len().saturating_sub(1));
            match edit {
                Some(c) => characters.insert(at, c),
                None => {
                    characters.remove(at);
                }
            }
        }
        characters.into_iter().collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_it_panic(text in prop_oneof![yaml_like(), any::<String>(), mutated(EXAMPLE)]) {
        if let Err(error) = load_text("config.yaml", &text, &request()) {
            prop_assert!(!error.to_string().is_empty());
        }
    }

    #[test]
    fn no_argument_makes_it_panic(argument in prop_oneof![any::<String>(), "[a-z\"]{1,8}(\\.[a-z0-9\"]{0,6}){0,3}=?.{0,12}"]) {
        let load = Load { overrides: vec![argument], ..request() };
        if let Err(error) = load_text("config.yaml", WITH_SECRETS, &load) {
            prop_assert!(!error.to_string().contains(SECRET), "{}", error);
        }
    }

    #[test]
    fn no_mistake_makes_a_report_show_a_secret(text in mutated(WITH_SECRETS)) {
        if let Err(error) = load_text("config.yaml", &text, &request()) {
            // Edits may break the key's name, its quotes or the secret itself; half of it must not show.
            let shown = error.to_string();
            for fragment in SECRET.as_bytes().windows(SECRET.len() / 2) {
                let fragment = std::str::from_utf8(fragment).expect("the secret is ASCII");
                prop_assert!(!shown.contains(fragment), "{}\n---\n{}", text, shown);
            }
        }
    }
}

#[test]
fn an_alias_bomb_is_refused_quickly() {
    let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let previous = level - 1;
        let items = vec![format!("*a{previous}"); 9].join(", ");
        text.push_str(&format!("a{level}: &a{level} [{items}]\n"));
    }
    assert!(super::refuse(&text).contains("this is not valid YAML"));
}

#[test]
fn deep_nesting_is_refused() {
    let text = format!("server: {}1{}", "[".repeat(5_000), "]".repeat(5_000));
    assert!(super::refuse(&text).contains("this is not valid YAML"));
}

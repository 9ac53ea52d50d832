use super::*;
use crate::world;
use cliproxy_domain::{Alias, AliasTarget, ModelPattern, Need, PriceEntry, ProviderKind, TraitsEntry};

fn provider(name: &str, kind: ProviderKind, models: &[&str]) -> Provider {
    Provider {
        kind,
        models: models.iter().copied().map(ModelPattern::new).collect(),
        weight: 2,
        priority: 5,
        ..world::provider(name, &[])
    }
}

fn snapshot() -> Snapshot {
    let mut snapshot = Snapshot::default();
    for p in [
        provider("claude", ProviderKind::Anthropic, &["claude-*"]),
        provider("openai", ProviderKind::OpenAi, &["gpt-*", "o3-mini"]),
        provider("azure", ProviderKind::OpenAi, &["gpt-*"]),
        provider("local", ProviderKind::OpenAiCompatible, &["llama"]),
    ] {
        snapshot.providers.insert(p.name.clone(), p);
    }
    let target = |provider: &str, model: &str| AliasTarget {
        target: Target { provider: provider.into(), model: model.into() },
        priority: Some(1),
        weight: None,
    };
    let alias = Alias {
        name: "smart".into(),
        targets: vec![target("claude", "claude-opus"), target("openai", "gpt-5")],
        strategy: None,
    };
    snapshot.models.insert(alias.name.clone(), alias);
    snapshot
}

fn found(model: &str, dialect: Dialect) -> Vec<String> {
    resolve(&snapshot(), model, dialect, Operation::Generate)
        .unwrap()
        .candidates
        .iter()
        .map(|c| format!("{}/{} p{} w{}", c.target.provider, c.target.model, c.priority, c.weight))
        .collect()
}

#[test]
fn names_resolve_by_alias_then_pin_then_pattern() {
    let cases: [(&str, Dialect, &[&str]); 4] = [
        ("smart", Dialect::Anthropic, &["claude/claude-opus p1 w2", "openai/gpt-5 p1 w2"]),
        ("azure/anything/at-all", Dialect::OpenAiChat, &["azure/anything/at-all p5 w2"]),
        ("gpt-5", Dialect::OpenAiResponses, &["azure/gpt-5 p5 w2", "openai/gpt-5 p5 w2"]),
        ("llama", Dialect::Gemini, &["local/llama p5 w2"]),
    ];
    for (model, dialect, expected) in cases {
        assert_eq!(found(model, dialect), expected, "{model} in {dialect:?}");
    }
}

#[test]
fn a_target_without_the_operation_is_excluded_as_capability() {
    let set = resolve(&snapshot(), "smart", Dialect::OpenAiChat, Operation::Embed).unwrap();
    let reasons: Vec<_> = set.excluded.iter().map(|(t, why)| (t.provider.as_str(), why.as_str())).collect();
    assert_eq!(reasons, [("claude", "capability")]);
    let set = resolve(&snapshot(), "llama", Dialect::Anthropic, Operation::CountTokens).unwrap();
    assert!(set.candidates.is_empty(), "compatible servers count no tokens");
}

#[test]
fn a_target_is_plain_when_every_request_of_the_dialect_passes_as_it_is() {
    let plain = |snapshot: &Snapshot, model: &str, dialect| {
        let set = resolve(snapshot, model, dialect, Operation::Generate).unwrap();
        set.candidates.iter().map(|candidate| candidate.plain).collect::<Vec<_>>()
    };
    let mut snapshot = snapshot();
    assert_eq!(plain(&snapshot, "smart", Dialect::Anthropic), [true, false]);
    assert_eq!(plain(&snapshot, "llama", Dialect::OpenAiChat), [true]);
    let blind = TraitsEntry {
        models: vec![ModelPattern::new("llama")],
        abilities: vec![(Need::Images, false)],
        ..TraitsEntry::default()
    };
    snapshot.providers.get_mut("local").unwrap().traits.push(blind);
    assert_eq!(plain(&snapshot, "llama", Dialect::OpenAiChat), [false]);
}

#[test]
fn a_pattern_prefers_the_clients_own_api_and_an_alias_shares_as_it_says() {
    let mut snapshot = snapshot();
    snapshot.providers.get_mut("local").unwrap().models.push(ModelPattern::new("*"));
    let behind = |model: &str, dialect| {
        let set = resolve(&snapshot, model, dialect, Operation::Generate).unwrap();
        let behind = set.candidates.iter().filter(|candidate| candidate.behind);
        behind.map(|candidate| candidate.target.provider.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(behind("claude-x", Dialect::Anthropic), ["local"]);
    assert_eq!(behind("claude-x", Dialect::OpenAiChat), ["claude"]);
    assert_eq!(behind("smart", Dialect::Anthropic), [""; 0]);
}

#[test]
fn an_unknown_model_names_the_closest_known_ones() {
    let error = resolve(&snapshot(), "smrt", Dialect::Anthropic, Operation::Generate).unwrap_err();
    assert_eq!(error.to_string(), "no provider serves the model `smrt`; did you mean `smart`?");
    let error = resolve(&snapshot(), "zzzzzzzzzzzzz", Dialect::Anthropic, Operation::Generate).unwrap_err();
    assert_eq!(error.to_string(), "no provider serves the model `zzzzzzzzzzzzz`");
}

#[test]
fn a_very_long_unknown_name_is_cut_and_costs_nothing() {
    let error =
        resolve(&snapshot(), &"x".repeat(1 << 20), Dialect::Anthropic, Operation::Generate).unwrap_err();
    assert!(error.to_string().len() < 200);
}

#[test]
fn known_models_are_aliases_and_literal_names() {
    let names: Vec<_> = known_models(&snapshot()).into_iter().map(|(name, _)| name.to_string()).collect();
    assert_eq!(names, ["smart", "llama", "o3-mini"]);
}

#[test]
fn a_candidate_costs_what_the_model_that_is_called_does() {
    let mut snapshot = snapshot();
    let of = |model: &str, input| PriceEntry {
        models: vec![ModelPattern::new(model)],
        ..PriceEntry::for_all(Price::new(input, 0), "config-0")
    };
    snapshot.providers.get_mut("openai").unwrap().prices = vec![of("gpt-5-mini", 1), of("gpt-*", 2)];
    let prices = |model: &str| -> Vec<Option<u64>> {
        let set = resolve(&snapshot, model, Dialect::OpenAiChat, Operation::Generate).unwrap();
        set.candidates.iter().map(|candidate| candidate.price.map(|price| price.input)).collect()
    };
    assert_eq!(prices("openai/gpt-5-mini"), [Some(1)]);
    assert_eq!(prices("gpt-5"), [None, Some(2)]);
    assert_eq!(prices("smart"), [None, Some(2)], "by the target's name, not by the alias");
}

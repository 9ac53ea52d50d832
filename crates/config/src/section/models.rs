//! `models`: names that clients ask for, and the targets behind them.

use super::operations;
use crate::field::Field;
use cliproxy_domain::{Alias, AliasTarget, ModelName, ProviderName, Target};
use std::collections::BTreeMap;

/// Reads the section. `providers` are the names that a target may use.
pub fn read(root: &Field<'_>, providers: &[String]) -> BTreeMap<ModelName, Alias> {
    let mut aliases = BTreeMap::new();
    let Some(section) = root.section("models") else { return aliases };
    for (name, field) in section.entries() {
        let name_is_sound = is_model_name(name);
        if !name_is_sound {
            field.refuse_key("this cannot name a model; write at most 256 characters without blanks");
        }
        let strategy = field.child("strategy").and_then(|field| operations::strategy(&field));
        let targets = read_targets(&field, providers);
        if name_is_sound && !targets.is_empty() {
            let name = ModelName::from(name);
            aliases.insert(name.clone(), Alias { name, targets, strategy });
        }
    }
    aliases
}

/// Reads the targets of one alias: at least one, each provider and model once.
fn read_targets(alias: &Field<'_>, providers: &[String]) -> Vec<AliasTarget> {
    const MOST: usize = 100;
    let items = alias.section("targets").map(|list| list.items()).unwrap_or_default();
    if items.is_empty() {
        alias.refuse_key("there are no targets; give `targets` with at least one `{provider: …, model: …}`");
    }
    if items.len() > MOST {
        alias.refuse_key(format!("there are more than {MOST} targets; remove some"));
    }
    let mut targets: Vec<AliasTarget> = Vec::new();
    for item in items.iter().take(MOST) {
        let Some(target) = read_target(item, providers) else { continue };
        if targets.iter().any(|known| known.target == target.target) {
            item.refuse("the same target stands here twice; raise its `weight` instead");
            continue;
        }
        targets.push(target);
    }
    targets
}

fn read_target(item: &Field<'_>, providers: &[String]) -> Option<AliasTarget> {
    let provider = match item.child("provider") {
        Some(field) => read_provider(&field, providers),
        None => {
            item.refuse("`provider` is missing; name one of the providers");
            None
        }
    };
    let model = match item.child("model") {
        Some(field) => read_model(&field),
        None => {
            item.refuse("`model` is missing; write the name that the provider knows");
            None
        }
    };
    let priority = item.child("priority").map(|field| field.priority());
    let weight = item.child("weight").map(|field| field.weight());
    if priority == Some(None) || weight == Some(None) {
        return None;
    }
    let target = Target { provider: provider?, model: model? };
    Some(AliasTarget { target, priority: priority.flatten(), weight: weight.flatten() })
}

/// Reads the name of a provider, one of `providers`.
pub fn read_provider(field: &Field<'_>, providers: &[String]) -> Option<ProviderName> {
    let text = field.text()?;
    if providers.contains(&text.value) {
        return Some(ProviderName::from(text.value));
    }
    let names = providers.iter().map(String::as_str);
    field.refuse(format!("there is no provider {}; {}", field.shown(), text.advice(names)));
    None
}

fn read_model(field: &Field<'_>) -> Option<ModelName> {
    let text = field.text()?;
    if !is_model_name(&text.value) {
        field
            .refuse(format!("{} is not a model; write at most 256 characters without blanks", field.shown()));
        return None;
    }
    Some(ModelName::from(text.value))
}

fn is_model_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= 256 && !name.chars().any(|c| c.is_whitespace() || c.is_control())
}

//! `clients[].models` and `clients[].providers`: what a client may ask for, and who may answer.

use super::Around;
use crate::{
    field::Field,
    section::{model_traits, models},
};
use cliproxy_domain::{Alias, ModelPattern, Provider, ProviderName};

/// The most names and patterns of one client.
const MOST: usize = 100;

/// Reads `providers`; without the key all of them may.
pub fn read_providers(client: &Field<'_>, around: &Around<'_>) -> Option<Vec<ProviderName>> {
    let Some(list) = client.child("providers") else { return Some(Vec::new()) };
    refuse_empty(&list, "name at least one provider, or remove the key, by which all may serve it")?;
    let mut names: Vec<ProviderName> = Vec::new();
    let mut sound = true;
    for item in list.items() {
        match models::read_provider(&item, &around.providers.names) {
            Some(name) if names.contains(&name) => {
                item.refuse("the same provider stands here twice; remove one");
                sound = false;
            }
            Some(name) => names.push(name),
            None => sound = false,
        }
    }
    sound.then_some(names)
}

/// Reads `models`; without the key it may ask for all. `providers` are those that may serve it, none for all.
pub fn read_models(
    client: &Field<'_>,
    providers: &[ProviderName],
    around: &Around<'_>,
) -> Option<Vec<ModelPattern>> {
    let Some(list) = client.child("models") else { return Some(Vec::new()) };
    refuse_empty(&list, "name at least one model, or remove the key, by which it may ask for all")?;
    let patterns = model_traits::read_patterns(&list)?;
    // A mistake in a provider is told there, and a node that asks a control plane has no providers of its own.
    let all_known = around.providers.sound.len() == around.providers.names.len();
    if !all_known || around.providers.names.is_empty() {
        return Some(patterns);
    }
    let served = Served { providers, around };
    let mut sound = true;
    for (item, pattern) in list.items().iter().zip(&patterns) {
        if served.has(pattern) {
            continue;
        }
        let text = item.text()?;
        let (models, names) = (served.well_known(), served.names());
        let advice = match text.closest(models.iter().copied()) {
            Some(_) => text.advice(models.iter().copied()),
            None => text.advice(names.iter().map(String::as_str)),
        };
        let by = if providers.is_empty() { "nothing serves" } else { "none of its providers serves" };
        item.refuse(format!("{by} {}; {advice}", item.shown()));
        sound = false;
    }
    sound.then_some(patterns)
}

/// Refuses a list that would forbid everything.
fn refuse_empty(list: &Field<'_>, remedy: &str) -> Option<()> {
    if list.is_empty_list() || list.node().is_null() {
        list.refuse_key(format!("the list is empty, so that the client could do nothing; {remedy}"));
        return None;
    }
    if list.items().len() > MOST {
        list.refuse_key(format!("there are more than {MOST} entries; use globs such as `claude-*`"));
        return None;
    }
    Some(())
}

/// What is there for a client.
struct Served<'a> {
    providers: &'a [ProviderName],
    around: &'a Around<'a>,
}

impl Served<'_> {
    fn may_use(&self, name: &ProviderName) -> bool {
        self.providers.is_empty() || self.providers.contains(name)
    }

    fn usable(&self) -> impl Iterator<Item = &Provider> {
        self.around.providers.sound.values().filter(|provider| self.may_use(&provider.name))
    }

    fn aliases(&self) -> impl Iterator<Item = &str> {
        let usable = |alias: &&Alias| alias.targets.iter().any(|it| self.may_use(&it.target.provider));
        self.around.aliases.values().filter(usable).map(|alias| alias.name.as_str())
    }

    /// Tells whether a client could ask for anything by `pattern`: a name for several targets, a provider's model, or
    /// `provider/model`.
    fn has(&self, pattern: &ModelPattern) -> bool {
        let by_provider = |provider: &Provider| {
            provider.models.iter().any(|served| served.meets(pattern))
                || ModelPattern::new(format!("{}/?*", provider.name)).meets(pattern)
        };
        self.aliases().any(|name| pattern.matches(name)) || self.usable().any(by_provider)
    }

    /// Names the models that have a price: those that people mean.
    fn well_known(&self) -> Vec<&str> {
        let entries = self.usable().flat_map(|provider| &provider.prices);
        let names = entries.flat_map(|entry| &entry.models).filter_map(ModelPattern::literal);
        names.filter(|name| self.has(&ModelPattern::new(*name))).collect()
    }

    /// Names what there is, as the configuration has it.
    fn names(&self) -> Vec<String> {
        let aliases = self.aliases().map(str::to_owned);
        let patterns = self.usable().flat_map(|provider| &provider.models).map(ToString::to_string);
        aliases.chain(patterns).collect()
    }
}

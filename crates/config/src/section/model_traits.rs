//! `providers.<name>.model_traits`: what is known of models that the catalogue does not know, or knows otherwise.

use super::{choices, translation::MOST_TOKENS};
use crate::field::Field;
use cliproxy_domain::{Effort, ModelPattern, Need, Thinking, TraitsEntry};

/// Reads the entries in their order.
pub fn read(provider: &Field<'_>) -> Option<Vec<TraitsEntry>> {
    const MOST: usize = 200;
    let Some(list) = provider.section("model_traits") else { return Some(Vec::new()) };
    let items = list.items();
    if items.len() > MOST {
        list.refuse_key(format!("there are more than {MOST} entries; use globs such as `claude-*`"));
        return None;
    }
    // All are read before any is given up, so that one run finds everything.
    items.iter().map(read_entry).collect::<Vec<_>>().into_iter().collect()
}

fn read_entry(item: &Field<'_>) -> Option<TraitsEntry> {
    let models = match item.section("models") {
        Some(list) if !list.is_empty_list() => read_patterns(&list),
        _ => {
            item.refuse("there are no `models`; name at least one, or write `[\"*\"]` for all");
            None
        }
    };
    let mut sound = true;
    let mut boolean = |key: &str| {
        let field = item.child(key)?;
        let value = field.boolean();
        sound &= value.is_some();
        value
    };
    let abilities = Need::ALL.into_iter().filter_map(|need| Some((need, boolean(need.as_str())?))).collect();
    let (thinking_optional, sampling) = (boolean("thinking_optional"), boolean("sampling"));
    let (system_anywhere, prefill) = (boolean("system_anywhere"), boolean("prefill"));
    let forced_tools_while_thinking = boolean("forced_tools_while_thinking");
    let tools_need_responses = boolean("tools_need_responses");
    let max_output = item.child("max_output").map(|field| field.number(1..=MOST_TOKENS));
    let ways = choices(Thinking::ALL, Thinking::as_str);
    let thinking = item.child("thinking").map(|field| field.choice("way to think", &ways));
    let efforts = item.section("efforts").map(|list| read_efforts(&list));
    if !sound || max_output == Some(None) || thinking == Some(None) || efforts == Some(None) {
        return None;
    }
    Some(TraitsEntry {
        models: models?,
        max_output: max_output.flatten(),
        abilities,
        thinking: thinking.flatten(),
        efforts: efforts.flatten(),
        thinking_optional,
        sampling,
        system_anywhere,
        prefill,
        forced_tools_while_thinking,
        tools_need_responses,
    })
}

/// Reads names and globs of models.
pub fn read_patterns(list: &Field<'_>) -> Option<Vec<ModelPattern>> {
    const MOST: usize = 1_000;
    let items = list.items();
    if items.len() > MOST {
        list.refuse_key(format!("there are more than {MOST} patterns; use globs such as `claude-*`"));
        return None;
    }
    let mut patterns = Vec::with_capacity(items.len());
    for item in &items {
        let text = item.text()?;
        if text.value.len() > 256 || text.value.chars().any(|c| c.is_whitespace() || c.is_control()) {
            item.refuse(format!(
                "{} is not a model pattern; write a name or a glob without blanks",
                item.shown()
            ));
            return None;
        }
        patterns.push(ModelPattern::new(text.value));
    }
    Some(patterns)
}

/// Reads the efforts that are taken. Without any, none could be asked for, which `thinking: never` says.
fn read_efforts(list: &Field<'_>) -> Option<Vec<Effort>> {
    let words = choices(Effort::ALL, Effort::as_str);
    let items = list.items();
    if items.is_empty() {
        list.refuse_key("the list is empty; name the efforts, or write `thinking: never`");
        return None;
    }
    let mut efforts = Vec::new();
    for item in &items {
        let effort = item.choice("effort", &words)?;
        if efforts.contains(&effort) {
            item.refuse("the same effort stands here twice; remove one");
            return None;
        }
        efforts.push(effort);
    }
    Some(efforts)
}

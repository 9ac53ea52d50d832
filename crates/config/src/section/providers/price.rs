//! `providers.<name>.prices` and `cost_per_1k_tokens`: what that provider charges.

use crate::{
    catalogue,
    field::{DOLLAR, Field},
    section::model_traits,
};
use cliproxy_domain::{Price, PriceEntry, PriceVersion, ProviderKind};
use sha2::{Digest, Sha256};

/// Far above what anybody charges for 1,000 tokens; a price for a million of them is below it.
const MOST: u64 = 1_000 * DOLLAR;

/// The most entries; globs name many models at once.
const MOST_ENTRIES: usize = 200;

/// Reads the prices in the order in which they have the word: the list, then the price of all models, then what is
/// known of the kind. `None` when they are wrong.
pub fn read(provider: &Field<'_>, kind: Option<ProviderKind>) -> Option<Vec<PriceEntry>> {
    let list = provider.section("prices");
    let items = list.as_ref().map(Field::items).unwrap_or_default();
    if let Some(list) = list.as_ref().filter(|_| items.len() > MOST_ENTRIES) {
        list.refuse_key(format!("there are more than {MOST_ENTRIES} entries; use globs such as `claude-*`"));
        return None;
    }
    let listed: Vec<Option<PriceEntry>> = items.iter().map(read_entry).collect();
    let for_all = provider.section("cost_per_1k_tokens").map(|section| read_figures(&section));
    let mut prices: Vec<PriceEntry> = listed.into_iter().collect::<Option<_>>()?;
    match for_all {
        Some(price) => prices.push(entry_for_all(price?)),
        None => prices.extend(kind.map(catalogue::prices).unwrap_or_default()),
    }
    Some(prices)
}

fn entry_for_all(price: Price) -> PriceEntry {
    PriceEntry::for_all(price, version(&price))
}

/// Reads one entry of the list.
fn read_entry(item: &Field<'_>) -> Option<PriceEntry> {
    let models = match item.section("models") {
        Some(list) if !list.is_empty_list() => model_traits::read_patterns(&list),
        _ => {
            item.refuse("there are no `models`; name at least one, or write `[\"*\"]` for all");
            None
        }
    };
    let price = read_figures(item);
    Some(PriceEntry { models: models?, ..entry_for_all(price?) })
}

/// Reads what tokens cost. Prompt and answer are both needed: one that is missing would count as nothing, and make a
/// provider look cheap that is not.
fn read_figures(section: &Field<'_>) -> Option<Price> {
    let needed = |key: &str| match section.child(key) {
        Some(field) => field.dollars(0..=MOST),
        None => {
            section.refuse_key(format!("`{key}` is missing; write US dollars for 1,000 tokens, or `0`"));
            None
        }
    };
    let given = |key: &str| match section.child(key) {
        Some(field) => field.dollars(0..=MOST).map(Some),
        None => Some(None),
    };
    let (input, output) = (needed("input"), needed("output"));
    let (cached_input, cache_write, reasoning) =
        (given("cached_input"), given("cache_write"), given("reasoning"));
    Some(Price {
        input: input?,
        output: output?,
        cached_input: cached_input?,
        cache_write: cache_write?,
        reasoning: reasoning?,
    })
}

/// Names a price by its figures: the same ones have the same name wherever they stand, and others another.
fn version(price: &Price) -> PriceVersion {
    let mut hash = Sha256::new();
    let parts =
        [Some(price.input), Some(price.output), price.cached_input, price.cache_write, price.reasoning];
    for part in parts {
        hash.update([u8::from(part.is_some())]);
        hash.update(part.unwrap_or(0).to_be_bytes());
    }
    PriceVersion::from(format!("config-{}", hex::encode(&hash.finalize()[..4])))
}

//! `providers.<name>.cost_per_1k_tokens`: what that provider charges.

use crate::field::{DOLLAR, Field};
use cliproxy_domain::Price;

/// Far above what anybody charges for 1,000 tokens; a price for a million of them is below it.
const MOST: u64 = 1_000 * DOLLAR;

/// Reads the section. Both prices are needed: one that is missing would count as nothing, and make a provider look
/// cheap that is not. `None` when they are wrong.
pub fn read(provider: &Field<'_>) -> Option<Option<Price>> {
    let Some(section) = provider.section("cost_per_1k_tokens") else { return Some(None) };
    let price = |key: &str| match section.child(key) {
        Some(field) => field.dollars(0..=MOST),
        None => {
            section.refuse_key(format!("`{key}` is missing; write US dollars for 1,000 tokens, or `0`"));
            None
        }
    };
    let (input, output) = (price("input"), price("output"));
    Some(Some(Price { input: input?, output: output? }))
}

//! `providers.<name>.cost_per_1k_tokens`: what that provider charges.

use crate::field::{DOLLAR, Field};
use cliproxy_domain::{Price, PriceEntry, PriceVersion};
use sha2::{Digest, Sha256};

/// Far above what anybody charges for 1,000 tokens; a price for a million of them is below it.
const MOST: u64 = 1_000 * DOLLAR;

/// Reads the section. Both prices are needed: one that is missing would count as nothing, and make a provider look
/// cheap that is not. `None` when they are wrong.
pub fn read(provider: &Field<'_>) -> Option<Vec<PriceEntry>> {
    let Some(section) = provider.section("cost_per_1k_tokens") else { return Some(Vec::new()) };
    let price = |key: &str| match section.child(key) {
        Some(field) => field.dollars(0..=MOST),
        None => {
            section.refuse_key(format!("`{key}` is missing; write US dollars for 1,000 tokens, or `0`"));
            None
        }
    };
    let (input, output) = (price("input"), price("output"));
    let price = Price::new(input?, output?);
    Some(vec![PriceEntry::for_all(price, version(&price))])
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

//! What providers charge.

use super::super::{ConvertError, required};
use crate::v1;
use cliproxy_domain::{ModelPattern, Price, PriceEntry, PriceVersion};

/// What the price of an older sender is called: it does not say.
const UNNAMED: &str = "config";

/// Gives what an older receiver takes for the price of all models: that of the entry which is for all.
pub(super) fn for_older(prices: &[PriceEntry]) -> Option<v1::Price> {
    let is_for_all = |entry: &&PriceEntry| entry.models.iter().any(|pattern| pattern.as_str() == "*");
    prices.iter().find(is_for_all).map(|entry| price_to_wire(&entry.price))
}

pub(super) fn to_wire(entry: &PriceEntry) -> v1::PriceEntry {
    v1::PriceEntry {
        models: entry.models.iter().map(|pattern| pattern.as_str().to_owned()).collect(),
        price: Some(price_to_wire(&entry.price)),
        version: entry.version.to_string(),
    }
}

/// Reads the prices of a provider, or the one of an older sender.
pub(super) fn all_from_wire(provider: &v1::Provider) -> Result<Vec<PriceEntry>, ConvertError> {
    if provider.prices.is_empty() {
        let old = provider.price.as_ref().map(price_from_wire);
        return Ok(old.map(|price| PriceEntry::for_all(price, UNNAMED)).into_iter().collect());
    }
    provider.prices.iter().map(from_wire).collect()
}

fn from_wire(wire: &v1::PriceEntry) -> Result<PriceEntry, ConvertError> {
    if wire.models.is_empty() {
        return Err(ConvertError::Missing { field: "PriceEntry.models" });
    }
    let price = wire.price.as_ref().ok_or(ConvertError::Missing { field: "PriceEntry.price" })?;
    Ok(PriceEntry {
        models: wire.models.iter().map(ModelPattern::new).collect(),
        price: price_from_wire(price),
        version: PriceVersion::from(required("PriceEntry.version", &wire.version)?),
    })
}

fn price_to_wire(price: &Price) -> v1::Price {
    v1::Price {
        input: price.input,
        output: price.output,
        cached_input: price.cached_input,
        cache_write: price.cache_write,
        reasoning: price.reasoning,
    }
}

fn price_from_wire(wire: &v1::Price) -> Price {
    Price {
        input: wire.input,
        output: wire.output,
        cached_input: wire.cached_input,
        cache_write: wire.cache_write,
        reasoning: wire.reasoning,
    }
}

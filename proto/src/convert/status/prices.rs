//! What providers charge.

use super::super::word::Word;
use crate::v1;
use cliproxy_domain::status::{PriceStatus, PricesStatus};

/// Turns prices into their message.
pub fn prices_to_wire(status: &PricesStatus) -> v1::ListPricesResponse {
    let providers = status.providers.iter().map(|(name, known)| {
        let prices = known.prices.iter().map(price).collect();
        (name.to_string(), v1::ProviderPrices { prices })
    });
    v1::ListPricesResponse {
        source: status.source.word().to_owned(),
        as_of_ms: status.as_of.0,
        providers: providers.collect(),
    }
}

fn price(status: &PriceStatus) -> v1::PriceStatus {
    v1::PriceStatus {
        models: status.models.clone(),
        version: status.version.to_string(),
        origin: status.origin.clone(),
        input: status.input,
        output: status.output,
        cached_input: status.cached_input,
        cache_write: status.cache_write,
        reasoning: status.reasoning,
    }
}

//! What providers charge: the answer of `GET /v0/operations/prices`.

use super::Source;
use crate::{
    name::{PriceVersion, ProviderName},
    price::PriceEntry,
    time::WallTime,
};
use serde::Serialize;
use std::collections::BTreeMap;

/// What every configured provider charges.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct PricesStatus {
    /// Whose knowledge this is.
    pub source: Source,
    /// When it was true.
    pub as_of: WallTime,
    /// By provider.
    pub providers: BTreeMap<ProviderName, ProviderPrices>,
}

/// What a provider charges.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ProviderPrices {
    /// The first entry that fits a model has the word; a model that none fits has no price.
    pub prices: Vec<PriceStatus>,
}

/// What some models cost, in US dollars for 1,000 tokens.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PriceStatus {
    /// Which, by the names that the provider knows.
    pub models: Vec<String>,
    /// What the figures are called: costs are recorded with it.
    pub version: PriceVersion,
    /// `shipped` with the program, or of the `configuration`.
    pub origin: String,
    /// For prompt tokens.
    pub input: f64,
    /// For generated tokens.
    pub output: f64,
    /// For prompt tokens from the provider's cache; absent when they cost as much as others, as the next two are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cached_input: Option<f64>,
    /// For prompt tokens that went into it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_write: Option<f64>,
    /// For generated tokens that were spent on reasoning.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<f64>,
}

impl PriceStatus {
    /// Shows an entry.
    pub fn of(entry: &PriceEntry) -> Self {
        let dollars = |nanos: u64| nanos as f64 / 1e9;
        let is_shipped = entry.version.as_str().starts_with("shipped-");
        Self {
            models: entry.models.iter().map(ToString::to_string).collect(),
            version: entry.version.clone(),
            origin: if is_shipped { "shipped" } else { "configuration" }.to_owned(),
            input: dollars(entry.price.input),
            output: dollars(entry.price.output),
            cached_input: entry.price.cached_input.map(dollars),
            cache_write: entry.price.cache_write.map(dollars),
            reasoning: entry.price.reasoning.map(dollars),
        }
    }
}

//! What providers charge, and what calls cost by that.

use crate::{name::PriceVersion, pattern::ModelPattern, usage::TokenUsage};

/// What 1,000 tokens cost, in billionths of a US dollar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Price {
    /// For prompt tokens.
    pub input: u64,
    /// For generated tokens.
    pub output: u64,
    /// For prompt tokens that the provider's cache held; none for as much as others.
    pub cached_input: Option<u64>,
    /// For prompt tokens that went into the provider's cache; none for as much as others.
    pub cache_write: Option<u64>,
    /// For generated tokens that were spent on reasoning; none for as much as others.
    pub reasoning: Option<u64>,
}

impl Price {
    /// Makes a price that tells tokens apart by prompt and answer alone.
    pub const fn new(input: u64, output: u64) -> Self {
        Self { input, output, cached_input: None, cache_write: None, reasoning: None }
    }

    /// Gives what `tokens` cost, in billionths of a US dollar, rounded up. It is called once for each upstream call:
    /// sums of many such costs are then exact.
    pub fn cost(&self, tokens: &TokenUsage) -> u64 {
        u64::try_from(self.picodollars(tokens).div_ceil(1_000)).unwrap_or(u64::MAX)
    }

    /// Gives what `tokens` cost, in 10⁻¹² of a US dollar, exactly.
    ///
    /// What is said to be read from a cache, written to one or spent on reasoning never counts beyond all there was.
    pub fn picodollars(&self, tokens: &TokenUsage) -> u128 {
        let read = tokens.cache_read.min(tokens.input);
        let written = tokens.cache_write.min(tokens.input - read);
        let thought = tokens.reasoning.min(tokens.output);
        [
            (tokens.input - read - written, self.input),
            (read, self.cached_input.unwrap_or(self.input)),
            (written, self.cache_write.unwrap_or(self.input)),
            (tokens.output - thought, self.output),
            (thought, self.reasoning.unwrap_or(self.output)),
        ]
        .into_iter()
        .fold(0, |sum: u128, (count, price)| sum.saturating_add(u128::from(count) * u128::from(price)))
    }

    /// Gives the dearest that a prompt token can be: what a call must reserve for each before the provider says how
    /// many came from its cache.
    pub fn dearest_input(&self) -> u64 {
        self.input.max(self.cached_input.unwrap_or(0)).max(self.cache_write.unwrap_or(0))
    }

    /// Gives the dearest that a generated token can be.
    pub fn dearest_output(&self) -> u64 {
        self.output.max(self.reasoning.unwrap_or(0))
    }
}

/// What a provider charges for some of its models.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PriceEntry {
    /// Which, by the names that the provider knows; at least one.
    pub models: Vec<ModelPattern>,
    /// The price.
    pub price: Price,
    /// What the figures are called.
    pub version: PriceVersion,
}

impl PriceEntry {
    /// Makes an entry for all models.
    pub fn for_all(price: Price, version: impl Into<PriceVersion>) -> Self {
        Self { models: vec![ModelPattern::new("*")], price, version: version.into() }
    }
}

/// Finds the price of `model`: the first entry that names it has the word. `None` when nobody knows it.
pub fn price_of<'p>(prices: &'p [PriceEntry], model: &str) -> Option<&'p PriceEntry> {
    prices.iter().find(|entry| entry.models.iter().any(|pattern| pattern.matches(model)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Price = Price {
        input: 3_000_000,
        output: 15_000_000,
        cached_input: Some(300_000),
        cache_write: Some(3_750_000),
        reasoning: Some(20_000_000),
    };

    fn tokens(input: u64, output: u64) -> TokenUsage {
        TokenUsage { input, output, ..TokenUsage::default() }
    }

    #[test]
    fn each_class_of_tokens_has_its_price() {
        let one = |change: fn(&mut TokenUsage)| {
            let mut usage = tokens(1_000, 1_000);
            change(&mut usage);
            ALL.cost(&usage)
        };
        assert_eq!(one(|_| {}), 18_000_000);
        assert_eq!(one(|usage| usage.cache_read = 1_000), 15_300_000);
        assert_eq!(one(|usage| usage.cache_write = 1_000), 18_750_000);
        assert_eq!(one(|usage| usage.reasoning = 1_000), 23_000_000);
        let mixed = |usage: &mut TokenUsage| {
            (usage.cache_read, usage.cache_write, usage.reasoning) = (500, 250, 500);
        };
        assert_eq!(one(mixed), 750_000 + 150_000 + 937_500 + 7_500_000 + 10_000_000);
    }

    #[test]
    fn classes_without_a_price_cost_what_the_others_do() {
        let usage = TokenUsage { cache_read: 400, cache_write: 300, reasoning: 10, ..tokens(1_000, 100) };
        assert_eq!(Price::new(3_000_000, 15_000_000).cost(&usage), 4_500_000);
    }

    #[test]
    fn a_part_of_a_billionth_counts_as_one() {
        assert_eq!(Price::new(1, 0).cost(&tokens(1, 0)), 1);
        assert_eq!(Price::new(1, 0).cost(&tokens(1_000, 0)), 1);
        assert_eq!(Price::new(1, 0).cost(&tokens(1_001, 0)), 2);
        assert_eq!(Price::new(1, 1).cost(&tokens(0, 0)), 0);
    }

    #[test]
    fn parts_that_are_larger_than_their_whole_cost_no_more_than_it() {
        let usage = TokenUsage { cache_read: u64::MAX, cache_write: u64::MAX, ..tokens(1_000, 0) };
        assert_eq!(ALL.cost(&usage), 300_000);
        let usage = TokenUsage { reasoning: 7_000, ..tokens(0, 1_000) };
        assert_eq!(ALL.cost(&usage), 20_000_000);
    }

    #[test]
    fn no_figures_overflow() {
        let most = Price { cached_input: Some(u64::MAX), ..Price::new(u64::MAX, u64::MAX) };
        let usage = TokenUsage { cache_read: u64::MAX / 2, ..tokens(u64::MAX, u64::MAX) };
        assert_eq!(most.cost(&usage), u64::MAX);
    }

    #[test]
    fn what_is_reserved_is_never_below_what_can_be_charged() {
        assert_eq!((ALL.dearest_input(), ALL.dearest_output()), (3_750_000, 20_000_000));
        assert_eq!(Price::new(3, 5).dearest_input(), 3);
        let cheap = Price { reasoning: Some(1), cached_input: Some(9), ..Price::new(3, 5) };
        assert_eq!((cheap.dearest_input(), cheap.dearest_output()), (9, 5));
    }

    #[test]
    fn the_first_entry_that_names_a_model_has_the_word() {
        let entry = |pattern: &str, input| PriceEntry {
            models: vec![ModelPattern::new(pattern)],
            price: Price::new(input, 0),
            version: "config-0".into(),
        };
        let prices = [entry("gpt-5-mini*", 1), entry("gpt-5*", 2)];
        let found = |model| price_of(&prices, model).map(|entry| entry.price.input);
        assert_eq!(found("gpt-5-mini-2025"), Some(1));
        assert_eq!(found("gpt-5"), Some(2));
        assert_eq!(found("o3"), None);
    }
}

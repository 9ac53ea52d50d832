//! What vendors charge for their own models, as their pages of prices said it on the day that the table is named after.
//!
//! Where a vendor asks more for longer prompts, the figures are those of ordinary ones; of writes to a cache they are
//! those that keep it for the shortest time. `prices` of the configuration stands before all of this, and a model that
//! is not here has no price: a guess would be taken for one.

use cliproxy_domain::{ModelPattern, Price, PriceEntry, PriceVersion, ProviderKind};

/// What the table is called. Another day's figures are another table.
pub const VERSION: &str = "shipped-2026-11-22";

/// Gives what is known of the models of a kind of provider. Nobody knows what a compatible server costs.
pub fn prices(kind: ProviderKind) -> Vec<PriceEntry> {
    let (rows, endings): (&[Row], &[&str]) = match kind {
        ProviderKind::Anthropic => (ANTHROPIC, &["", "-20*", "-latest"]),
        ProviderKind::OpenAi => (OPENAI, &["", "-20*", "-latest"]),
        ProviderKind::Gemini => (GEMINI, &["", "-0[0-9]*", "-preview", "-preview-[0-9]*"]),
        ProviderKind::OpenAiCompatible => (&[], &[]),
    };
    // A name with a date, a number or `latest` is the same model; with anything else it is another.
    let spelled = |name: &&str| {
        let name = (*name).to_owned();
        endings.iter().map(move |ending| ModelPattern::new(format!("{name}{ending}")))
    };
    let version = PriceVersion::from(VERSION);
    let entry = |row: &Row| PriceEntry {
        models: row.0.iter().flat_map(spelled).collect(),
        price: row.1.price(),
        version: version.clone(),
    };
    rows.iter().map(entry).collect()
}

/// Models, and what a million of their tokens costs.
type Row = (&'static [&'static str], PerMillion);

/// Thousandths of a US dollar for a million tokens, as vendors give them: prompts, answers, prompts from the cache,
/// prompts into it.
struct PerMillion(u64, u64, Option<u64>, Option<u64>);

impl PerMillion {
    fn price(&self) -> Price {
        // A thousandth of a dollar for a million tokens is a millionth for a thousand of them.
        let nanos = |thousandths: u64| thousandths * 1_000;
        let &Self(input, output, cached, written) = self;
        Price {
            cached_input: cached.map(nanos),
            cache_write: written.map(nanos),
            ..Price::new(nanos(input), nanos(output))
        }
    }
}

/// Without a cache that costs otherwise.
const fn plain(input: u64, output: u64) -> PerMillion {
    PerMillion(input, output, None, None)
}

/// With a cache that is written at no cost of its own.
const fn cached(input: u64, output: u64, cached: u64) -> PerMillion {
    PerMillion(input, output, Some(cached), None)
}

/// With a cache that costs a quarter more than the prompt when it is written.
const fn written(input: u64, output: u64, cached: u64) -> PerMillion {
    PerMillion(input, output, Some(cached), Some(input + input / 4))
}

/// platform.claude.com/docs/en/about-claude/pricing
const ANTHROPIC: &[Row] = &[
    (&["claude-fable-5-1"], written(10_000, 50_000, 250)),
    (&["claude-fable-5", "claude-mythos-5"], written(10_000, 50_000, 1_000)),
    (&["claude-opus-5-5"], written(4_000, 20_000, 200)),
    (
        &["claude-opus-5", "claude-opus-4-8", "claude-opus-4-7", "claude-opus-4-6", "claude-opus-4-5"],
        written(5_000, 25_000, 500),
    ),
    (
        &["claude-opus-4-1", "claude-opus-4-0", "claude-opus-4", "claude-3-opus"],
        written(15_000, 75_000, 1_500),
    ),
    (&["claude-sonnet-5-5", "claude-sonnet-5"], written(2_000, 10_000, 200)),
    (
        &[
            "claude-sonnet-4-6",
            "claude-sonnet-4-5",
            "claude-sonnet-4-0",
            "claude-sonnet-4",
            "claude-3-7-sonnet",
            "claude-3-5-sonnet",
        ],
        written(3_000, 15_000, 300),
    ),
    (&["claude-haiku-5-5"], written(100, 500, 10)),
    (&["claude-haiku-4-5"], written(1_000, 5_000, 100)),
    (&["claude-3-5-haiku"], written(800, 4_000, 80)),
    (&["claude-3-haiku"], PerMillion(250, 1_250, Some(30), Some(300))),
];

/// openai.com/api/pricing
const OPENAI: &[Row] = &[
    (&["gpt-6-astra"], written(10_000, 50_000, 1_000)),
    (&["gpt-6.1-sol"], written(2_000, 10_000, 100)),
    (&["gpt-6-sol"], written(2_000, 10_000, 200)),
    (&["gpt-6-luna"], written(100, 500, 10)),
    (&["gpt-5.6-sol", "gpt-5.6"], written(4_000, 20_000, 400)),
    (&["gpt-5.6-terra"], written(2_000, 12_000, 200)),
    (&["gpt-5.6-luna"], written(200, 1_200, 20)),
    (&["gpt-5.5"], cached(5_000, 30_000, 500)),
    (&["gpt-5.5-pro", "gpt-5.4-pro"], plain(30_000, 180_000)),
    (&["gpt-5.4"], cached(2_500, 15_000, 250)),
    (&["gpt-5.4-mini"], cached(750, 4_500, 75)),
    (&["gpt-5.4-nano"], cached(200, 1_250, 20)),
    (
        &["gpt-5.2", "gpt-5.2-codex", "gpt-5.3-codex", "gpt-5.2-chat", "gpt-5.3-chat"],
        cached(1_750, 14_000, 175),
    ),
    (&["gpt-5.2-pro"], plain(21_000, 168_000)),
    (
        &[
            "gpt-5.1",
            "gpt-5.1-codex",
            "gpt-5.1-codex-max",
            "gpt-5.1-chat",
            "gpt-5",
            "gpt-5-codex",
            "gpt-5-chat",
        ],
        cached(1_250, 10_000, 125),
    ),
    (&["gpt-5-mini", "gpt-5.1-codex-mini"], cached(250, 2_000, 25)),
    (&["gpt-5-nano"], cached(50, 400, 5)),
    (&["gpt-5-pro"], plain(15_000, 120_000)),
    (&["gpt-4.1"], cached(2_000, 8_000, 500)),
    (&["gpt-4.1-mini"], cached(400, 1_600, 100)),
    (&["gpt-4.1-nano"], cached(100, 400, 25)),
    (&["gpt-4o-2024-05-13", "chatgpt-4o"], plain(5_000, 15_000)),
    (&["gpt-4o"], cached(2_500, 10_000, 1_250)),
    (&["gpt-4o-mini"], cached(150, 600, 75)),
    (&["o1"], cached(15_000, 60_000, 7_500)),
    (&["o1-pro"], plain(150_000, 600_000)),
    (&["o3"], cached(2_000, 8_000, 500)),
    (&["o3-pro"], plain(20_000, 80_000)),
    (&["o3-mini"], cached(1_100, 4_400, 550)),
    (&["o4-mini"], cached(1_100, 4_400, 275)),
    (&["gpt-4-turbo"], plain(10_000, 30_000)),
    (&["gpt-4", "gpt-4-0613"], plain(30_000, 60_000)),
    (&["gpt-3.5-turbo", "gpt-3.5-turbo-0125"], plain(500, 1_500)),
    (&["text-embedding-3-small"], plain(20, 0)),
    (&["text-embedding-3-large"], plain(130, 0)),
    (&["text-embedding-ada-002"], plain(100, 0)),
];

/// ai.google.dev/gemini-api/docs/pricing
const GEMINI: &[Row] = &[
    (&["gemini-3.8-flash", "gemini-3.7-flash", "gemini-3.6-flash"], cached(750, 3_750, 75)),
    (&["gemini-3.5-flash"], cached(1_500, 9_000, 150)),
    (&["gemini-3.5-flash-lite"], cached(300, 2_500, 30)),
    (&["gemini-3.1-pro", "gemini-3-pro"], cached(2_000, 12_000, 200)),
    (&["gemini-3.1-flash-lite"], cached(250, 1_500, 25)),
    (&["gemini-3-flash"], cached(500, 3_000, 50)),
    (&["gemini-2.5-pro"], cached(1_250, 10_000, 125)),
    (&["gemini-2.5-flash"], cached(300, 2_500, 30)),
    (&["gemini-2.5-flash-lite"], cached(100, 400, 10)),
    (&["gemini-2.0-flash"], cached(100, 400, 25)),
    (&["gemini-2.0-flash-lite"], plain(75, 300)),
    (&["gemini-embedding-001"], plain(150, 0)),
];

#[cfg(test)]
mod tests {
    use super::*;
    use cliproxy_domain::price::price_of;

    const KINDS: [ProviderKind; 3] = [ProviderKind::Anthropic, ProviderKind::OpenAi, ProviderKind::Gemini];

    #[test]
    fn well_known_models_cost_what_their_vendors_say() {
        let dollars = |thousandths: u64| thousandths * 1_000;
        let cases = [
            (ProviderKind::Anthropic, "claude-sonnet-4-5-20250929", 3_000, 15_000, Some(300), Some(3_750)),
            (ProviderKind::Anthropic, "claude-opus-4-5", 5_000, 25_000, Some(500), Some(6_250)),
            (ProviderKind::Anthropic, "claude-opus-4-20250514", 15_000, 75_000, Some(1_500), Some(18_750)),
            (ProviderKind::Anthropic, "claude-3-5-haiku-latest", 800, 4_000, Some(80), Some(1_000)),
            (ProviderKind::OpenAi, "gpt-5-2025-08-07", 1_250, 10_000, Some(125), None),
            (ProviderKind::OpenAi, "gpt-5-mini", 250, 2_000, Some(25), None),
            (ProviderKind::OpenAi, "gpt-4o-2024-05-13", 5_000, 15_000, None, None),
            (ProviderKind::OpenAi, "gpt-4o-2024-08-06", 2_500, 10_000, Some(1_250), None),
            (ProviderKind::Gemini, "gemini-2.5-flash-preview-09-2025", 300, 2_500, Some(30), None),
            (ProviderKind::Gemini, "gemini-3-pro-preview", 2_000, 12_000, Some(200), None),
        ];
        for (kind, model, input, output, read, write) in cases {
            let prices = prices(kind);
            let entry = price_of(&prices, model).unwrap_or_else(|| panic!("{model} has no price"));
            let expected = Price {
                cached_input: read.map(dollars),
                cache_write: write.map(dollars),
                ..Price::new(dollars(input), dollars(output))
            };
            assert_eq!(entry.price, expected, "{model}");
            assert_eq!(entry.version.as_str(), "shipped-2026-11-22");
        }
    }

    #[test]
    fn what_nobody_says_has_no_price() {
        let cases = [
            (ProviderKind::Anthropic, "claude-opus-9"),
            (ProviderKind::Anthropic, "claude-sonnet-4-5-turbo"),
            (ProviderKind::OpenAi, "gpt-5-mini-audio"),
            (ProviderKind::OpenAi, "gpt-image-1"),
            (ProviderKind::Gemini, "gemini-2.5-flash-image"),
            (ProviderKind::Gemini, "gemini-2.5-flash-preview-tts"),
        ];
        for (kind, model) in cases {
            assert_eq!(price_of(&prices(kind), model), None, "{model}");
        }
        assert_eq!(prices(ProviderKind::OpenAiCompatible), []);
    }

    #[test]
    fn no_model_stands_in_two_rows_but_for_a_dated_one_before_its_family() {
        for (kind, rows) in KINDS.into_iter().zip([ANTHROPIC, OPENAI, GEMINI]) {
            let prices = prices(kind);
            for (place, row) in rows.iter().enumerate() {
                for name in row.0 {
                    let found = prices
                        .iter()
                        .position(|entry| entry.models.iter().any(|pattern| pattern.matches(name)));
                    assert_eq!(found, Some(place), "{name} is priced by another row");
                }
            }
        }
    }

    #[test]
    fn answers_cost_no_less_than_prompts_and_a_cache_saves() {
        for entry in KINDS.into_iter().flat_map(prices) {
            let Price { input, output, cached_input, cache_write, .. } = entry.price;
            assert!(output >= input || output == 0, "{:?}", entry.models);
            assert!(cached_input.is_none_or(|read| read < input), "{:?}", entry.models);
            assert!(cache_write.is_none_or(|write| write > input), "{:?}", entry.models);
        }
    }
}

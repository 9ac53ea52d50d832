//! `cliproxy ctl prices`: what each provider charges.

use super::{
    api::{Api, read},
    clients::raw,
    table::{Table, or_dash},
};
use crate::{cli::Answered, terminal};
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Prices {
    providers: BTreeMap<String, Provider>,
}

#[derive(Deserialize)]
struct Provider {
    prices: Vec<Price>,
}

#[derive(Deserialize)]
struct Price {
    models: Vec<String>,
    version: String,
    input: f64,
    output: f64,
    cached_input: Option<f64>,
    cache_write: Option<f64>,
    reasoning: Option<f64>,
}

/// Shows prices.
pub(super) async fn run(answered: &Answered) -> anyhow::Result<()> {
    let answer = Api::new(&answered.asked)?.get("prices").await?;
    if answered.json {
        return raw(&answer);
    }
    let mut table = Table::new(&[
        "provider",
        "models",
        "input",
        "output",
        "cached input",
        "cache write",
        "reasoning",
        "version",
    ]);
    for (provider, Provider { prices }) in read::<Prices>(&answer)?.providers {
        for price in prices {
            let Price { models, version, input, output, cached_input, cache_write, reasoning } = price;
            table.add(vec![
                provider.clone(),
                models.join(","),
                input.to_string(),
                output.to_string(),
                or_dash(cached_input),
                or_dash(cache_write),
                or_dash(reasoning),
                version,
            ]);
        }
    }
    if table.is_empty() {
        terminal::say("no price is known");
        return Ok(());
    }
    terminal::say(&table.text());
    terminal::note("US dollars for 1,000 tokens; the first entry that fits a model has the word");
    Ok(())
}

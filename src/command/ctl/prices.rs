//! `cliproxy ctl prices`: what each provider charges.

use super::{
    api::{Api, read},
    clients::raw,
    table::{Table, in_lines, or_dash},
};
use crate::{cli, terminal};
use cliproxy_domain::ModelPattern;
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

/// How wide the list of an entry's models is, in characters.
const MODELS: usize = 40;

/// Shows prices.
pub(super) async fn run(arguments: &cli::Prices) -> anyhow::Result<()> {
    let answer = Api::new(&arguments.answered.asked)?.get("prices").await?;
    if arguments.answered.json {
        return raw(&answer);
    }
    let table = table(read(&answer)?, arguments);
    if table.is_empty() {
        let of_these = arguments.provider.is_some() || arguments.model.is_some();
        terminal::say(if of_these { "no price of these is known" } else { "no price is known" });
        return Ok(());
    }
    terminal::say(&table.text());
    terminal::note("US dollars for 1,000 tokens; the first entry that fits a model has the word");
    Ok(())
}

/// Lists the entries that were asked for; of one model those that fit it, the first of a provider has the word.
fn table(prices: Prices, asked: &cli::Prices) -> Table {
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
    let fits = |price: &Price| {
        let model = asked.model.as_ref();
        model.is_none_or(|model| price.models.iter().any(|it| ModelPattern::new(it.as_str()).matches(model)))
    };
    let providers = prices.providers.into_iter();
    for (provider, Provider { prices }) in
        providers.filter(|(name, _)| asked.provider.as_ref().is_none_or(|asked| asked == name))
    {
        for price in prices.into_iter().filter(fits) {
            let Price { models, version, input, output, cached_input, cache_write, reasoning } = price;
            table.add(vec![
                provider.clone(),
                in_lines(&models, MODELS),
                input.to_string(),
                output.to_string(),
                or_dash(cached_input),
                or_dash(cache_write),
                or_dash(reasoning),
                version,
            ]);
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Cli;
    use clap::Parser as _;

    #[test]
    fn of_a_provider_and_a_model_only_the_entries_that_fit_are_shown() {
        let entry = |models: &str| {
            format!(r#"{{"models": {models}, "version": "config-1", "input": 0.00125, "output": 0.01}}"#)
        };
        let list = format!("[{}, {}]", entry(r#"["gpt-5-mini"]"#), entry(r#"["gpt-*"]"#));
        let answer = format!(
            r#"{{"providers": {{"north": {{"prices": {list}}}, "south": {{"prices": [{}]}}}}}}"#,
            entry(r#"["*"]"#)
        );
        let shown = |arguments: &[&str]| {
            let line = ["cliproxy", "ctl", "prices"].iter().chain(arguments);
            let cli = Cli::try_parse_from(line).unwrap();
            let cli::Command::Ctl(cli::Ctl::Prices(asked)) = cli.command else { panic!("{arguments:?}") };
            let text = table(read(&answer.clone().into()).unwrap(), &asked).text();
            text.lines()
                .skip(1)
                .map(|line| line.split_whitespace().nth(1).unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(shown(&[]), ["gpt-5-mini", "gpt-*", "*"]);
        assert_eq!(shown(&["--provider", "north", "--model", "gpt-5"]), ["gpt-*"]);
        assert_eq!(shown(&["--model", "claude"]), ["*"]);
    }
}

//! `cliproxy ctl usage`: what was used, and what it cost.

use super::{
    api::{Api, encoded, read},
    clients::raw,
    table::{Table, or_dash},
};
use crate::{cli::Usage, terminal};
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Used {
    usage: Vec<Entry>,
    truncated: bool,
    total: Counts,
}

#[derive(Deserialize)]
struct Entry {
    at: String,
    provider: Option<String>,
    credential: Option<String>,
    model: Option<String>,
    client: Option<String>,
    price: Option<String>,
    #[serde(default)]
    tags: BTreeMap<String, String>,
    #[serde(flatten)]
    counts: Counts,
}

#[derive(Deserialize)]
struct Counts {
    attempts: Attempts,
    tokens: Tokens,
    cost_usd: f64,
}

#[derive(Deserialize)]
struct Attempts {
    total: u64,
    ok: u64,
}

#[derive(Deserialize)]
struct Tokens {
    input: u64,
    output: u64,
}

/// Shows usage.
pub(super) async fn run(arguments: &Usage) -> anyhow::Result<()> {
    let api = Api::new(&arguments.answered.asked)?;
    let answer = api.get(&format!("usage{}", query(arguments))).await?;
    if arguments.answered.json || arguments.csv {
        return raw(&answer);
    }
    let used: Used = read(&answer)?;
    let mut table =
        Table::new(&["period", "of", "calls", "answered", "input tokens", "output tokens", "cost"]);
    for entry in &used.usage {
        let Entry { provider, credential, model, client, price, tags, .. } = entry;
        let parts = [client, provider, credential, model, price].into_iter().flatten().cloned();
        let tags = tags.iter().map(|(tag, value)| format!("{tag}={value}"));
        let of: Vec<String> = parts.chain(tags).collect();
        table.add(row(entry.at.clone(), or_dash((!of.is_empty()).then(|| of.join(" "))), &entry.counts));
    }
    table.add(row("total".to_owned(), "-".to_owned(), &used.total));
    terminal::say(&table.text());
    if used.truncated {
        terminal::note("there is more: the total has all of it; give a higher --limit or a shorter range");
    }
    Ok(())
}

fn row(period: String, of: String, counts: &Counts) -> Vec<String> {
    let Counts { attempts, tokens, cost_usd } = counts;
    let numbers = [attempts.total, attempts.ok, tokens.input, tokens.output].map(|number| number.to_string());
    let mut row = vec![period, of];
    row.extend(numbers);
    row.push(format!("${cost_usd:.4}"));
    row
}

/// Writes the parameters that were given.
fn query(arguments: &Usage) -> String {
    let Usage { from, to, period, by, provider, model, client, limit, csv, .. } = arguments;
    let limit = limit.map(|limit| limit.to_string());
    let format = csv.then(|| "csv".to_owned());
    let parameters = [
        ("from", from),
        ("to", to),
        ("period", period),
        ("by", by),
        ("provider", provider),
        ("model", model),
        ("client", client),
        ("limit", &limit),
        ("format", &format),
    ];
    let given = parameters.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?)));
    let given: Vec<String> = given.map(|(name, value)| format!("{name}={}", encoded(value))).collect();
    if given.is_empty() { String::new() } else { format!("?{}", given.join("&")) }
}

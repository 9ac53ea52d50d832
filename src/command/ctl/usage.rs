//! `cliproxy ctl usage`: what was used, and what it cost.

use super::{
    api::{Api, encoded, read},
    clients::raw,
    table::{Table, amount, or_dash},
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
    // Not by `flatten`: what that keeps in between has no fractions, as numbers are read to their last digit.
    attempts: Attempts,
    tokens: Tokens,
    cost_usd: f64,
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
    terminal::say(&table(&used).text());
    if used.truncated {
        terminal::note("there is more: the total has all of it; give a higher --limit or a shorter range");
    }
    Ok(())
}

fn table(used: &Used) -> Table {
    let mut table =
        Table::new(&["period", "of", "calls", "answered", "input tokens", "output tokens", "cost"]);
    for entry in &used.usage {
        let Entry { provider, credential, model, client, price, tags, .. } = entry;
        let parts = [client, provider, credential, model, price].into_iter().flatten().cloned();
        let tags = tags.iter().map(|(tag, value)| format!("{tag}={value}"));
        let of: Vec<String> = parts.chain(tags).collect();
        let of = or_dash((!of.is_empty()).then(|| of.join(" ")));
        table.add(row(entry.at.clone(), of, (&entry.attempts, &entry.tokens, entry.cost_usd)));
    }
    let Counts { attempts, tokens, cost_usd } = &used.total;
    table.add(row("total".to_owned(), "-".to_owned(), (attempts, tokens, *cost_usd)));
    table
}

fn row(period: String, of: String, (attempts, tokens, cost): (&Attempts, &Tokens, f64)) -> Vec<String> {
    let numbers = [attempts.total, attempts.ok, tokens.input, tokens.output].map(|number| number.to_string());
    let mut row = vec![period, of];
    row.extend(numbers);
    row.push(amount(cost, "usd"));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_as_they_are_answered() {
        let counts = r#""attempts": {"total": 3, "ok": 2}, "tokens": {"input": 10, "output": 20}, "cost_usd": 0.00045"#;
        let row =
            r#""at": "2026-03-01T00:00:00Z", "provider": "north", "client": "web", "tags": {"team": "shop"}"#;
        let answer =
            format!(r#"{{"usage": [{{{row}, {counts}}}], "truncated": false, "total": {{{counts}}}}}"#);
        let used: Used = read(&answer.into()).unwrap();
        let text = table(&used).text();
        let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(
            lines[1],
            ["2026-03-01T00:00:00Z", "web", "north", "team=shop", "3", "2", "10", "20", "$0.00045"]
        );
        assert_eq!(lines[2], ["total", "-", "3", "2", "10", "20", "$0.00045"]);
    }
}

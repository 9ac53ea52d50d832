//! `cliproxy ctl quotas`: what is left of budgets, how rates are shared out, and taking back what is stranded.

use super::{
    api::{Api, read},
    clients::raw,
    table::{Table, amount, or_dash},
};
use crate::{
    cli::{Answered, Quotas, QuotasCtl, Release},
    terminal,
};
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
struct Limits {
    source: String,
    budgets: Vec<Budget>,
    rates: Vec<Rate>,
}

#[derive(Deserialize)]
struct Budget {
    subject: String,
    unit: String,
    limit: f64,
    used: f64,
    leased: f64,
    remaining: f64,
    resets_at: String,
    threshold: Option<u32>,
    holders: Vec<Holder>,
}

#[derive(Deserialize)]
struct Holder {
    node: String,
    incarnation: u64,
    held: f64,
    stranded: bool,
}

#[derive(Deserialize)]
struct Rate {
    subject: String,
    kind: String,
    limit: u64,
    free: u64,
    shares: Vec<Share>,
}

#[derive(Deserialize)]
struct Share {
    node: String,
    share: u64,
}

#[derive(Serialize)]
struct Wanted<'a> {
    subject: &'a str,
    unit: &'a str,
    node: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    incarnation: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

#[derive(Deserialize)]
struct Released {
    subject: String,
    unit: String,
    node: String,
    released: f64,
    holders: Vec<ReleasedHolder>,
}

#[derive(Deserialize)]
struct ReleasedHolder {
    incarnation: u64,
    released: f64,
}

/// Runs what the command line asks for.
pub(super) async fn run(arguments: &QuotasCtl) -> anyhow::Result<()> {
    match &arguments.command {
        None => list(&arguments.answered).await,
        Some(Quotas::List(answered)) => list(answered).await,
        Some(Quotas::Release(release)) => take_back(release).await,
    }
}

async fn list(answered: &Answered) -> anyhow::Result<()> {
    let answer = Api::new(&answered.asked)?.get("quotas").await?;
    if answered.json {
        return raw(&answer);
    }
    let limits: Limits = read(&answer)?;
    if limits.source == "node" {
        terminal::note("the node cannot reach a control plane: this is what it knows itself");
    }
    if limits.budgets.is_empty() && limits.rates.is_empty() {
        terminal::say("nothing is limited");
        return Ok(());
    }
    let mut parts = Vec::new();
    if !limits.budgets.is_empty() {
        parts.push(budgets(&limits.budgets).text());
    }
    let stranded = stranded(&limits.budgets);
    if !stranded.is_empty() {
        parts.push(format!("stranded, to be taken back with `release`:\n{}", stranded.text()));
    }
    if !limits.rates.is_empty() {
        parts.push(rates(&limits.rates).text());
    }
    terminal::say(&parts.join("\n\n"));
    Ok(())
}

fn budgets(budgets: &[Budget]) -> Table {
    let mut table = Table::new(&["budget", "unit", "limit", "used", "leased", "remaining", "told", "resets"]);
    for budget in budgets {
        let shown = |units: f64| amount(units, &budget.unit);
        table.add(vec![
            budget.subject.clone(),
            budget.unit.clone(),
            shown(budget.limit),
            shown(budget.used),
            shown(budget.leased),
            shown(budget.remaining),
            or_dash(budget.threshold.map(|percent| format!("{percent} %"))),
            budget.resets_at.clone(),
        ]);
    }
    table
}

fn stranded(budgets: &[Budget]) -> Table {
    let mut table = Table::new(&["budget", "unit", "node", "incarnation", "held"]);
    for budget in budgets {
        for holder in budget.holders.iter().filter(|holder| holder.stranded && holder.held > 0.0) {
            table.add(vec![
                budget.subject.clone(),
                budget.unit.clone(),
                holder.node.clone(),
                holder.incarnation.to_string(),
                amount(holder.held, &budget.unit),
            ]);
        }
    }
    table
}

fn rates(rates: &[Rate]) -> Table {
    let mut table = Table::new(&["rate", "kind", "limit", "free", "shares"]);
    for rate in rates {
        let shares = rate.shares.iter().map(|share| format!("{}={}", share.node, share.share));
        let shares: Vec<String> = shares.collect();
        table.add(vec![
            rate.subject.clone(),
            rate.kind.clone(),
            rate.limit.to_string(),
            rate.free.to_string(),
            or_dash((!shares.is_empty()).then(|| shares.join(", "))),
        ]);
    }
    table
}

async fn take_back(release: &Release) -> anyhow::Result<()> {
    let Release { subject, unit, node, incarnation, reason, answered } = release;
    let wanted = Wanted { subject, unit, node, incarnation: *incarnation, reason: reason.as_deref() };
    let answer = Api::new(&answered.asked)?.post("quotas/release", &wanted).await?;
    if answered.json {
        return raw(&answer);
    }
    let Released { subject, unit, node, released, holders } = read(&answer)?;
    for holder in &holders {
        let shown = amount(holder.released, &unit);
        terminal::note(&format!("incarnation {} of {node} had {shown} {unit} left", holder.incarnation));
    }
    terminal::say(&format!("{} {unit} of {subject} can be granted again", amount(released, &unit)));
    Ok(())
}

//! Whether budgets can hold: what a call costs must be known to those in US dollars, and somebody must keep them for all
//! nodes.

use crate::{error::Report, field::Findings, suggest};
use cliproxy_domain::{
    Client, LimitSubject, LossMode, ModelPattern, Provider, QuotaUnit, Snapshot, price::price_of,
};
use std::collections::BTreeSet;

/// Holds budgets in US dollars against prices. One of a provider or of a credential without them is refused: it would
/// never be spent. A client may ask for much else; it is warned of.
pub fn check_prices(findings: &Findings<'_>, snapshot: &Snapshot) {
    for budget in findings.budgets().iter().filter(|budget| budget.quota.unit == QuotaUnit::Usd) {
        let place = budget.unit.as_ref().unwrap_or(&budget.place);
        match &budget.subject {
            LimitSubject::Provider(name) | LimitSubject::Credential(name, _) => {
                let Some(provider) = snapshot.providers.get(name) else { continue };
                let mut unpriced = BTreeSet::new();
                add_unpriced(&mut unpriced, provider, snapshot, None);
                if unpriced.is_empty() {
                    continue;
                }
                let models = suggest::list(unpriced.iter().map(String::as_str));
                let message = format!(
                    "`{}.unit`: nothing tells what {models} costs; give `providers.{name}.cost_per_1k_tokens`, or \
                     `prices` for it, or count `tokens`",
                    budget.path
                );
                findings.refuse(Report::at(place, message));
            }
            LimitSubject::Client(name) => {
                let Some(client) = snapshot.clients.get(name) else { continue };
                let unpriced = unpriced_of(client, snapshot);
                if unpriced.is_empty() {
                    continue;
                }
                let models = suggest::list(unpriced.iter().map(String::as_str));
                let message = format!(
                    "nothing tells what {models} costs; give its provider `cost_per_1k_tokens` or `prices`, or name the \
                     `models` that the client may ask for"
                );
                findings.warn_at(place, &format!("{}.unit", budget.path), &message);
            }
        }
    }
}

/// Names what a client may ask for and nobody knows the price of.
fn unpriced_of(client: &Client, snapshot: &Snapshot) -> BTreeSet<String> {
    let may_use =
        |provider: &&Provider| client.providers.is_empty() || client.providers.contains(&provider.name);
    let mut unpriced = BTreeSet::new();
    for provider in snapshot.providers.values().filter(may_use) {
        add_unpriced(&mut unpriced, provider, snapshot, Some(client));
    }
    unpriced
}

/// Adds the models of a provider that nobody knows the price of: those that it serves by its patterns, and those that
/// are behind other names.
fn add_unpriced(
    unpriced: &mut BTreeSet<String>,
    provider: &Provider,
    snapshot: &Snapshot,
    client: Option<&Client>,
) {
    let may_ask = |asked: &ModelPattern| {
        client
            .is_none_or(|client| client.models.is_empty() || client.models.iter().any(|may| may.meets(asked)))
    };
    let shown = |model: &str| format!("{}/{model}", provider.name);
    let patterns = provider.models.iter().filter(|pattern| may_ask(pattern));
    let names = patterns.map(ModelPattern::as_str).chain(
        snapshot
            .models
            .values()
            .filter(|alias| may_ask(&ModelPattern::new(alias.name.as_str())))
            .flat_map(|alias| &alias.targets)
            .filter(|target| target.target.provider == provider.name)
            .map(|target| target.target.model.as_str()),
    );
    // A pattern has a price when an entry matches it as it is written: that one matches all that it stands for.
    unpriced.extend(names.filter(|name| price_of(&provider.prices, name).is_none()).map(shown));
    if client.is_none() && provider.prices.is_empty() && unpriced.is_empty() {
        unpriced.insert(shown("*"));
    }
}

/// Looks at the budgets of a node that has no control plane: nobody tells it what others spend.
pub fn check_alone(findings: &Findings<'_>) {
    for budget in findings.budgets() {
        if budget.quota.on_loss == LossMode::Strict {
            let message = format!(
                "`{}`: a data plane without a control plane cannot keep it, as other nodes could spend the same again; \
                 name `control_plane.endpoints`, run `cliproxy serve`, or write `on_loss: optimistic`",
                budget.path
            );
            findings.refuse(Report::at(&budget.place, message));
        } else {
            findings.warn_at(
                &budget.place,
                &budget.path,
                "has no effect, as there is no control plane to keep it",
            );
        }
    }
}

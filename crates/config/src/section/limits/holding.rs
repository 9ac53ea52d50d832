//! Whether budgets can hold: what a call costs must be known to those in US dollars, and somebody must keep them for all
//! nodes.

use crate::{
    error::Report,
    field::{Findings, NotedBudget},
    suggest,
};
use cliproxy_domain::{
    Client, LimitSubject, LossMode, ModelPattern, Provider, QuotaUnit, Snapshot, price::price_of,
};
use std::collections::BTreeSet;

/// Holds budgets in US dollars against prices. One of a provider or of a credential without them is refused: it would
/// never be spent. So is one of a client that may ask for nothing else; where it may, it is warned of.
pub fn check_prices(findings: &Findings<'_>, snapshot: &Snapshot) {
    for budget in findings.budgets().iter().filter(|budget| budget.quota.unit == QuotaUnit::Usd) {
        let place = budget.unit.as_ref().unwrap_or(&budget.place);
        match &budget.subject {
            LimitSubject::Provider(name) | LimitSubject::Credential(name, _) => {
                let Some(provider) = snapshot.providers.get(name) else { continue };
                let mut unpriced = BTreeSet::new();
                add_unpriced(&mut unpriced, provider, snapshot);
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
                check_prices_of_client(findings, budget, client, snapshot);
            }
        }
    }
}

/// Refuses a client's budget that nothing could be spent of, and warns of one of which some requests could not.
fn check_prices_of_client(
    findings: &Findings<'_>,
    budget: &NotedBudget,
    client: &Client,
    snapshot: &Snapshot,
) {
    let may_use =
        |provider: &&Provider| client.providers.is_empty() || client.providers.contains(&provider.name);
    let (mut unpriced, mut has_priced) = (BTreeSet::new(), false);
    for provider in snapshot.providers.values().filter(may_use) {
        for model in asked_of(provider, snapshot, client) {
            match priced(provider, &model, client) {
                Priced::All => has_priced = true,
                Priced::Some => {
                    has_priced = true;
                    unpriced.insert(format!("{}/{model}", provider.name));
                }
                Priced::None => {
                    unpriced.insert(format!("{}/{model}", provider.name));
                }
            }
        }
    }
    if unpriced.is_empty() {
        return;
    }
    let place = budget.unit.as_ref().unwrap_or(&budget.place);
    let path = format!("{}.unit", budget.path);
    let models = suggest::list(unpriced.iter().map(String::as_str));
    if has_priced {
        let message = format!(
            "nothing tells what {models} costs; requests without a price are refused: give their provider \
             `cost_per_1k_tokens` or `prices`, or let the client's `models` name only what has one"
        );
        findings.warn_at(place, &path, &message);
    } else {
        let message = format!(
            "`{path}`: nothing tells what {models} costs, and the client may ask for nothing else, so that all its \
             requests would be refused; give their provider `cost_per_1k_tokens` or `prices`, or count `tokens`"
        );
        findings.refuse(Report::at(place, message));
    }
}

/// How much of what a pattern stands for has a price.
enum Priced {
    All,
    Some,
    None,
}

fn priced(provider: &Provider, model: &str, client: &Client) -> Priced {
    if price_of(&provider.prices, model).is_some() {
        return Priced::All;
    }
    let pattern = ModelPattern::new(model);
    let fits = |price: &ModelPattern| {
        price.meets(&pattern)
            && (client.models.is_empty()
                || client.models.iter().any(|may| of_provider(may, provider).meets(price)))
    };
    match provider.prices.iter().flat_map(|entry| &entry.models).any(fits) {
        true => Priced::Some,
        false => Priced::None,
    }
}

/// Gives what a client may ask of a provider: its models by the narrower of both patterns, and those behind other names.
fn asked_of(provider: &Provider, snapshot: &Snapshot, client: &Client) -> BTreeSet<String> {
    let everything = [ModelPattern::new("*")];
    let served = if provider.models.is_empty() { &everything[..] } else { &provider.models };
    let may =
        |asked: &ModelPattern| client.models.is_empty() || client.models.iter().any(|may| may.meets(asked));
    let aliases = snapshot.models.values().filter(|alias| may(&ModelPattern::new(alias.name.as_str())));
    let targets = aliases.flat_map(|alias| &alias.targets);
    let behind = targets.filter(|target| target.target.provider == provider.name);
    let mut asked: BTreeSet<String> = behind.map(|target| target.target.model.as_str().to_owned()).collect();
    for served in served {
        if client.models.is_empty() {
            asked.insert(served.as_str().to_owned());
        }
        for may in &client.models {
            // Without patterns of its own a provider is only asked by its name.
            let by_name = may.as_str().starts_with(&format!("{}/", provider.name));
            let may = of_provider(may, provider);
            if may.meets(served) && (by_name || !provider.models.is_empty()) {
                let narrower = if served.matches(may.as_str()) { &may } else { served };
                asked.insert(narrower.as_str().to_owned());
            }
        }
    }
    asked
}

/// Gives a client's pattern as the provider knows it: `provider/model` asks that provider for the model.
fn of_provider(may: &ModelPattern, provider: &Provider) -> ModelPattern {
    let model = may.as_str().strip_prefix(provider.name.as_str()).and_then(|rest| rest.strip_prefix('/'));
    model.map_or_else(|| may.clone(), ModelPattern::new)
}

/// Warns of budgets in tokens of which a request that names no maximum could take nothing.
pub fn check_reserves(findings: &Findings<'_>) {
    for NotedBudget { quota, path, place, .. } in findings.budgets() {
        if quota.unit != QuotaUnit::Tokens || quota.reserve_output < quota.limit {
            continue;
        }
        let (limit, reserve) = (quota.limit, quota.reserve_output);
        let message = format!(
            "a request that names no maximum of tokens sets aside its prompt and {reserve} tokens (`reserve_output`), which \
             the limit of {limit} never has; give a higher `limit`, or a `reserve_output` well below it"
        );
        findings.warn_at(&place, &path, &message);
    }
}

/// Adds the models of a provider that nobody knows the price of: those that it serves by its patterns, and those that
/// are behind other names.
fn add_unpriced(unpriced: &mut BTreeSet<String>, provider: &Provider, snapshot: &Snapshot) {
    let shown = |model: &str| format!("{}/{model}", provider.name);
    let behind = snapshot
        .models
        .values()
        .flat_map(|alias| &alias.targets)
        .filter(|target| target.target.provider == provider.name)
        .map(|target| target.target.model.as_str());
    let names = provider.models.iter().map(ModelPattern::as_str).chain(behind);
    // A pattern has a price when an entry matches it as it is written: that one matches all that it stands for.
    unpriced.extend(names.filter(|name| price_of(&provider.prices, name).is_none()).map(shown));
    if provider.prices.is_empty() && unpriced.is_empty() {
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

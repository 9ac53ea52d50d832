//! Which targets may serve a request.

use crate::speech::has_operation;
use cliproxy_domain::{
    Dialect, Exclusion, ModelName, ModelTraits, Operation, Price, Provider, ProviderName, Snapshot, Strategy,
    Target,
};
use std::collections::BTreeMap;

/// One target that may serve a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// What would be called.
    pub target: Target,
    /// The provider's place in the snapshot.
    pub slot: usize,
    /// Its tier: lower goes first.
    pub priority: u32,
    /// Its share within the tier, at least 1.
    pub weight: u32,
    /// What the model costs, as far as that is known.
    pub price: Option<Price>,
    /// Whether its provider takes any request of the client's dialect as it is: it speaks that dialect, and nothing is
    /// said of the model that a request must be held against.
    pub plain: bool,
    /// Whether what it takes of the client's dialect still hangs on the request: calls with reasoning need Responses.
    pub calls_by_responses: bool,
    /// Whether it stands behind those of its tier that speak the client's dialect. So it is where a pattern matched: an
    /// alias says itself who shares.
    pub behind: bool,
}

/// The targets that a model's name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CandidateSet {
    /// Those that can take the request, in the order of the configuration.
    pub candidates: Vec<Candidate>,
    /// Those that cannot, with the reason.
    pub excluded: Vec<(Target, Exclusion)>,
    /// How one is chosen among equals.
    pub strategy: Strategy,
}

/// Why a name stands for nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// No alias, no `provider/model`, no pattern.
    #[error("no provider serves the model `{model}`{}", closest_text(closest))]
    UnknownModel {
        /// What was asked for, cut to 100 characters.
        model: String,
        /// Known names that are spelled alike, best first.
        closest: Vec<ModelName>,
    },
}

fn closest_text(closest: &[ModelName]) -> String {
    if closest.is_empty() {
        return String::new();
    }
    let names: Vec<_> = closest.iter().map(|name| format!("`{name}`")).collect();
    format!("; did you mean {}?", names.join(" or "))
}

/// Finds the targets for `model`: an alias; else a pinned `provider/model`; else every provider whose patterns
/// match. Targets whose provider lacks the operation are excluded as `capability`; whether one that has it can do
/// what a request needs hangs on the request, and is [`speech`](crate::speech())'s to say.
///
/// # Errors
/// [`ResolveError::UnknownModel`] when the name stands for nothing at all.
pub fn resolve(
    snapshot: &Snapshot,
    model: &str,
    dialect: Dialect,
    operation: Operation,
) -> Result<CandidateSet, ResolveError> {
    let (all, strategy, by_pattern) = named(snapshot, model).ok_or_else(|| ResolveError::UnknownModel {
        model: model.chars().take(100).collect(),
        closest: closest(snapshot, model),
    })?;
    let mut set = CandidateSet { candidates: Vec::new(), excluded: Vec::new(), strategy };
    let slots: BTreeMap<&str, usize> =
        snapshot.providers.keys().enumerate().map(|(slot, name)| (name.as_str(), slot)).collect();
    for mut candidate in all {
        candidate.slot = slots.get(candidate.target.provider.as_str()).copied().unwrap_or(usize::MAX);
        let provider = snapshot.providers.get(&candidate.target.provider);
        match provider.filter(|provider| has_operation(provider.kind, operation)) {
            Some(provider) => {
                let traits = ModelTraits::of(candidate.target.model.as_str(), &provider.traits);
                let price = provider.price_of(candidate.target.model.as_str());
                candidate.price = price.map(|entry| entry.price);
                candidate.plain = provider.kind.speaks(dialect) && traits.lacks.is_empty();
                candidate.behind = by_pattern && !provider.kind.speaks(dialect);
                candidate.calls_by_responses = traits.tools_need_responses
                    && dialect == Dialect::OpenAiChat
                    && provider.kind.speaks(Dialect::OpenAiResponses);
                set.candidates.push(candidate);
            }
            None => set.excluded.push((candidate.target, Exclusion::Capability)),
        }
    }
    Ok(set)
}

/// Gives the targets that a name stands for, how one is chosen, and whether patterns named them.
fn named(snapshot: &Snapshot, model: &str) -> Option<(Vec<Candidate>, Strategy, bool)> {
    if let Some(alias) = snapshot.models.get(model) {
        let candidates = alias
            .targets
            .iter()
            .filter_map(|entry| {
                let provider = snapshot.providers.get(&entry.target.provider)?;
                Some(Candidate {
                    target: entry.target.clone(),
                    slot: 0,
                    priority: entry.priority.unwrap_or(provider.priority),
                    weight: entry.weight.unwrap_or(provider.weight).max(1),
                    price: None,
                    plain: false,
                    calls_by_responses: false,
                    behind: false,
                })
            })
            .collect();
        return Some((candidates, alias.strategy.unwrap_or(snapshot.policy.strategy), false));
    }
    if let Some((provider, rest)) = model.split_once('/')
        && let Some(provider) = snapshot.providers.get(provider)
        && !rest.is_empty()
    {
        return Some((vec![of_provider(provider, rest)], snapshot.policy.strategy, false));
    }
    let candidates: Vec<_> = snapshot
        .providers
        .values()
        .filter(|provider| provider.models.iter().any(|pattern| pattern.matches(model)))
        .map(|provider| of_provider(provider, model))
        .collect();
    (!candidates.is_empty()).then_some((candidates, snapshot.policy.strategy, true))
}

fn of_provider(provider: &Provider, model: &str) -> Candidate {
    Candidate {
        target: Target { provider: provider.name.clone(), model: model.into() },
        slot: 0,
        priority: provider.priority,
        weight: provider.weight.max(1),
        price: None,
        plain: false,
        calls_by_responses: false,
        behind: false,
    }
}

/// Lists the names that a client can ask for without knowing more: aliases, then patterns without wildcards.
pub fn known_models(snapshot: &Snapshot) -> Vec<(ModelName, Vec<ProviderName>)> {
    let mut known: Vec<(ModelName, Vec<ProviderName>)> = snapshot
        .models
        .values()
        .map(|alias| {
            let mut providers: Vec<_> = alias.targets.iter().map(|t| t.target.provider.clone()).collect();
            providers.dedup();
            (alias.name.clone(), providers)
        })
        .collect();
    for provider in snapshot.providers.values() {
        for name in provider.models.iter().filter_map(|pattern| pattern.literal()) {
            match known.iter_mut().find(|(known, _)| known.as_str() == name) {
                Some((_, providers)) if !providers.contains(&provider.name) => {
                    providers.push(provider.name.clone())
                }
                Some(_) => {}
                None => known.push((name.into(), vec![provider.name.clone()])),
            }
        }
    }
    known
}

/// Finds at most three known names within a third of the length in edits, or within two.
fn closest(snapshot: &Snapshot, model: &str) -> Vec<ModelName> {
    if model.len() > 200 {
        return Vec::new();
    }
    let mut ranked: Vec<_> = known_models(snapshot)
        .into_iter()
        .map(|(name, _)| (edit_distance(model, name.as_str()), name))
        // Two letters that changed places are two edits, in a short name as well.
        .filter(|(distance, name)| *distance <= (name.as_str().len().max(model.len()) / 3).max(2))
        .filter(|(distance, name)| *distance < name.as_str().len())
        .collect();
    ranked.sort();
    ranked.into_iter().take(3).map(|(_, name)| name).collect()
}

/// Counts the insertions, deletions and substitutions between two names (Levenshtein), over bytes.
fn edit_distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let substituted = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests;

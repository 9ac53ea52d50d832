//! Decides where a call may go, in which order, and says why not where not.

mod way;

pub use way::{Formed, Forms, Way};

use crate::{
    decode::Call,
    live::{Known, Live, Resolved},
    refusal::Refusal,
};
use cliproxy_dialects::form::Refused;
use cliproxy_domain::{CooldownCause, ErrorClass, Operation, WallTime};
use cliproxy_engine::{Choice, Order, order};
use std::{sync::Arc, time::Duration};

/// Where a call may go.
pub struct Route {
    /// The configuration that the decision was made on; the attempt uses the same.
    pub known: Arc<Known>,
    /// The choices, first to last, and what was left out.
    pub order: Order,
    /// What the model's name stands for.
    pub resolved: Arc<Resolved>,
    /// The request in the form, if a choice needs it.
    pub forms: Forms,
}

impl Route {
    /// Decides how `call` goes to a choice.
    ///
    /// # Errors
    /// When its target lacks what the call needs: it is then excluded as `capability`.
    pub fn way(&self, call: &Call, choice: &Choice) -> Result<Way, Refused> {
        let Some(provider) = self.known.snapshot.providers.get(&choice.target.provider) else {
            return Err(Refused::new("model", "the provider is not part of the configuration"));
        };
        let mut candidates = self.resolved.set.candidates.iter();
        let Some(candidate) = candidates.find(|candidate| candidate.target == choice.target) else {
            return Err(Refused::new("model", "the target is not one of the model's"));
        };
        self.forms.way(call, candidate, provider)
    }
}

/// Decides from what the node knows now.
///
/// # Errors
/// 503 before the first configuration; 404 for an unknown model; 400 when no provider of the model has the
/// operation; 429 or 503 with the soonest end when all of them rest. No upstream is called for any of these.
pub fn route(live: &Live, call: &Call, now: WallTime) -> Result<Route, Refusal> {
    let known = live.known().ok_or_else(not_ready)?;
    let resolved = known
        .resolve(&call.model, call.dialect, call.operation)
        .map_err(|error| Refusal::new(ErrorClass::NotFound, error.to_string()).with_param(Some("model")))?;
    if resolved.set.candidates.is_empty() {
        let what = match call.operation {
            Operation::Embed => "makes embeddings",
            Operation::CountTokens => "counts tokens",
            Operation::Generate => "generates answers",
        };
        let message = format!("no provider of the model `{}` {what}: use another model", call.model);
        return Err(Refusal::new(ErrorClass::InvalidRequest, message)
            .with_code("capability")
            .with_param(Some("model")));
    }
    let rest = |target: &_, credential: &_| live.rests_until(target, credential);
    let order = order(&known.snapshot, &resolved.set.candidates, &rest, now, resolved.draw_ticket());
    if order.choices.is_empty() {
        return Err(all_rest(live, &known, call, &order, now));
    }
    Ok(Route { known, order, resolved, forms: Forms::default() })
}

fn not_ready() -> Refusal {
    Refusal {
        retry_after: Some(Duration::from_secs(1)),
        ..Refusal::new(ErrorClass::Overloaded, "this node has no configuration yet: try again shortly")
            .with_code("not_ready")
    }
}

fn all_rest(live: &Live, known: &Known, call: &Call, order: &Order, now: WallTime) -> Refusal {
    let causes: Vec<_> = order
        .excluded
        .iter()
        .filter_map(|(target, _)| known.snapshot.providers.get(&target.provider))
        .flat_map(|provider| provider.credentials.iter().map(|c| live.resting(&provider.name, &c.name)))
        .flatten()
        .map(|rest| rest.cause)
        .collect();
    let only_rate_limits =
        !causes.is_empty() && causes.iter().all(|cause| *cause == CooldownCause::RateLimit);
    let class = if only_rate_limits { ErrorClass::RateLimit } else { ErrorClass::Overloaded };
    let who: Vec<_> = order
        .excluded
        .iter()
        .map(|(target, why)| format!("{} ({})", target.provider, why.as_str()))
        .collect();
    let message = format!("every provider of the model `{}` rests: {}", call.model, who.join(", "));
    Refusal {
        retry_after: order.soonest.map(|soonest| soonest.since(now)),
        ..Refusal::new(class, message).with_code("all_targets_resting")
    }
}

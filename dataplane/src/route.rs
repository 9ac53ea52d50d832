//! Decides where a call may go, in which order, and says why not where not.

mod unavailable;
mod way;

pub use unavailable::unavailable;
pub use way::{Formed, Forms, Way};

use crate::{
    decode::{Call, Delivery},
    live::{Known, Live, Resolved},
    refusal::Refusal,
};
use cliproxy_dialects::form::Refused;
use cliproxy_domain::{ErrorClass, NodeId, Operation, WallTime};
use cliproxy_engine::{Choice, Order, Outlook, Pick, Scene, order};
use std::{sync::Arc, time::Duration};

/// Where a call may go.
pub struct Route {
    /// What the decision was made on.
    pub ground: Ground,
    /// The choices, first to last, and what was left out.
    pub order: Order,
    /// The request in the form, if a choice needs it.
    pub forms: Forms,
}

/// What a decision was made on: whoever orders by it again gets the same order.
#[derive(Clone)]
pub struct Ground {
    /// The configuration; the attempts use the same.
    pub known: Arc<Known>,
    /// What the model's name stands for.
    pub resolved: Arc<Resolved>,
    /// What was known of the providers.
    pub outlook: Arc<Outlook>,
    /// The number of this request among those for the same name.
    pub ticket: u64,
    /// What its session hashes to, when it has one that should stay on one credential.
    pub session: Option<u64>,
    /// Whether it wants a stream.
    pub streaming: bool,
    /// Whether the control plane was away.
    pub cut_off: bool,
    /// When.
    pub at: WallTime,
}

impl Route {
    /// Names a pick.
    pub fn choice(&self, pick: Pick) -> Option<Choice> {
        self.order.choice(&self.ground.resolved.set, &self.ground.outlook, pick)
    }

    /// Decides how `call` goes to a pick.
    ///
    /// # Errors
    /// When its target lacks what the call needs: it is then excluded as `capability`.
    pub fn way(&self, call: &Call, pick: Pick) -> Result<Way, Refused> {
        let Some(candidate) = self.ground.resolved.set.candidates.get(pick.candidate) else {
            return Err(Refused::new("model", "the target is not one of the model's"));
        };
        let Some(provider) = self.ground.known.snapshot.providers.get(&candidate.target.provider) else {
            return Err(Refused::new("model", "the provider is not part of the configuration"));
        };
        self.forms.way(call, candidate, provider)
    }
}

/// Decides from what the node knows now.
///
/// # Errors
/// 503 before the first configuration; 404 for an unknown model; 400 when no provider of the model has the
/// operation; 429 or 503 with the soonest end when all of them rest. No upstream is called for any of these.
pub fn route(live: &Live, call: &Call, node: &NodeId, now: WallTime) -> Result<Route, Refusal> {
    let known = live.known().ok_or_else(not_ready)?;
    let resolved = known
        .resolve(&call.model, call.dialect, call.operation)
        .map_err(|error| Refusal::new(ErrorClass::NotFound, error.to_string()).with_param(Some("model")))?;
    if resolved.set.candidates.is_empty() {
        return Err(incapable(call));
    }
    let ground = Ground {
        outlook: known.outlook(),
        ticket: resolved.draw_ticket(),
        session: call.session,
        streaming: matches!(call.delivery, Delivery::Stream(_)),
        cut_off: live.is_cut_off(),
        at: now,
        known,
        resolved,
    };
    let order = order(
        &Scene {
            outlook: &ground.outlook,
            now,
            ticket: ground.ticket,
            session: ground.session,
            streaming: ground.streaming,
            node,
            cut_off: ground.cut_off,
            load: ground.known.load(),
        },
        &ground.resolved.set,
    );
    if order.picks.is_empty() {
        return Err(unavailable(&call.model, &ground, &order.excluded, now));
    }
    Ok(Route { ground, order, forms: Forms::default() })
}

fn not_ready() -> Refusal {
    Refusal {
        retry_after: Some(Duration::from_secs(1)),
        ..Refusal::new(ErrorClass::Overloaded, "this node has no configuration yet: try again shortly")
            .with_code("not_ready")
    }
}

fn incapable(call: &Call) -> Refusal {
    let what = match call.operation {
        Operation::Embed => "makes embeddings",
        Operation::CountTokens => "counts tokens",
        Operation::Generate => "generates answers",
    };
    let message = format!("no provider of the model `{}` {what}: use another model", call.model);
    Refusal::new(ErrorClass::InvalidRequest, message).with_code("capability").with_param(Some("model"))
}

//! Decides where a call may go, in which order, and says why not where not.

mod spent;
mod unavailable;
mod way;

pub use spent::spent;
pub use unavailable::unavailable;
pub use way::{Formed, Forms, Way};

use crate::{
    authenticate::Caller,
    decode::{Call, Delivery},
    live::{Known, Live, Resolved},
    refusal::Refusal,
};
use cliproxy_dialects::form::Refused;
use cliproxy_domain::{ClientName, Decision, ErrorClass, NodeId, Operation, ProviderName, WallTime};
use cliproxy_engine::{
    Candidate, Choice, CredentialOutlook, Excluded, Load, Order, Outlook, Pick, ProviderOutlook, Scene,
    explain::explain, order,
};
use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

/// Where a call may go.
pub struct Route {
    /// The decision, with what it was made on.
    pub decided: Arc<Decided>,
    /// The request in the form, if a choice needs it.
    pub forms: Forms,
}

/// A decision, with what it was made on: enough to say why it came out so.
pub struct Decided {
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
    /// Who asks.
    pub caller: Caller,
    /// Whether it wants a stream.
    pub streaming: bool,
    /// Whether the control plane was away.
    pub cut_off: bool,
    /// When.
    pub at: WallTime,
    /// The choices, first to last, and what was left out.
    pub order: Order,
    /// All that was left out, when none of the choices could be tried after all.
    untried: OnceLock<Vec<Excluded>>,
}

impl Decided {
    /// Names a pick.
    pub fn choice(&self, pick: Pick) -> Option<Choice> {
        self.order.choice(&self.resolved.set, &self.outlook, pick)
    }

    /// Finds a pick in an outlook on the same configuration.
    pub fn place<'a>(
        &'a self,
        outlook: &'a Outlook,
        pick: Pick,
    ) -> Option<(&'a Candidate, &'a ProviderOutlook, &'a CredentialOutlook)> {
        let candidate = self.resolved.set.candidates.get(pick.candidate)?;
        let provider = outlook.providers.get(candidate.slot)?;
        Some((candidate, provider, provider.credentials.get(pick.credential)?))
    }

    /// Tells why it came out so, for a client that asked for `model`.
    pub fn explain(&self, model: &str, node: &NodeId) -> Decision {
        let scene = self.scene(node);
        let told = |order: &Order| explain(&scene, &self.resolved.set, order, self.known.config, model);
        let Some(excluded) = self.untried.get() else { return told(&self.order) };
        told(&Order {
            picks: Vec::new(),
            excluded: excluded.clone(),
            soonest: excluded.iter().filter_map(|excluded| excluded.until).min(),
            health_ignored: self.order.health_ignored,
        })
    }

    /// Notes that none of the choices could be tried, as each of them was `left_out` since. Gives all that was left
    /// out.
    pub fn nothing_tried(&self, left_out: Vec<Excluded>) -> &[Excluded] {
        self.untried.get_or_init(|| self.order.excluded.iter().cloned().chain(left_out).collect())
    }

    /// Decides again, on what is known `now`.
    pub fn again(&self, node: &NodeId, now: WallTime) -> Order {
        let outlook = self.known.outlook();
        order(&Scene { outlook: &outlook, now, ..self.scene(node) }, &self.resolved.set)
    }

    fn scene<'a>(&'a self, node: &'a NodeId) -> Scene<'a, impl Load + 'a> {
        Scene {
            outlook: &self.outlook,
            now: self.at,
            ticket: self.ticket,
            session: self.session,
            only: self.caller.providers(),
            streaming: self.streaming,
            node,
            cut_off: self.cut_off,
            load: self.known.load(),
        }
    }
}

impl Route {
    /// Decides how `call` goes to a pick.
    ///
    /// # Errors
    /// When its target lacks what the call needs: it is then excluded as `capability`.
    pub fn way(&self, call: &Call, pick: Pick) -> Result<Way, Refused> {
        let Some(candidate) = self.decided.resolved.set.candidates.get(pick.candidate) else {
            return Err(Refused::new("model", "the target is not one of the model's"));
        };
        let Some(provider) = self.decided.known.snapshot.providers.get(&candidate.target.provider) else {
            return Err(Refused::new("model", "the provider is not part of the configuration"));
        };
        self.forms.way(call, candidate, provider)
    }
}

/// Decides from what the node knows now. Where everything is out there is no choice, and the reasons say why.
///
/// # Errors
/// 503 before the first configuration; 404 for an unknown model; 400 when no provider of the model has the
/// operation; 403 when the client may use none of those that have it.
pub fn route(live: &Live, call: &Call, node: &NodeId, now: WallTime) -> Result<Route, Refusal> {
    let known = live.known().ok_or_else(not_ready)?;
    let resolved = known
        .resolve(&call.model, call.dialect, call.operation)
        .map_err(|error| Refusal::new(ErrorClass::NotFound, error.to_string()).with_param(Some("model")))?;
    if resolved.set.candidates.is_empty() {
        return Err(incapable(call));
    }
    let only = call.caller.providers();
    let allowed = |candidate: &Candidate| only.contains(&candidate.target.provider);
    if !only.is_empty() && !resolved.set.candidates.iter().any(allowed) {
        return Err(not_allowed(call));
    }
    let mut decided = Decided {
        outlook: known.outlook(),
        ticket: resolved.draw_ticket(),
        session: call.session,
        caller: call.caller.clone(),
        streaming: matches!(call.delivery, Delivery::Stream(_)),
        cut_off: live.is_cut_off(),
        at: now,
        known,
        resolved,
        order: Order::default(),
        untried: OnceLock::new(),
    };
    decided.order = order(&decided.scene(node), &decided.resolved.set);
    Ok(Route { decided: Arc::new(decided), forms: Forms::default() })
}

/// The code of the refusal while there is no configuration.
pub const NOT_READY: &str = "not_ready";

fn not_ready() -> Refusal {
    Refusal {
        retry_after: Some(Duration::from_secs(1)),
        ..Refusal::new(ErrorClass::Overloaded, "this node has no configuration yet: try again shortly")
            .with_code(NOT_READY)
    }
}

fn not_allowed(call: &Call) -> Refusal {
    let (only, name) = (call.caller.providers(), call.caller.name().map_or("", ClientName::as_str));
    let only: Vec<&str> = only.iter().map(ProviderName::as_str).collect();
    let message = format!(
        "none of the providers that client {name} may use ({}) serves the model `{}`: use another model",
        only.join(", "),
        call.model
    );
    Refusal::new(ErrorClass::Permission, message).with_code("provider_not_allowed").with_param(Some("model"))
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

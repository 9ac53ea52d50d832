//! Why a decision came out as it did, by the functions that decided.

mod reason;
mod view;

use crate::{
    candidates::CandidateSet,
    select::{Excluded, Load, Order, Pick, Scene},
};
use cliproxy_domain::{Client, ConfigId, Considered, Decision, Exclusion, Target};
use view::View;

/// Tells why `order` is what [`order`](crate::select::order) gave for `scene` and `set`: each choice with its place and
/// what it was ranked by, each that is left out with the cause, and a sentence for people.
///
/// `config` is the configuration that the outlook is laid out for, `model` the name that the client asked for. The
/// load of the scene is not looked at: a decision of the past is explained by what the order says of it.
pub fn explain<L: Load>(
    scene: &Scene<'_, L>,
    set: &CandidateSet,
    order: &Order,
    config: ConfigId,
    model: &str,
) -> Decision {
    let view = View::of(scene, set, order);
    let picked = (1..).zip(&order.picks).filter_map(|(place, pick)| picked(&view, place, *pick));
    let left_out = order.excluded.iter().filter_map(|excluded| left_out(&view, excluded));
    let incapable = set.excluded.iter().map(|(target, reason)| incapable(target, *reason));
    Decision {
        config,
        at: scene.now,
        model: model.to_owned(),
        strategy: set.strategy,
        candidates: picked.chain(left_out).chain(incapable).collect(),
        reason: reason::reason(&view),
        soonest: order.soonest,
        session: scene.session.is_some(),
        health_ignored: order.health_ignored,
    }
}

/// Tells that nothing is tried for a client that may not ask for the model.
pub fn forbidden(decision: Decision, client: &Client) -> Decision {
    let forbid = |considered: Considered| match considered.excluded {
        Some(_) => considered,
        None => Considered { place: None, excluded: Some(Exclusion::NotAllowed), ..considered },
    };
    Decision {
        candidates: decision.candidates.into_iter().map(forbid).collect(),
        reason: format!("client {} may not ask for the model `{}`", client.name, decision.model),
        ..decision
    }
}

fn picked<L: Load>(view: &View<'_, L>, place: u32, pick: Pick) -> Option<Considered> {
    let candidate = view.set.candidates.get(pick.candidate)?;
    let provider = view.scene.outlook.providers.get(candidate.slot)?;
    let seen = view.seen(pick)?;
    let mut notes: Vec<&str> = Vec::new();
    if view.is_home(pick) {
        notes.push("the session's own");
    }
    if view.is_near(&seen) {
        notes.push("near the best");
    }
    notes.extend(Some(seen.standing.map_or("", |standing| standing.note)).filter(|note| !note.is_empty()));
    if pick.probes {
        notes.push("finds out whether its rest is over");
    }
    Some(Considered {
        provider: candidate.target.provider.clone(),
        model: candidate.target.model.clone(),
        credential: Some(provider.credentials.get(pick.credential)?.name.clone()),
        priority: candidate.priority,
        weight: candidate.weight,
        place: Some(place),
        excluded: None,
        cause: None,
        until: None,
        score: seen.standing.and_then(|standing| standing.score),
        rising: (seen.part < 1.0).then_some(seen.part),
        note: notes.join("; "),
    })
}

fn left_out<L: Load>(view: &View<'_, L>, excluded: &Excluded) -> Option<Considered> {
    let candidate = view.set.candidates.get(excluded.candidate)?;
    let provider = view.scene.outlook.providers.get(candidate.slot);
    let credential = excluded.credential.and_then(|at| provider?.credentials.get(at));
    let health = provider.and_then(|provider| provider.health.as_ref());
    let note = health.filter(|_| excluded.reason == Exclusion::Unhealthy).map(|health| health.why.clone());
    Some(Considered {
        provider: candidate.target.provider.clone(),
        model: candidate.target.model.clone(),
        credential: credential.map(|credential| credential.name.clone()),
        priority: candidate.priority,
        weight: candidate.weight,
        place: None,
        excluded: Some(excluded.reason),
        cause: excluded.cause,
        until: excluded.until,
        score: None,
        rising: None,
        note: note.unwrap_or_default(),
    })
}

/// Shows a target that never was a candidate; it belongs to no tier.
fn incapable(target: &Target, reason: Exclusion) -> Considered {
    Considered {
        provider: target.provider.clone(),
        model: target.model.clone(),
        credential: None,
        priority: 0,
        weight: 0,
        place: None,
        excluded: Some(reason),
        cause: None,
        until: None,
        score: None,
        rising: None,
        note: String::new(),
    }
}

#[cfg(test)]
mod tests;

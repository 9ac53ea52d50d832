//! `GET /v0/operations/explain?model=…`

use crate::{
    live::Known,
    ops::{Ops, answer::ApiError},
};
use cliproxy_domain::{
    Client, Decision, SessionAffinity, WallTime,
    operate::Question,
    status::{Explanation, Source},
};
use cliproxy_engine::{
    Scene,
    affinity::session_hash,
    explain::{explain, forbidden},
    order, resolve,
};
use http::StatusCode;

/// Tells where a request would go from this node, and why. Nothing comes of it.
///
/// # Errors
/// When the parameters mean nothing, when the model's name stands for nothing, and when there is no such client.
pub(super) fn explanation(ops: &Ops, parameters: &[(String, String)]) -> Result<Explanation, ApiError> {
    let question = Question::read(parameters)?;
    let now = ops.clock.wall();
    let known = ops.live.known().ok_or_else(not_configured)?;
    let asker = question.asker(&known.snapshot)?;
    let decision = decision(ops, &known, &question, asker, now)?;
    let client = asker.map(|client| client.name.clone());
    Ok(Explanation { source: Source::Node, as_of: now, client, decision })
}

/// Decides as for the first request of its kind.
pub(super) fn decision(
    ops: &Ops,
    known: &Known,
    question: &Question,
    asker: Option<&Client>,
    now: WallTime,
) -> Result<Decision, ApiError> {
    let set = resolve(&known.snapshot, &question.model, question.api, question.operation)
        .map_err(|unknown| ApiError::not_found(unknown.to_string()))?;
    let affine = known.snapshot.policy.session_affinity != SessionAffinity::Off;
    let session = question.session.as_ref().filter(|_| affine);
    let outlook = known.outlook();
    let scene = Scene {
        outlook: &outlook,
        now,
        ticket: 0,
        session: session.map(|session| session_hash(&[session.as_bytes()])),
        only: asker.map_or(&[], |client| &client.providers),
        streaming: question.stream,
        node: &ops.node,
        cut_off: ops.live.is_cut_off(),
        load: known.load(),
    };
    let order = order(&scene, &set);
    let decision = explain(&scene, &set, &order, known.config, &question.model);
    let refused = asker.filter(|client| !client.may_ask_for(&question.model, &known.snapshot));
    Ok(match refused {
        Some(client) => forbidden(decision, client),
        None => decision,
    })
}

/// Says that there is nothing to decide on.
pub(super) fn not_configured() -> ApiError {
    ApiError::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "not_configured",
        "this node has no configuration yet; try again shortly",
    )
}

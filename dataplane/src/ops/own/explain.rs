//! `GET /v0/operations/explain?model=…`

use crate::{
    live::Known,
    ops::{Ops, answer::ApiError},
};
use cliproxy_domain::{
    Decision, SessionAffinity, WallTime,
    operate::Question,
    status::{Explanation, Source},
};
use cliproxy_engine::{Scene, affinity::session_hash, explain::explain, order, resolve};
use http::StatusCode;

/// Tells where a request would go from this node, and why. Nothing comes of it.
///
/// # Errors
/// When the parameters mean nothing, and when the model's name stands for nothing.
pub(super) fn explanation(ops: &Ops, parameters: &[(String, String)]) -> Result<Explanation, ApiError> {
    let question = Question::read(parameters)?;
    let now = ops.clock.wall();
    let known = ops.live.known().ok_or_else(not_configured)?;
    let decision = decision(ops, &known, &question, now)?;
    Ok(Explanation { source: Source::Node, as_of: now, decision })
}

/// Decides as for the first request of its kind.
pub(super) fn decision(
    ops: &Ops,
    known: &Known,
    question: &Question,
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
        only: &[],
        streaming: question.stream,
        node: &ops.node,
        cut_off: ops.live.is_cut_off(),
        load: known.load(),
    };
    let order = order(&scene, &set);
    Ok(explain(&scene, &set, &order, known.config, &question.model))
}

/// Says that there is nothing to decide on.
pub(super) fn not_configured() -> ApiError {
    ApiError::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "not_configured",
        "this node has no configuration yet; try again shortly",
    )
}

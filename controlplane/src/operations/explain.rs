//! Where a request would go, and why.

use super::{OperationError, Operations};
use crate::state::ActiveConfig;
use cliproxy_domain::{
    Decision, NodeId, SessionAffinity, WallTime,
    operate::Question,
    status::{Explanation, Source},
};
use cliproxy_engine::{Idle, Outlook, Scene, affinity::session_hash, explain::explain, order, resolve};

impl Operations {
    /// Tells where a request would go now, and why. Nothing comes of it.
    ///
    /// # Errors
    /// Fails when the model's name stands for nothing.
    pub(crate) fn explanation(&self, question: &Question) -> Result<Explanation, OperationError> {
        let active = self.active()?;
        let now = self.state.clock.wall();
        let decision = decision(&active, &self.state.outlook(), question, now)?;
        Ok(Explanation { source: Source::Cluster, as_of: now, decision })
    }
}

/// Decides as a node would that serves its first request, has no calls open and may not probe.
pub(super) fn decision(
    active: &ActiveConfig,
    outlook: &Outlook,
    question: &Question,
    now: WallTime,
) -> Result<Decision, OperationError> {
    let snapshot = &active.snapshot;
    let set = resolve(snapshot, &question.model, question.api, question.operation)
        .map_err(|unknown| OperationError::NotFound(unknown.to_string()))?;
    let affine = snapshot.policy.session_affinity != SessionAffinity::Off;
    let session = question.session.as_ref().filter(|_| affine);
    let scene = Scene {
        outlook,
        now,
        ticket: 0,
        session: session.map(|session| session_hash(&[session.as_bytes()])),
        only: &[],
        streaming: question.stream,
        node: &NodeId::from(""),
        cut_off: false,
        load: &Idle,
    };
    let order = order(&scene, &set);
    Ok(explain(&scene, &set, &order, active.id, &question.model))
}

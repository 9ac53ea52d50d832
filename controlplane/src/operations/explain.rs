//! Where a request would go, and why.

use super::{OperationError, Operations};
use crate::state::ActiveConfig;
use cliproxy_domain::{
    Client, Decision, NodeId, SessionAffinity, WallTime,
    operate::Question,
    status::{Explanation, Source},
};
use cliproxy_engine::{
    Idle, Outlook, Scene,
    affinity::session_hash,
    explain::{explain, forbidden},
    order, resolve,
};

impl Operations {
    /// Tells where a request would go now, and why. Nothing comes of it.
    ///
    /// # Errors
    /// Fails when the model's name stands for nothing, and when there is no such client.
    pub(crate) fn explanation(&self, question: &Question) -> Result<Explanation, OperationError> {
        let active = self.active()?;
        let now = self.state.clock.wall();
        let asker = question.asker(&active.snapshot)?;
        let decision = decision(&active, &self.state.outlook(), question, asker, now)?;
        let client = asker.map(|client| client.name.clone());
        Ok(Explanation { source: Source::Cluster, as_of: now, client, decision })
    }
}

/// Decides as a node would that serves its first request, has no calls open and may not probe.
pub(super) fn decision(
    active: &ActiveConfig,
    outlook: &Outlook,
    question: &Question,
    asker: Option<&Client>,
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
        only: asker.map_or(&[], |client| &client.providers),
        streaming: question.stream,
        node: &NodeId::from(""),
        cut_off: false,
        load: &Idle,
    };
    let order = order(&scene, &set);
    let decision = explain(&scene, &set, &order, active.id, &question.model);
    let refused = asker.filter(|client| !client.may_ask_for(&question.model, snapshot));
    Ok(match refused {
        Some(client) => forbidden(decision, client),
        None => decision,
    })
}

//! The one request after a rest: its answer ends the rest, its failure lets it go on, and a client that leaves gives
//! the permit back.

use super::Witness;
use crate::live::Probing;
use cliproxy_domain::{Cooldown, LedgerKey, NodeId, WallTime};
use std::sync::Arc;

/// What became of such a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProbeResult {
    /// It was answered: the rest is over.
    Recovered,
    /// It failed: the rest goes on.
    Failed,
    /// It found out nothing: the next request may try.
    GivenBack,
}

impl ProbeResult {
    /// All results.
    pub const ALL: [ProbeResult; 3] = [ProbeResult::Recovered, ProbeResult::Failed, ProbeResult::GivenBack];

    /// Names the result as metrics show it.
    pub fn as_str(self) -> &'static str {
        match self {
            ProbeResult::Recovered => "recovered",
            ProbeResult::Failed => "failed",
            ProbeResult::GivenBack => "given_back",
        }
    }
}

/// A permit in use. Dropped without a verdict, it is given back.
pub(super) struct HalfOpen {
    probing: Option<Probing>,
    /// What the request calls.
    subject: LedgerKey,
    witness: Arc<dyn Witness>,
}

impl HalfOpen {
    pub(super) fn new(probing: Probing, subject: LedgerKey, witness: &Arc<dyn Witness>) -> Self {
        Self { probing: Some(probing), subject, witness: Arc::clone(witness) }
    }

    /// Gives the rest that is found out about.
    pub(super) fn rest(&self) -> Option<&Cooldown> {
        self.probing.as_ref().map(Probing::rest)
    }

    /// The request has begun to be answered.
    pub(super) fn answered(mut self, node: &NodeId, now: WallTime) {
        let Some(probing) = self.probing.take() else { return };
        let rest = probing.rest().clone();
        // None: an operator, or a failure beside this request, has spoken since.
        let result = match probing.answered(node, now) {
            Some(_) => ProbeResult::Recovered,
            None => ProbeResult::GivenBack,
        };
        self.witness.probed(&rest, &self.subject, result);
    }

    /// The request has failed, and what follows from that is known: the rest went on, or it says nothing of it.
    pub(super) fn failed(mut self, goes_on: bool) {
        let Some(probing) = self.probing.take() else { return };
        let result = if goes_on { ProbeResult::Failed } else { ProbeResult::GivenBack };
        self.witness.probed(probing.rest(), &self.subject, result);
    }
}

impl Drop for HalfOpen {
    fn drop(&mut self) {
        if let Some(probing) = self.probing.take() {
            self.witness.probed(probing.rest(), &self.subject, ProbeResult::GivenBack);
        }
    }
}

//! What nodes may use of limits: their claims are gathered into transactions of the store, and nothing is told that is not
//! committed.
//!
//! The store keeps the books; every replica writes into the same ones, whichever nodes claim of it. While the store is
//! away nobody is answered: a node goes on with what it holds, and then by what its limits say of a control plane that is
//! lost.

mod before;
mod terms;
mod told;
mod transact;

pub(crate) use transact::run;

use cliproxy_domain::{NodeClaims, NodeGrants};
use tokio::sync::{mpsc, oneshot};

/// How many claims may wait; each stream has one open at most.
const WAITING: usize = 1_024;

/// Where streams hand in what their nodes claim. Clones are the same.
#[derive(Clone)]
pub(crate) struct Grants(mpsc::Sender<Asked>);

/// A claim that waits for its transaction.
pub(crate) struct Asked {
    claims: NodeClaims,
    answer: oneshot::Sender<NodeGrants>,
}

impl Grants {
    /// Makes the way in, and the queue that [`run`] answers.
    pub(crate) fn new() -> (Self, mpsc::Receiver<Asked>) {
        let (claims, asked) = mpsc::channel(WAITING);
        (Self(claims), asked)
    }

    /// Hands a claim in; what comes of it comes by the receiver, which ends without an answer where the store gives none.
    pub(crate) async fn claim(&self, claims: NodeClaims) -> oneshot::Receiver<NodeGrants> {
        let (answer, answered) = oneshot::channel();
        // Nobody receives any more: the process ends, and the node claims of another.
        let _ = self.0.send(Asked { claims, answer }).await;
        answered
    }
}

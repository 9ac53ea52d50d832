//! What is done once for the whole cluster: who probes, whether providers answer, what is done for those that do not,
//! what was measured, and tidying up.
//!
//! One replica leads, by a lease in the store. Each job is a loop of its own that reads the state and speaks through
//! [`Decide`] and [`Publish`]; a replica that does not lead runs none of them, and one that ceases to drops them where
//! they stand. What they knew is built anew by whoever leads next: windows of errors, of which every replica counts all,
//! are not among it.

mod assignments;
mod house;
mod keys;
mod permits;
mod quotas;
mod repeats;
mod signals;
mod term;
mod watch;

pub(crate) use term::{Candidate, run};

use crate::{
    decide::Decide,
    metrics::PlaneMetrics,
    publish::Publish,
    state::{State, Term},
};
use cliproxy_domain::Fence;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// What the jobs need of the rest. Clones are the same.
#[derive(Clone)]
pub(crate) struct Lead {
    pub(crate) state: Arc<State>,
    pub(crate) publish: Arc<Publish>,
    pub(crate) decide: Decide,
    pub(crate) metrics: PlaneMetrics,
    /// Under which it leads.
    pub(crate) term: Term,
}

impl Lead {
    /// Gives what the jobs' writes are made under.
    fn fence(&self) -> Option<Fence> {
        self.term.fence.clone()
    }

    /// Notes that a write was refused, as another replica leads.
    fn refused(&self, what: &'static str) {
        self.metrics.fenced_writes.inc();
        if let Some(fence) = &self.term.fence {
            tracing::warn!(what, epoch = fence.epoch, "a write was refused, as another replica leads");
            self.state.leading.refused(fence.epoch);
        }
    }
}

/// Runs all jobs until `end`.
async fn jobs(lead: &Lead, end: &CancellationToken) {
    tokio::join!(
        keys::run(lead, end),
        watch::run(lead, end),
        permits::run(lead, end),
        signals::run(lead, end),
        quotas::run(lead, end),
        house::run(lead, end),
    );
}

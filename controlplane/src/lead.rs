//! What is done once for the whole cluster: who probes, whether providers answer, what is done for those that do not,
//! what was measured, and tidying up.
//!
//! Each job is a loop of its own that reads the state and speaks through [`Decide`] and [`Publish`]; a replica that
//! does not lead runs none of them.

mod assignments;
mod configs;
mod house;
mod permits;
mod quotas;
mod repeats;
mod signals;
mod watch;

use crate::{decide::Decide, metrics::PlaneMetrics, publish::Publish, state::State};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// What the jobs need of the rest. Clones are the same.
#[derive(Clone)]
pub(crate) struct Lead {
    pub(crate) state: Arc<State>,
    pub(crate) publish: Arc<Publish>,
    pub(crate) decide: Decide,
    pub(crate) metrics: PlaneMetrics,
}

/// Runs all jobs until `end`.
pub(crate) async fn run(lead: Lead, end: CancellationToken) {
    tokio::join!(
        configs::run(&lead, &end),
        watch::run(&lead, &end),
        permits::run(&lead, &end),
        signals::run(&lead, &end),
        quotas::run(&lead, &end),
        house::run(&lead, &end),
    );
}

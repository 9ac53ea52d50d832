//! Several replicas as one: what others commit is followed, and what each one's nodes say is told to all.
//!
//! Two things travel through the store. The change log has what is true, by number: it is read when the store's doorbell
//! rings, and each second. Posts have what was said: each replica posts what its nodes reported, so that every replica
//! answers alike, errors are counted over all nodes, and whoever leads judges by all that was heard. What is posted may
//! be lost: the store has all that counts.
//!
//! Where the store is one process's own, none of this runs but the log's numbers.

mod configs;
mod follow;
mod peers;
mod posts;
mod split;

use crate::{
    configurations::Configurations,
    decide::{Decide, Log},
    metrics::PlaneMetrics,
    publish::Publish,
    state::State,
};
use cliproxy_domain::ReplicaId;
use std::sync::Arc;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// What following and telling need of the rest.
pub(crate) struct Replicas {
    pub(crate) state: Arc<State>,
    pub(crate) publish: Arc<Publish>,
    pub(crate) decide: Decide,
    pub(crate) log: Arc<Log>,
    pub(crate) metrics: PlaneMetrics,
    pub(crate) configurations: Option<Arc<dyn Configurations>>,
    pub(crate) me: Me,
    /// Cancelled once it is known which nodes are connected to the others.
    pub(crate) settled: CancellationToken,
    pub(crate) wanted: Wanted,
    /// Cancelled when this replica is about to end.
    pub(crate) leaving: CancellationToken,
}

/// Who this replica is.
pub(crate) struct Me {
    /// Its name, which no other process has or had.
    pub(crate) replica: ReplicaId,
    /// Its name for people.
    pub(crate) name: String,
    /// Where nodes reach it.
    pub(crate) advertise_url: Option<String>,
}

/// What one part wants of another.
#[derive(Default)]
pub(crate) struct Wanted {
    /// Another replica has a newer configuration.
    configuration: Notify,
    /// The store has another history: the configuration is to be numbered anew.
    number: Notify,
    /// Another replica does not know yet what holds.
    whole: Notify,
}

/// Runs until `end`, when the last of this replica's nodes has gone.
pub(crate) async fn run(replicas: Replicas, end: CancellationToken) {
    if replicas.state.store.doorbell().is_none() {
        replicas.settled.cancel();
        return;
    }
    replicas.state.outbox.open();
    tokio::join!(follow::run(&replicas, &end), posts::run(&replicas, &end), configs::run(&replicas, &end),);
}

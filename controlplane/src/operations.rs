//! What operators ask: one function for each call, which REST, gRPC and the nodes' relay share.

mod alerts;
mod audit;
mod balancing;
mod change;
mod clients;
mod config;
mod cooldowns;
mod error;
mod explain;
mod keys;
mod limits;
mod nodes;
mod prices;
mod providers;
mod quotas;
mod remembered;
mod requests;
mod stored;
mod uptime;
mod usage;

pub(crate) use audit::audit_query;
pub(crate) use config::{ChangeAsked, RollbackAsked, USUAL_CONFIGS, history_limit};
pub(crate) use error::{Kind, OperationError};

use crate::{
    certificates::Certificates,
    configurations::Configurations,
    decide::{Decide, Log},
    metrics::PlaneMetrics,
    state::{ActiveConfig, State},
};
use cliproxy_domain::ReplicaId;
use cliproxy_host::Entropy;
use parking_lot::Mutex;
use remembered::Running;
use std::sync::Arc;
use uptime::Uptime;

/// Who asks, as the listener found it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Actor {
    /// The name of his token, or `loopback`.
    pub(crate) name: String,
    /// His address.
    pub(crate) from: String,
}

/// Who asks where nobody has to say who he is: a caller on this machine.
pub(crate) const LOOPBACK: &str = "loopback";

/// What answers are made from.
pub(crate) struct Parts {
    pub(crate) state: Arc<State>,
    pub(crate) decide: Decide,
    pub(crate) log: Arc<Log>,
    pub(crate) metrics: PlaneMetrics,
    pub(crate) entropy: Entropy,
    /// Who says what is said here.
    pub(crate) replica: ReplicaId,
    pub(crate) configurations: Option<Arc<dyn Configurations>>,
    pub(crate) certificates: Certificates,
}

/// What answers are made of. Clones are the same.
#[derive(Clone)]
pub(crate) struct Operations {
    pub(crate) state: Arc<State>,
    decide: Decide,
    log: Arc<Log>,
    metrics: PlaneMetrics,
    entropy: Entropy,
    replica: ReplicaId,
    configurations: Option<Arc<dyn Configurations>>,
    certificates: Certificates,
    running: Running,
    uptime: Arc<Mutex<Option<Uptime>>>,
}

impl Operations {
    pub(crate) fn new(parts: Parts) -> Self {
        let Parts { state, decide, log, metrics, entropy, replica, configurations, certificates } = parts;
        Self {
            state,
            decide,
            log,
            metrics,
            entropy,
            replica,
            configurations,
            certificates,
            running: Running::default(),
            uptime: Arc::default(),
        }
    }

    /// Gives the configuration in force.
    fn active(&self) -> Result<Arc<ActiveConfig>, OperationError> {
        self.state.active().ok_or(OperationError::NotConfigured)
    }
}

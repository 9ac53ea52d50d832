//! What operators ask: one function for each call, which REST, gRPC and the nodes' relay share.

mod alerts;
mod audit;
mod balancing;
mod change;
mod config;
mod cooldowns;
mod error;
mod explain;
mod nodes;
mod providers;
mod quotas;
mod remembered;
mod requests;
mod uptime;
mod usage;

pub(crate) use audit::audit_query;
pub(crate) use config::{ChangeAsked, RollbackAsked, USUAL_CONFIGS, history_limit};
pub(crate) use error::{Kind, OperationError};

use crate::{
    certificates::Certificates,
    configurations::Configurations,
    decide::Decide,
    state::{ActiveConfig, State},
};
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

/// What answers are made of. Clones are the same.
#[derive(Clone)]
pub(crate) struct Operations {
    pub(crate) state: Arc<State>,
    decide: Decide,
    configurations: Option<Arc<dyn Configurations>>,
    certificates: Certificates,
    running: Running,
    uptime: Arc<Mutex<Option<Uptime>>>,
}

impl Operations {
    pub(crate) fn new(
        state: Arc<State>,
        decide: Decide,
        configurations: Option<Arc<dyn Configurations>>,
        certificates: Certificates,
    ) -> Self {
        Self {
            state,
            decide,
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

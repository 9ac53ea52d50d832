//! Finds the metric handles of a target without a lock.

use cliproxy_observe::metrics::{Metrics, RouteHandles};
use std::{borrow::Borrow, sync::Arc};

/// Handles by (provider, model), each made once.
pub(super) struct Handles {
    metrics: Metrics,
    known: papaya::HashMap<Name, Arc<RouteHandles>>,
}

/// Names looked up at most; beyond it every look-up goes to the registry, which folds the model into `other`.
const MAX_KNOWN: usize = 4_096;

/// A provider and a model in one text, so that a look-up needs no allocation of its own kind.
#[derive(PartialEq, Eq, Hash)]
struct Name(Box<str>);

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl Handles {
    pub(super) fn new(metrics: Metrics) -> Self {
        Self { metrics, known: papaya::HashMap::new() }
    }

    pub(super) fn get(&self, provider: &str, model: &str) -> Arc<RouteHandles> {
        // Neither part can hold a NUL: both come from configuration or JSON names that HTTP headers carry.
        let name = [provider, "\0", model].concat();
        let known = self.known.pin();
        if let Some(handles) = known.get(name.as_str()) {
            return Arc::clone(handles);
        }
        let handles = self.metrics.route(provider, model);
        if known.len() >= MAX_KNOWN {
            return handles;
        }
        Arc::clone(known.get_or_insert(Name(name.into()), handles))
    }
}

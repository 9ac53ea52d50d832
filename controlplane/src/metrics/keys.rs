//! What operators do with clients' keys.

use cliproxy_domain::operate::KeyVerb;
use cliproxy_observe::metrics::prometheus_client::{
    metrics::{counter::Counter, family::Family},
    registry::Registry,
};

/// What operators do with clients' keys. Clones count into the same series.
#[derive(Clone, Debug)]
pub(crate) struct KeyMetrics(Family<[(&'static str, &'static str); 1], Counter>);

const VERBS: [KeyVerb; 3] = [KeyVerb::Create, KeyVerb::Rotate, KeyVerb::Revoke];

impl KeyMetrics {
    pub(super) fn new() -> Self {
        let metrics = Self(Family::default());
        // A series that is not there until something happens hides that nothing did.
        VERBS.iter().for_each(|verb| drop(metrics.0.get_or_create(&labels(*verb))));
        metrics
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        let help = "Keys of clients that operators made, replaced or revoked here";
        registry.register("client_key_changes", help, self.0.clone());
    }

    /// Counts one that was stored.
    pub(crate) fn changed(&self, verb: KeyVerb) {
        self.0.get_or_create(&labels(verb)).inc();
    }
}

fn labels(verb: KeyVerb) -> [(&'static str, &'static str); 1] {
    let action = match verb {
        KeyVerb::Create => "created",
        KeyVerb::Rotate => "rotated",
        KeyVerb::Revoke => "revoked",
    };
    [("action", action)]
}

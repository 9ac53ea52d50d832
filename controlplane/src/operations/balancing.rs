//! How calls are spread.

use super::{Operations, explain::decision};
use cliproxy_domain::{
    operate::Question,
    status::{LoadBalancingStatus, Source},
};
use cliproxy_engine::status::{ShareView, load_balancing};

impl Operations {
    /// Tells how calls are spread over the providers; of none before there is a configuration.
    pub(crate) fn load_balancing_status(&self) -> LoadBalancingStatus {
        let now = self.state.clock.wall();
        let Some(active) = self.state.active() else {
            return LoadBalancingStatus { as_of: now, ..LoadBalancingStatus::default() };
        };
        let calls = {
            let traffic = self.state.traffic.lock();
            let of = |name| traffic.minute(name, now).attempts.attempts();
            active.snapshot.providers.keys().map(|name| (name.clone(), of(name))).collect()
        };
        let outlook = self.state.outlook();
        let view = ShareView {
            config: active.id,
            snapshot: &active.snapshot,
            outlook: &outlook,
            calls,
            source: Source::Cluster,
            now,
        };
        load_balancing(&view, |alias| {
            // The name of an alias is one that a client may ask for.
            let question = Question::about(alias.name.as_str());
            let decided =
                question.ok().and_then(|question| decision(&active, &outlook, &question, None, now).ok());
            decided.unwrap_or_default()
        })
    }
}

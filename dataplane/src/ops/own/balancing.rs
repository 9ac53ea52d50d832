//! `GET /v0/operations/load_balancing/status`

use super::explain::decision;
use crate::ops::Ops;
use cliproxy_domain::{
    operate::Question,
    status::{LoadBalancingStatus, Source},
};
use cliproxy_engine::status::{ShareView, load_balancing};

/// Tells how this node spreads its calls; over nothing before it has a configuration.
pub(super) fn status(ops: &Ops) -> LoadBalancingStatus {
    let now = ops.clock.wall();
    let Some(known) = ops.live.known() else {
        return LoadBalancingStatus { source: Source::Node, as_of: now, ..LoadBalancingStatus::default() };
    };
    let calls = |name| ops.recent.glance(name, now).counts.attempts();
    let outlook = known.outlook();
    let view = ShareView {
        config: known.config,
        snapshot: &known.snapshot,
        outlook: &outlook,
        calls: known.snapshot.providers.keys().map(|name| (name.clone(), calls(name))).collect(),
        source: Source::Node,
        now,
    };
    load_balancing(&view, |alias| {
        // The name of an alias is one that a client may ask for.
        let question = Question::about(alias.name.as_str());
        question
            .ok()
            .and_then(|question| decision(ops, &known, &question, None, now).ok())
            .unwrap_or_default()
    })
}

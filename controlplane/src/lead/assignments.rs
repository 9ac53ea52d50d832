//! Who probes what: one node for each provider, and two where a second opinion is wanted.

use super::{
    Lead,
    repeats::{Repeats, revision},
};
use crate::decide::{Turn, Wanted};
use cliproxy_domain::{Hint, HintKey, NodeId, ProbeAssignment, ProviderName};
use cliproxy_engine::probes;
use std::collections::BTreeMap;

/// The assignments that hold now.
#[derive(Default)]
pub(super) struct Assignments(Repeats);

impl Assignments {
    /// Assigns what is `wanted` to the connected nodes, and sends what changed.
    pub(super) fn update(&mut self, lead: &Lead, turn: &Turn, wanted: &BTreeMap<ProviderName, Wanted>) {
        if turn.nodes.is_empty() {
            // Nobody could be told; whoever connects is assigned at once.
            return;
        }
        for (provider, wanted) in wanted {
            self.assign(lead, turn, provider, *wanted);
        }
        for provider in self.orphaned(wanted) {
            self.send(lead, turn, &provider, Vec::new(), 0);
        }
        self.0.keep(lead, |key| matches!(key, HintKey::Probe(provider) if wanted.contains_key(provider)));
        self.0.repeat(lead);
    }

    fn assign(&mut self, lead: &Lead, turn: &Turn, provider: &ProviderName, wanted: Wanted) {
        let nodes = probes::assign(provider, &turn.nodes, wanted.nodes);
        let holds = self.last(provider).is_some_and(|last| {
            last.nodes == nodes && last.at_once == wanted.at_once && last.node_count == count(turn)
        });
        if holds {
            return;
        }
        if self.last(provider).is_none_or(|last| last.nodes != nodes) {
            let names: Vec<&str> = nodes.iter().map(NodeId::as_str).collect();
            tracing::info!(%provider, nodes = names.join(", "), "a provider's probes are assigned");
        }
        self.send(lead, turn, provider, nodes, wanted.at_once);
    }

    fn send(&mut self, lead: &Lead, turn: &Turn, provider: &ProviderName, nodes: Vec<NodeId>, at_once: u64) {
        let assignment = ProbeAssignment {
            revision: revision(lead, &HintKey::Probe(provider.clone()), turn.now),
            provider: provider.clone(),
            nodes,
            at_once,
            node_count: count(turn),
        };
        self.0.send(lead, Hint::Probe(assignment));
    }

    fn last(&self, provider: &ProviderName) -> Option<&ProbeAssignment> {
        match self.0.last(&HintKey::Probe(provider.clone())) {
            Some(Hint::Probe(assignment)) => Some(assignment),
            _ => None,
        }
    }

    /// Gives the providers that are assigned and not probed any more.
    fn orphaned(&self, wanted: &BTreeMap<ProviderName, Wanted>) -> Vec<ProviderName> {
        let assigned = self.0.hints().filter_map(|hint| hint.provider());
        assigned.filter(|provider| !wanted.contains_key(*provider)).cloned().collect()
    }
}

fn count(turn: &Turn) -> u32 {
    u32::try_from(turn.nodes.len()).unwrap_or(u32::MAX)
}

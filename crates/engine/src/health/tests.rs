use super::*;
use cliproxy_domain::{HealthPolicy, HealthState};
use std::time::Duration;

mod agreement;
mod properties;
mod row;

const T0: WallTime = WallTime(1_771_541_400_000);

fn at(seconds: u64) -> WallTime {
    T0.plus(Duration::from_secs(seconds))
}

/// A machine with the guide's policy that is told things second by second.
struct Case {
    machine: Machine,
    policy: HealthPolicy,
    nodes: usize,
    now: u64,
}

impl Case {
    fn of_nodes(nodes: usize) -> Self {
        let policy = HealthPolicy { enabled: true, ..HealthPolicy::default() };
        Self { machine: Machine::default(), policy, nodes, now: 0 }
    }

    fn after(&mut self, seconds: u64) -> &mut Self {
        self.now += seconds;
        self
    }

    fn note(&mut self, evidence: &Evidence) -> Option<Change> {
        self.machine.note(&self.policy, self.nodes, evidence)
    }

    fn probe(&mut self, node: &str, ok: bool) -> Option<Change> {
        let said = if ok { "200" } else { "503" };
        self.note(&Evidence::probe(node.into(), at(self.now), ok, said))
    }

    /// Three failed probes, an interval apart.
    fn probes_fail(&mut self, node: &str) -> Option<Change> {
        self.probe(node, false);
        self.after(30).probe(node, false);
        self.after(30).probe(node, false)
    }

    fn calls(&mut self, node: &str, ok: u64, failed: u64) -> Option<Change> {
        let attempts = AttemptCounts { ok, err_5xx: failed, ..AttemptCounts::default() };
        let evidence = Evidence::traffic(node.into(), at(self.now), &attempts)?;
        self.note(&evidence)
    }

    fn pass(&mut self, seconds: u64) -> Option<Change> {
        self.now += seconds;
        self.machine.pass(&self.policy, self.nodes, at(self.now))
    }

    fn state(&self) -> HealthState {
        self.machine.state()
    }
}

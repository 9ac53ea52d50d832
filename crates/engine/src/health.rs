//! Whether a provider answers: what probes and live traffic say, and when that is enough.

mod heard;
mod machine;
#[cfg(test)]
mod tests;
mod voice;

pub use heard::{Heard, judge};
pub use machine::{Change, Machine};

use cliproxy_domain::{AttemptCounts, NodeId, WallTime};

/// Where evidence comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Source {
    /// A node asked the provider whether it is well.
    Probe,
    /// Clients' requests.
    Traffic,
}

/// What one node found of one provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// The node.
    pub node: NodeId,
    /// How it found it.
    pub source: Source,
    /// When.
    pub at: WallTime,
    /// Whether the provider is well.
    pub ok: bool,
    /// How many results this stands for; at least 1.
    pub count: u32,
    /// For people: what the answer was, as `503` or `connect_timeout`; may be empty.
    pub said: String,
}

impl Evidence {
    /// Describes what a probe found. `said` is the status or the failure in the words of the metrics.
    pub fn probe(node: NodeId, at: WallTime, ok: bool, said: impl Into<String>) -> Self {
        Self { node, source: Source::Probe, at, ok, count: 1, said: said.into() }
    }

    /// Reads what a node's calls to a provider within one window say: any answer, be it a refusal, is one success;
    /// without one each failure counts. None when nothing was heard, since what clients cancelled says nothing.
    pub fn traffic(node: NodeId, at: WallTime, attempts: &AttemptCounts) -> Option<Self> {
        if !attempts.were_heard() {
            return None;
        }
        let ok = attempts.were_answered();
        let failures = attempts.err_5xx.saturating_add(attempts.timeout).saturating_add(attempts.connect);
        let count = if ok { 1 } else { u32::try_from(failures).unwrap_or(u32::MAX) };
        let said = if ok { "" } else { most_frequent(attempts) };
        Some(Self { node, source: Source::Traffic, at, ok, count, said: said.to_owned() })
    }
}

fn most_frequent(attempts: &AttemptCounts) -> &'static str {
    let kinds = [
        (attempts.err_5xx, "server errors"),
        (attempts.timeout, "timeouts"),
        (attempts.connect, "no connection"),
    ];
    kinds.into_iter().max_by_key(|(count, _)| *count).map_or("", |(_, kind)| kind)
}

//! Who does for all what only one may do.

use std::time::Duration;

/// What is held by one at a time.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LeaseName(pub String);

impl LeaseName {
    /// The lease of the replica that does what is done once for the whole cluster.
    pub fn control_loop() -> Self {
        Self("control-loop".to_owned())
    }

    /// The lease of the node that answers for an active-passive pair.
    pub fn active(pair: &str) -> Self {
        Self(format!("active:{pair}"))
    }
}

/// A lease as the store has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Who holds it.
    pub holder: String,
    /// Grows with each change of the holder; starts at 1.
    pub epoch: u64,
    /// How much longer it holds unless it is renewed, by the store's clock.
    pub left: Duration,
}

/// What a write of a lease's holder is made under: it is done only while that holder has that epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fence {
    /// Which lease.
    pub lease: LeaseName,
    /// Who holds it.
    pub holder: String,
    /// Since which change of the holder.
    pub epoch: u64,
}

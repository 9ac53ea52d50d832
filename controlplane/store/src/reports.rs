//! What nodes report, and how far it is committed.

use cliproxy_domain::{Batch, Incarnation, NodeId, Seq, WallTime};

/// What one incarnation of a node reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeBatches {
    /// The node.
    pub node: NodeId,
    /// Its incarnation.
    pub incarnation: Incarnation,
    /// The lowest number it can still send. A store that has no cursor for this incarnation starts here.
    pub oldest_unacked: Seq,
    /// The batches, in any order, with gaps and repetitions.
    pub batches: Vec<Batch>,
}

/// How far the ledger of one incarnation is committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The node.
    pub node: NodeId,
    /// Its incarnation.
    pub incarnation: Incarnation,
    /// Everything up to here is committed; 0 when nothing is.
    pub last: Seq,
    /// The number that is missing, when what came did not follow on.
    pub need_from: Option<Seq>,
    /// Of the batches that were taken now, how many were set aside ([`Store::late_usage`](crate::Store::late_usage)).
    pub late: u64,
    /// Of the batches that were taken now, how many began further than [`MAX_SKEW`](crate::ledger::MAX_SKEW) from the
    /// control plane's clock, and are counted at that distance.
    pub skewed: u64,
}

/// A data-plane node as it last presented itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeRecord {
    /// The node.
    pub node: NodeId,
    /// Its incarnation.
    pub incarnation: Incarnation,
    /// The version of its program.
    pub build: String,
    /// Where it listens for clients.
    pub listen: String,
    /// When it was last heard of.
    pub last_seen: WallTime,
}

impl NodeRecord {
    /// Tells whether this record replaces `older`: records may arrive late, those of a process that has ended
    /// even after those of its successor.
    pub fn replaces(&self, older: &NodeRecord) -> bool {
        (self.incarnation, self.last_seen) >= (older.incarnation, older.last_seen)
    }
}

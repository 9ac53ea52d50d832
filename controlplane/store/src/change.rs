//! What is written in one transaction, and what replicas tell each other.

use cliproxy_domain::{AuditEntry, Fence, Hint, HintVersion, ReplicaId, WallTime};

/// A change on the hint line, as it was numbered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HintChange {
    /// Its number; numbers have no gaps.
    pub version: HintVersion,
    /// The value after merging.
    pub hint: Hint,
}

/// What changes in one transaction: values of the hint line, and the entries that say who changed them and why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// Values to merge, in order. Those of kinds that are not stored ([`Hint::is_stored`]) are passed over; durations
    /// are kept to the millisecond.
    pub hints: Vec<Hint>,
    /// Entries for the audit log; an id that is there already is not written again.
    pub audit: Vec<AuditEntry>,
    /// The id of an operator's call and its outcome, to be remembered. A call that is remembered changes nothing a
    /// second time, whatever else is in the change: nothing of others belongs in it.
    pub outcome: Option<Outcome>,
    /// The lease under which it is written; without it nothing of the change is done ([`StoreError::Fenced`]).
    pub fence: Option<Fence>,
}

/// What one replica tells the others through the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Post {
    /// Its number; numbers have no gaps, and rise in the order of the commits.
    pub number: u64,
    /// Who says it.
    pub replica: ReplicaId,
    /// What, in a form that only the control plane reads.
    pub body: Vec<u8>,
}

/// The outcome of an operator's call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The id that the operator gave the call.
    pub request_id: String,
    /// What was answered, as text that only the caller reads.
    pub answer: String,
    /// When.
    pub at: WallTime,
}

//! What really happened, written down by those who saw it: providers and clients.

use std::time::Duration;

/// An answer that a provider gave to a call for a completion.
#[derive(Clone, Debug)]
pub struct Answered {
    /// When the call came, since the beginning.
    pub came: Duration,
    /// When the answer was given.
    pub at: Duration,
    /// Which node called.
    pub node: String,
    /// Who answered.
    pub provider: String,
    /// With which key it was called.
    pub credential: String,
    /// For which model.
    pub model: String,
    /// With what.
    pub status: u16,
    /// The tokens that it charges.
    pub tokens: (u64, u64),
    /// How long it said to wait.
    pub retry_after: Option<Duration>,
}

/// What became of a client's request.
#[derive(Clone, Debug)]
pub struct Asked {
    /// When it was sent, since the beginning.
    pub at: Duration,
    /// When it ended.
    pub until: Duration,
    /// The node that was asked.
    pub node: String,
    /// The status, or why there is none.
    pub result: Result<u16, String>,
}

/// A change of the configuration that an operator asked for.
#[derive(Clone, Debug)]
pub struct Changed {
    /// The weight that tells it from all others.
    pub weight: u64,
    /// Its text is one that must be refused.
    pub bad: bool,
    /// The number that it was to replace.
    pub expected: u64,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of a change.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// It was confirmed.
    Applied {
        /// Its number.
        config: u64,
        /// The number of the one before.
        before: u64,
    },
    /// It was refused with that status.
    Refused(u16),
    /// It may have been made or not.
    Unknown,
}

/// Something that was written under a lease, or the answer to who holds it.
#[derive(Clone, Debug)]
pub struct Led {
    /// Who holds it.
    pub holder: String,
    /// Since which turn.
    pub epoch: u64,
    /// It was written.
    pub wrote: bool,
}

/// Everything that was written down.
#[derive(Default)]
pub struct Truth {
    /// By providers, in the order in which they answered.
    pub answered: Vec<Answered>,
    /// By clients, in the order in which their requests ended.
    pub asked: Vec<Asked>,
    /// By clients that may be refused.
    pub asked_scarce: Vec<Asked>,
    /// By operators.
    pub changed: Vec<Changed>,
    /// By the database, in the order of the commits.
    pub led: Vec<Led>,
}

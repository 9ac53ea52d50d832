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

/// Everything that was written down.
#[derive(Default)]
pub struct Truth {
    /// By providers, in the order in which they answered.
    pub answered: Vec<Answered>,
    /// By clients, in the order in which their requests ended.
    pub asked: Vec<Asked>,
}

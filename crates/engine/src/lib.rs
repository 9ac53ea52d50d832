//! Decisions, pure: state, policy, the time and a draw go in; a decision with its reasons comes out.
//!
//! No clock, no I/O, no randomness of its own. Both planes, tests and simulations run this same code.
#![deny(missing_docs)]

pub mod affinity;
pub mod budget;
pub mod candidates;
pub mod cooldown;
pub mod explain;
pub mod healing;
pub mod health;
pub mod measured;
pub mod neighbour;
pub mod outlook;
pub mod probes;
pub mod quota;
pub mod retry;
pub mod role;
pub mod select;
pub mod speech;
pub mod status;

pub use budget::Budget;
pub use candidates::{Candidate, CandidateSet, ResolveError, known_models, resolve};
pub use explain::explain;
pub use outlook::{CredentialOutlook, Outlook, ProviderOutlook};
pub use retry::{Standing, Verdict, Why, after_failure};
pub use select::{Choice, Excluded, Idle, Load, Order, Pick, Scene, order, probed};
pub use speech::{Asks, has_operation, speech};

#[cfg(test)]
mod world;

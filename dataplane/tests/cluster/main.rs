//! A node with a control plane that a test plays, and providers that it plays as well, all on a network in memory and
//! under a paused clock: what comes down, what goes up, and what the node does while nobody is there.
#![expect(clippy::expect_used, reason = "a test stops where it cannot go on")]

mod alone;
mod away;
mod control;
mod losing;
mod network;
mod node;
mod operators;
mod probing;
mod provider;
mod quotas;
mod replicas;
mod spending;
mod starts;
mod telling;
mod used_up;

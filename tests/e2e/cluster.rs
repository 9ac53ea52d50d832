//! Two nodes and a control plane, each a process of its own, in front of simulated providers: what one node finds out
//! holds at the other, what an operator says holds everywhere, and it all outlives whoever dies.
//!
//! The upstreams' logs are the truth: they have one monotonic clock, and the id of each request says which node it is of.

mod fixture;
mod traffic;

mod balancing;
mod callers;
mod clients_own;
mod cut_off;
mod explained;
mod flapping;
mod healing;
mod hints;
mod latency;
mod mid_stream;
mod operator;
mod probers;
mod quotas;
mod refusals;
mod rejected;
mod restarts;
mod windows;

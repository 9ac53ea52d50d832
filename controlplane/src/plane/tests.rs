//! The control plane through its sockets: nodes and operators over real gRPC and HTTP on loopback, a store in
//! memory with faults on demand, and a clock that the test moves.

mod access;
mod claimant;
mod events;
mod harness;
mod healing;
mod health;
mod keep_alive;
mod left_alone;
mod lifecycle;
mod moving;
mod node;
mod observe;
mod operations;
mod permits;
mod quotas;
mod replicas;
mod report;
mod rests;
mod roles;
mod signals;
mod sync;
mod texts;
mod things;

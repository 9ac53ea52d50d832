//! The control plane through its sockets: nodes and operators over real gRPC and HTTP on loopback, a store in
//! memory with faults on demand, and a clock that the test moves.

mod access;
mod events;
mod harness;
mod lifecycle;
mod operations;
mod report;
mod sync;

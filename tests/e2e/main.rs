//! End-to-end tests: real processes of the program, with simulated providers. A module is a subject.
#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test stops where it cannot go on, and tells what it measured"
)]

// Shared by the subjects.
mod apis;
mod books;
mod load;

mod agents;
mod bad_input;
mod callers;
mod capacity;
mod clients;
mod cluster;
mod compose;
mod config;
mod crash;
mod demo;
mod docs;
mod drain;
mod failover;
mod failover_nodes;
mod faults;
mod golden;
mod guide;
mod hang_up;
mod keep_alive;
mod layout;
mod limits;
mod operations;
mod passthrough;
mod reference;
mod startup;
mod tls;
mod translation;

/// The program under test.
const CLIPROXY: &str = env!("CARGO_BIN_EXE_cliproxy");

//! End-to-end tests: real processes of the program, with simulated providers. A module is a subject.

// Shared by the subjects.
mod apis;
mod books;

mod clients;
mod operations;

/// The program under test.
const CLIPROXY: &str = env!("CARGO_BIN_EXE_cliproxy");

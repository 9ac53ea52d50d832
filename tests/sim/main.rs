//! Whole clusters in one thread, with one clock and one seed: control planes, data planes, providers, clients and an
//! operator, with faults drawn from the seed, and what must hold whatever happens.
//!
//! `docs/reference/simulation.md` says what is simulated, what is checked, and how a seed is replayed.
#![expect(clippy::expect_used, reason = "a test stops where it cannot go on")]

mod check;
mod faults;
mod hosts;
mod plan;
mod run;
mod seams;
mod story;
mod truth;
mod world;

mod seeds;

//! What may happen to a cluster with several control planes on Postgres, each process a real one: killed, hung, cut off,
//! overloaded, upgraded. Rows of the failure matrix; `docs/reference/faults.md` says which test has which row.
//!
//! What is promised of correctness is asserted as it stands. What is promised of time is printed, and asserted with room
//! for a machine that is busy with other tests: `cargo xtask chaos` holds the numbers themselves.

mod alone;
mod clocks;
mod cooldowns;
mod database;
mod fixture;
mod keys;
mod kills;
mod nodes;
mod page;
mod partitions;
mod reports;
mod script;
mod sessions;
mod upgrades;

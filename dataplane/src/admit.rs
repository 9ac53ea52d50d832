//! Decides whether a client may ask for what it asks for, and takes it off what it may ask for in a minute.
//!
//! A client's rates hold over all nodes: each has a share, and a client that finds too little here waits a moment while
//! more is asked for. Its budgets are charged with each attempt.

mod models;
mod toll;

pub use models::may_ask;
pub use toll::{Gate, Toll};

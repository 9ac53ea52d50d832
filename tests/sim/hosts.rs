//! What runs on the hosts.

pub mod clients;
pub mod control;
mod http;
pub mod node;
pub mod operators;
pub mod provider;

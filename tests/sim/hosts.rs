//! What runs on the hosts.

pub mod clients;
pub mod control;
pub mod node;
pub mod provider;

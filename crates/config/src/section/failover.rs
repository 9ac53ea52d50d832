//! `server.failover`: what nodes do for each other.

use std::time::Duration;

/// How nodes stand in for each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failover {
    /// Which way.
    pub mode: Mode,
    /// How often another node is asked for its health; 10 s unless given.
    pub health_check_interval: Duration,
    /// How long a node must be unwell, or well again, before that counts; 30 s unless given.
    pub failover_timeout: Duration,
    /// The node's own address as the others know it: `server.advertise_url`.
    pub advertise_url: Option<String>,
    /// The other nodes' addresses; never this node's own.
    pub peers: Vec<String>,
}

/// The ways in which nodes stand in for each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    /// One node serves and another one waits.
    ActivePassive {
        /// The one that waits. When it is this node, this node is the one that waits.
        backup_url: String,
        /// Whether this node is the one that waits.
        is_backup: bool,
    },
    /// All nodes serve.
    ActiveActive,
}

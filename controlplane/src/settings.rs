//! What a control plane is told at its start.

use cliproxy_host::{Entropy, Tls};
use std::{net::SocketAddr, sync::Arc, time::Duration};

/// What a control plane is told at its start.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where operators are answered, on REST and gRPC alike. Port 0 finds a free one.
    pub listen: SocketAddr,
    /// Where nodes connect; without TLS a loopback address, unless the operator insists. Port 0 finds a free one.
    pub nodes_listen: SocketAddr,
    /// What this replica proves itself to nodes by, and whom it lets in. In the clear without.
    pub tls: Option<Arc<Tls>>,
    /// Whether nodes of other machines may connect in the clear: the operator insists on it.
    pub allow_plaintext: bool,
    /// Who may ask; empty: whoever is on this machine.
    pub admin_tokens: Vec<AdminToken>,
    /// The name of this replica, for people.
    pub cp_id: String,
    /// HTTP/2 pings to nodes: interval, and how long the answer may take. By default a lost node is noticed within two
    /// seconds, and one that is patient, as its connections stumble, is not given up before it gives up itself.
    pub node_keep_alive: (Duration, Duration),
    /// How long open calls may go on after the shutdown began.
    pub drain: Duration,
    /// Where nodes reach this replica, as a URL, for the other replicas to tell their nodes.
    pub advertise_url: Option<String>,
    /// For how many nodes at once it is found out what they miss; the others are asked to come a little later.
    pub resumes_at_once: usize,
    /// How long a node's stream lasts before the node is asked to connect anew, give or take a tenth.
    pub max_connection_age: Duration,
    /// Randomness, for jitter and ids.
    pub entropy: Entropy,
}

impl Settings {
    /// Gives the defaults for a control plane that listens on these two addresses.
    pub fn new(listen: SocketAddr, nodes_listen: SocketAddr, cp_id: impl Into<String>) -> Self {
        Self {
            listen,
            nodes_listen,
            tls: None,
            allow_plaintext: false,
            admin_tokens: Vec::new(),
            cp_id: cp_id.into(),
            node_keep_alive: (Duration::from_secs(1), Duration::from_secs(1)),
            drain: Duration::from_secs(5),
            advertise_url: None,
            resumes_at_once: 8,
            max_connection_age: Duration::from_secs(30 * 60),
            entropy: Entropy::from_system(),
        }
    }
}

/// One token that an operator may show. Only its hash is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdminToken {
    /// Whose it is, for the log.
    pub name: String,
    /// What it allows.
    pub role: Role,
    /// SHA-256 of the token's bytes.
    pub sha256: [u8; 32],
}

/// What a token allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Every call.
    Operator,
}

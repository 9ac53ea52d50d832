//! `server`: where the data plane listens, and what it grants its clients.

use super::{address, operations, retries, timeouts};
use crate::field::Field;
use cliproxy_domain::Policy;
use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

pub use super::{failover::Failover, operations::AdminToken};

/// The process settings of the data plane. Timeouts, retries and the policy of operations are part of the snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Where clients connect; 127.0.0.1:8317 unless given.
    pub listen: SocketAddr,
    /// Whether callers from other machines are served without a client key; no unless given.
    pub allow_anonymous: bool,
    /// What one client may take.
    pub limits: Limits,
    /// How long open streams may go on after a signal to stop; 120 s unless given.
    pub drain_timeout: Duration,
    /// Who may use the operations endpoints. When empty, only callers on this machine may.
    pub admin_tokens: Vec<AdminToken>,
    /// This node's own address as other nodes know it; found out by where it listens unless given.
    pub advertise_url: Option<String>,
    /// How nodes stand in for each other; `None` unless `server.failover` is there and enabled.
    pub failover: Option<Failover>,
}

/// What one client, or all together, may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a request's body; 32 million unless given.
    pub max_body: u64,
    /// Connections at the same time; 10,000 unless given.
    pub max_connections: usize,
    /// Bytes of a request's headers; 64 KiB unless given.
    pub max_header_bytes: usize,
    /// From the connection's start, or the first byte of a later request, to the end of the headers; 10 s unless given.
    pub client_header_timeout: Duration,
    /// For how long after an answer an HTTP/1.1 connection is kept open for the next request; 120 s unless given.
    pub client_idle_timeout: Duration,
    /// Between two pieces of a request's body; 30 s unless given.
    pub client_body_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_body: 32_000_000,
            max_connections: 10_000,
            max_header_bytes: 64 * 1024,
            client_header_timeout: Duration::from_secs(10),
            client_idle_timeout: Duration::from_secs(120),
            client_body_timeout: Duration::from_secs(30),
        }
    }
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8317)),
            allow_anonymous: false,
            limits: Limits::default(),
            drain_timeout: Duration::from_secs(120),
            admin_tokens: Vec::new(),
            advertise_url: None,
            failover: None,
        }
    }
}

/// Reads the section: the process's part, but for `failover`, and the part that goes into the snapshot.
pub fn read(root: &Field<'_>) -> (Server, Policy) {
    let mut server = Server::default();
    let mut policy = Policy::default();
    let Some(section) = root.section("server") else { return (server, policy) };
    if let Some(listen) = section.child("listen").and_then(|field| field.listen()) {
        server.listen = listen;
    }
    if let Some(allow) = section.child("allow_anonymous").and_then(|field| field.boolean()) {
        server.allow_anonymous = allow;
    }
    if let Some(drain) = section.child("drain_timeout").and_then(|field| field.duration(timeouts::LONGEST)) {
        server.drain_timeout = drain;
    }
    let own = section.child("advertise_url");
    server.advertise_url = own
        .and_then(|field| address::read(&field, "a node", "http://proxy1:8317"))
        .map(|address| address.url);
    server.limits = read_limits(&section);
    server.admin_tokens = operations::read_admin_tokens(&section);
    policy.timeouts = timeouts::read(&section, policy.timeouts);
    policy.retries = retries::read(&section, policy.timeouts);
    operations::read_policy(&section, &mut policy);
    (server, policy)
}

fn read_limits(server: &Field<'_>) -> Limits {
    let mut limits = Limits::default();
    let Some(section) = server.section("limits") else { return limits };
    if let Some(size) = section.child("max_body").and_then(|field| field.size(1..4_000_000_001)) {
        limits.max_body = size;
    }
    if let Some(count) = section.child("max_connections").and_then(|field| field.number(1..=1_000_000)) {
        limits.max_connections = usize::try_from(count).unwrap_or(usize::MAX);
    }
    // Below 8 KiB an ordinary SDK's headers do not fit, and the HTTP/1 server takes no smaller buffer.
    if let Some(size) =
        section.child("max_header_bytes").and_then(|field| field.size(8 * 1024..1024 * 1024 + 1))
    {
        limits.max_header_bytes = usize::try_from(size).unwrap_or(usize::MAX);
    }
    let read = |key: &str, default: Duration| {
        section.child(key).and_then(|field| field.duration(timeouts::LONGEST)).unwrap_or(default)
    };
    limits.client_header_timeout = read("client_header_timeout", limits.client_header_timeout);
    limits.client_idle_timeout = read("client_idle_timeout", limits.client_idle_timeout);
    limits.client_body_timeout = read("client_body_timeout", limits.client_body_timeout);
    limits
}

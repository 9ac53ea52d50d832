//! Which of the addresses in a file that several nodes share is one's own.

use crate::{
    environment::Environment,
    section::{address::Address, server::Server},
};
use std::net::{IpAddr, SocketAddr};

/// What this node knows of its own address.
pub struct Identity {
    advertised: Option<String>,
    listen: SocketAddr,
    /// The machine's name, which containers have in their environment.
    hostname: Option<String>,
}

impl Identity {
    /// Gathers it.
    pub fn new(server: &Server, environment: &Environment) -> Self {
        let hostname = environment.get("HOSTNAME").filter(|name| !name.is_empty());
        Self { advertised: server.advertise_url.clone(), listen: server.listen, hostname }
    }

    /// Gives what `server.advertise_url` says.
    pub fn advertised(&self) -> Option<&str> {
        self.advertised.as_deref()
    }

    /// Tells whether an address is this node's own: the one that it advertises, and where it advertises none, one that
    /// leads to where it listens.
    pub fn is_own(&self, address: &Address) -> bool {
        match &self.advertised {
            Some(own) => *own == address.url,
            None => self.listens_at(address),
        }
    }

    fn listens_at(&self, address: &Address) -> bool {
        if address.port() != self.listen.port() {
            return false;
        }
        let own = self.listen.ip();
        if address.is_loopback {
            return own.is_loopback() || own.is_unspecified();
        }
        if address.host().parse::<IpAddr>().is_ok_and(|ip| ip == own) {
            return true;
        }
        // A service's name may stand before the domain: `proxy-0.proxy.default.svc` on the machine `proxy-0`.
        !own.is_loopback()
            && self.hostname.as_deref().is_some_and(|name| {
                let name = name.to_ascii_lowercase();
                let rest = address.host().strip_prefix(name.as_str());
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            })
    }
}

//! Why a control plane does not start, and why it does not take a configuration.

use cliproxy_domain::ConfigId;
use cliproxy_proto::convert::ConvertError;
use cliproxy_store::StoreError;
use std::{io, net::SocketAddr};

/// Why a control plane could not be built.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An address could not be listened on.
    #[error("{key} {address} cannot be listened on: {source}; choose another address or stop what holds it")]
    Listen {
        /// The configuration's name for it.
        key: &'static str,
        /// The address.
        address: SocketAddr,
        /// What the network said.
        source: io::Error,
    },
    /// The nodes' listener would be open to other machines.
    #[error(
        "control_plane.nodes_listen is {address}: whoever connects is sent the providers' keys, in the clear; set \
         control_plane.tls, use a loopback address such as 127.0.0.1:{}, or insist with control_plane.allow_plaintext: \
         true", address.port()
    )]
    NodesListenOpen {
        /// The address.
        address: SocketAddr,
    },
    /// The store did not answer while the state was read from it.
    #[error("the state could not be read")]
    Store(#[from] StoreError),
}

/// Why a configuration was not taken. The one before stays in force.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// A node would refuse it, so no node is sent it.
    #[error("the configuration is not valid")]
    Invalid(#[from] ConvertError),
    /// Another replica was faster.
    #[error("configuration {newest} is the newest, not the one that was to be replaced")]
    Superseded {
        /// The newest.
        newest: ConfigId,
    },
    /// The store did not number it; applying it again is safe.
    #[error("the configuration could not be numbered")]
    Store(#[from] StoreError),
}

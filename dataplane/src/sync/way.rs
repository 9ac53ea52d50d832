//! How a control plane is reached: over mutual TLS, or in the clear where nobody else can listen.

use cliproxy_host::{Connection, Net, Tls};
use std::{io, sync::Arc};
use tonic::transport::Uri;

/// The network, and what this node proves itself by.
#[derive(Clone)]
pub(super) struct Way {
    net: Arc<dyn Net>,
    tls: Option<Arc<Tls>>,
}

impl Way {
    pub(super) fn new(net: Arc<dyn Net>, tls: Option<Arc<Tls>>) -> Self {
        Self { net, tls }
    }

    /// Opens a connection to where `uri` leads; over TLS when it begins with `https`.
    pub(super) async fn open(&self, uri: &Uri) -> io::Result<Connection> {
        let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
        if uri.scheme_str() != Some("https") {
            return self.net.connect(host, uri.port_u16().unwrap_or(80)).await;
        }
        let Some(tls) = &self.tls else {
            return Err(io::Error::other("`https` needs certificates; set `control_plane.tls`"));
        };
        let connection = self.net.connect(host, uri.port_u16().unwrap_or(443)).await?;
        tls.secure(connection, host).await.map_err(io::Error::other)
    }
}

//! Mutual TLS between the planes.
//!
//! Both ends show a certificate, and the name in it, a URI as SPIFFE writes it, says who they are: a node
//! (`spiffe://<trust domain>/cliproxy/dp/<node>`) or a control plane (`…/cliproxy/cp/<name>`). A node talks to control
//! planes of its trust domain alone, and a control plane to nodes of its own. The host's name that a node connects to
//! is not compared with the certificate: it differs between a machine, a container network and a cluster, while every
//! control plane of a trust domain may tell a node the same things.
//!
//! Certificates are read from three files, again whenever these change ([`Tls::follow`]); connections that are open go
//! on by the ones they began with. TLS 1.3 alone is spoken, and sessions are not resumed, as a resumed one would
//! outlive the certificate that it began with.

mod certificate;
mod files;
mod follow;
mod handshake;
mod identity;
mod material;
mod metrics;
mod verify;

pub use certificate::{CertificateFault, Expiry, Presented, Signer, Validity};
pub use files::{File, Paths, TlsError};
pub use handshake::{HANDSHAKE, HandshakeError};
pub use identity::{Identity, IdentityFault, Role};
pub use metrics::TlsMetrics;

pub(crate) use handshake::Handshakes;

use crate::{Clock, Disk};
use files::Source;
use follow::Progress;
use handshake::Verdict;
use material::{Material, provider};
use rustls::{
    ClientConfig, ServerConfig, client::Resumption, pki_types::UnixTime, server::NoServerSessionStorage,
    time_provider::TimeProvider, version::TLS13,
};
use std::{
    fmt,
    sync::{Arc, Mutex},
};
use verify::Swapped;

/// One process's end of the connections between the planes: its certificate, and whom it trusts.
pub struct Tls {
    source: Source,
    clock: Arc<dyn Clock>,
    swapped: Arc<Swapped>,
    server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
    metrics: TlsMetrics,
    progress: Mutex<Progress>,
    verdict: Arc<Verdict>,
}

impl Tls {
    /// Reads the files and prepares both sides. `role` is what the process is: its certificate must say the same.
    ///
    /// A certificate that is out of its time is taken, and logged by [`Tls::follow`]: nobody will talk to this process,
    /// but it can go on by what it knows.
    ///
    /// # Errors
    /// When a file cannot be read or used, with the file and what to do.
    pub fn load(
        disk: Arc<dyn Disk>,
        paths: Paths,
        role: Role,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, TlsError> {
        let source = Source::new(disk, paths, role);
        let material = source.load(clock.wall())?;
        let metrics = TlsMetrics::default();
        let swapped = Arc::new(Swapped::new(material, role));
        let time: Arc<dyn TimeProvider> = Arc::new(WallClock(Arc::clone(&clock)));
        let tls = Self {
            server: Arc::new(server_config(&swapped, Arc::clone(&time))?),
            client: Arc::new(client_config(&swapped, time)?),
            progress: Mutex::new(Progress::default()),
            verdict: Arc::default(),
            source,
            clock,
            swapped,
            metrics,
        };
        tls.show();
        Ok(tls)
    }

    /// Gives what this process's certificate says now.
    pub fn own(&self) -> Presented {
        self.material().own.clone()
    }

    /// Gives from when to when what the files hold may be used: the certificate, and of those that sign the first that
    /// ends.
    pub fn validities(&self) -> [(File, Validity); 2] {
        let material = self.material();
        [(File::Cert, material.own.validity), (File::Ca, material.ca)]
    }

    /// Gives the path of a file, as it was configured.
    pub fn path(&self, file: File) -> &str {
        self.source.path(file)
    }

    /// Says why what the files hold now is not used, while that is so.
    pub fn refused(&self) -> Option<String> {
        self.progress().fault.clone()
    }

    /// Gives what is counted of it.
    pub fn metrics(&self) -> &TlsMetrics {
        &self.metrics
    }

    fn material(&self) -> Arc<Material> {
        self.swapped.current.load_full()
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // No keys.
        f.debug_struct("Tls").field("source", &self.source).field("own", &self.own()).finish_non_exhaustive()
    }
}

fn server_config(swapped: &Arc<Swapped>, time: Arc<dyn TimeProvider>) -> Result<ServerConfig, rustls::Error> {
    let mut config = ServerConfig::builder_with_details(provider(), time)
        .with_protocol_versions(&[&TLS13])?
        .with_client_cert_verifier(Arc::clone(swapped) as _)
        .with_cert_resolver(Arc::clone(swapped) as _);
    config.alpn_protocols = vec![handshake::H2.to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

fn client_config(swapped: &Arc<Swapped>, time: Arc<dyn TimeProvider>) -> Result<ClientConfig, rustls::Error> {
    let mut config = ClientConfig::builder_with_details(provider(), time)
        .with_protocol_versions(&[&TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(swapped) as _)
        .with_client_cert_resolver(Arc::clone(swapped) as _);
    config.alpn_protocols = vec![handshake::H2.to_vec()];
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// The time of the seam, for rustls.
struct WallClock(Arc<dyn Clock>);

impl TimeProvider for WallClock {
    fn current_time(&self) -> Option<UnixTime> {
        Some(certificate::unix_time(self.0.wall()))
    }
}

impl fmt::Debug for WallClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WallClock")
    }
}

#[cfg(test)]
mod tests;

//! What connections that begin now use.

use super::certificate::{Presented, Validity};
use rustls::{
    RootCertStore,
    crypto::{CryptoProvider, aws_lc_rs},
    server::danger::ClientCertVerifier,
    sign::CertifiedKey,
};
use std::sync::{Arc, LazyLock};

/// What connections that begin now use: read together, and replaced together.
#[derive(Debug)]
pub(super) struct Material {
    /// The process's certificate and key.
    pub(super) certified: Arc<CertifiedKey>,
    /// What the certificate says.
    pub(super) own: Presented,
    /// When those that sign hold, of the first that ends.
    pub(super) ca: Validity,
    /// Those that sign.
    pub(super) roots: Arc<RootCertStore>,
    /// The check of who connects, by them.
    pub(super) clients: Arc<dyn ClientCertVerifier>,
    /// What the files held.
    pub(super) digest: [u8; 32],
}

/// Gives the one provider of cryptography. Named, so that nothing depends on what the process has for a default.
pub(super) fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: LazyLock<Arc<CryptoProvider>> =
        LazyLock::new(|| Arc::new(aws_lc_rs::default_provider()));
    Arc::clone(&PROVIDER)
}

//! Who is let in, and who is talked to: by whoever is trusted now.

use super::{
    certificate::Presented,
    identity::{Identity, Role},
    material::{Material, provider},
};
use arc_swap::ArcSwap;
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, RootCertStore,
    SignatureScheme,
    client::{
        ResolvesClientCert,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_cert_signed_by_trust_anchor,
    },
    crypto::verify_tls13_signature,
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::{
        ClientHello, ParsedCertificate, ResolvesServerCert,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
    sign::CertifiedKey,
};
use std::sync::Arc;

/// The certificate to show and those to believe, which are replaced while connections are made.
#[derive(Debug)]
pub(super) struct Swapped {
    pub(super) current: ArcSwap<Material>,
    role: Role,
}

/// Why a certificate that is signed well is not believed.
#[derive(Debug, thiserror::Error)]
enum PeerFault {
    #[error("the certificate {0}")]
    Certificate(#[from] super::CertificateFault),
    #[error("the certificate is of {identity}; it must be of a {wanted}")]
    Role { identity: Identity, wanted: Role },
    #[error("the certificate is of {identity}; this process is of the trust domain {own}")]
    TrustDomain { identity: Identity, own: String },
}

impl Swapped {
    pub(super) fn new(material: Material, role: Role) -> Self {
        Self { current: ArcSwap::from_pointee(material), role }
    }

    /// Checks who a certificate is of that is signed well.
    fn check_identity(&self, material: &Material, certificate: &CertificateDer<'_>) -> Result<(), Error> {
        let peer = Presented::read(certificate).map_err(|fault| refuse(fault.into()))?.identity;
        let own = material.own.identity.trust_domain();
        if peer.role() != self.role.opposite() {
            return Err(refuse(PeerFault::Role { identity: peer, wanted: self.role.opposite() }));
        }
        if peer.trust_domain() != own {
            return Err(refuse(PeerFault::TrustDomain { identity: peer, own: own.to_owned() }));
        }
        Ok(())
    }
}

fn refuse(fault: PeerFault) -> Error {
    Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(fault))))
}

/// Checks that a server's certificate is signed by one of `roots` and holds.
pub(super) fn check_server(
    leaf: &CertificateDer<'_>,
    between: &[CertificateDer<'_>],
    roots: &RootCertStore,
    now: UnixTime,
) -> Result<(), Error> {
    let leaf = ParsedCertificate::try_from(leaf)?;
    let algorithms = provider().signature_verification_algorithms.all;
    verify_server_cert_signed_by_trust_anchor(&leaf, roots, between, now, algorithms)
}

impl ClientCertVerifier for Swapped {
    /// Gives no hints: they would have to outlive a replacement, and a node has one certificate.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let material = self.current.load();
        let verified = material.clients.verify_client_cert(end_entity, intermediates, now)?;
        self.check_identity(&material, end_entity)?;
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(tls12())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        signed(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        schemes()
    }
}

impl ServerCertVerifier for Swapped {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let material = self.current.load();
        check_server(end_entity, intermediates, &material.roots, now)?;
        self.check_identity(&material, end_entity)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(tls12())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        signed(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        schemes()
    }
}

/// Not reached: both sides offer TLS 1.3 alone.
fn tls12() -> Error {
    Error::General("TLS 1.2 is not spoken here".to_owned())
}

fn signed(
    message: &[u8],
    certificate: &CertificateDer<'_>,
    signature: &DigitallySignedStruct,
) -> Result<HandshakeSignatureValid, Error> {
    verify_tls13_signature(message, certificate, signature, &provider().signature_verification_algorithms)
}

fn schemes() -> Vec<SignatureScheme> {
    provider().signature_verification_algorithms.supported_schemes()
}

impl ResolvesServerCert for Swapped {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.load().certified))
    }
}

impl ResolvesClientCert for Swapped {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.load().certified))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

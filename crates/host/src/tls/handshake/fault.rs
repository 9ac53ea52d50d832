//! Why no connection came about, in words that say what to do.

use super::HANDSHAKE;
use rustls::{AlertDescription, CertificateError, Error, PeerIncompatible};
use std::io;

/// Why no connection came about.
#[derive(Debug, thiserror::Error)]
pub enum HandshakeError {
    /// The other side took too long.
    #[error("the handshake took longer than {HANDSHAKE:?}")]
    TimedOut,
    /// The other side went away in the middle.
    #[error("the other side hung up during the handshake")]
    HungUp,
    /// The other side does not speak TLS.
    #[error(
        "the other side does not speak TLS; both need `control_plane.tls`, and a node an `https://` endpoint"
    )]
    NotTls,
    /// The other side shows no certificate.
    #[error("the other side shows no certificate; it needs `control_plane.tls`")]
    NoCertificate,
    /// The other side speaks no version that is spoken here.
    #[error("the other side does not speak TLS 1.3")]
    Version,
    /// Its certificate is not believed, it does not believe ours, or another check failed.
    #[error("{0}")]
    Refused(String),
}

impl HandshakeError {
    /// Gives the metrics' word for it.
    pub(super) fn result(&self) -> &'static str {
        match self {
            Self::TimedOut => "timed_out",
            Self::HungUp => "hung_up",
            Self::NotTls => "not_tls",
            Self::NoCertificate | Self::Version | Self::Refused(_) => "refused",
        }
    }
}

impl From<io::Error> for HandshakeError {
    fn from(error: io::Error) -> Self {
        match error.get_ref().and_then(|inner| inner.downcast_ref()) {
            Some(error) => Self::from(error),
            // Closed, reset, or given up on: the socket's error says no more than that.
            None => Self::HungUp,
        }
    }
}

impl From<&Error> for HandshakeError {
    fn from(error: &Error) -> Self {
        match error {
            Error::InvalidMessage(_) => Self::NotTls,
            Error::NoCertificatesPresented => Self::NoCertificate,
            Error::AlertReceived(AlertDescription::ProtocolVersion) => Self::Version,
            Error::PeerIncompatible(
                PeerIncompatible::SupportedVersionsExtensionRequired
                | PeerIncompatible::ServerDoesNotSupportTls12Or13
                | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
                | PeerIncompatible::Tls12NotOfferedOrEnabled
                | PeerIncompatible::Tls13RequiredForQuic,
            ) => Self::Version,
            Error::InvalidCertificate(fault) => Self::Refused(certificate(fault)),
            Error::AlertReceived(alert) => Self::Refused(format!(
                "the other side refuses this process's certificate or settings: {alert:?}"
            )),
            error => Self::Refused(error.to_string()),
        }
    }
}

fn certificate(fault: &CertificateError) -> String {
    match fault {
        // One of the same name as one in the bundle signed it, with another key: made by the same program, say.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "the certificate is not signed by anybody in control_plane.tls.ca".to_owned()
        }
        // Our own checks, which say it all.
        CertificateError::Other(fault) => fault.to_string(),
        fault => fault.to_string(),
    }
}

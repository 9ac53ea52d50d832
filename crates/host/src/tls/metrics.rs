//! What is counted of the TLS between the planes.

use super::{certificate::Validity, files::File};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

/// Shown as `cliproxy_tls_…`. Clones share the values.
#[derive(Clone, Debug)]
pub struct TlsMetrics {
    not_after: Family<Of, Gauge>,
    files_refused: Gauge,
    reloads: Family<Ended, Counter>,
    handshakes: Family<Shaken, Counter>,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Of {
    file: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Ended {
    result: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Shaken {
    side: &'static str,
    result: &'static str,
}

impl Default for TlsMetrics {
    fn default() -> Self {
        let this = Self {
            not_after: Family::default(),
            files_refused: Gauge::default(),
            reloads: Family::default(),
            handshakes: Family::default(),
        };
        // Shown from the start: what is absent cannot be told from what has not happened.
        for result in ["renewed", "refused"] {
            drop(this.reloads.get_or_create(&Ended { result }));
        }
        this
    }
}

impl TlsMetrics {
    /// Shows the series.
    pub fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("tls");
        registry.register(
            "certificate_not_after_timestamp_seconds",
            "When the certificate of a file expires, in seconds since 1970; of several the first",
            self.not_after.clone(),
        );
        registry.register(
            "files_refused",
            "1 while the files hold what cannot be used and the certificates before go on",
            self.files_refused.clone(),
        );
        registry.register("reloads", "Certificates that were read anew", self.reloads.clone());
        registry.register("handshakes", "Handshakes between the planes that ended", self.handshakes.clone());
    }

    pub(super) fn valid(&self, file: File, validity: Validity) {
        self.not_after.get_or_create(&Of { file: file.as_str() }).set(validity.not_after.0 / 1000);
    }

    pub(super) fn renewed(&self) {
        self.files_refused.set(0);
        self.reloads.get_or_create(&Ended { result: "renewed" }).inc();
    }

    pub(super) fn refused(&self) {
        self.files_refused.set(1);
        self.reloads.get_or_create(&Ended { result: "refused" }).inc();
    }

    pub(super) fn sound_again(&self) {
        self.files_refused.set(0);
    }

    pub(super) fn handshake(&self, side: &'static str, result: &'static str) {
        self.handshakes.get_or_create(&Shaken { side, result }).inc();
    }
}

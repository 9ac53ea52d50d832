//! Whoever signs certificates, and the processes that have them.

use super::super::{Paths, Role, Tls, TlsError};
use crate::{Clock, Disk, MemoryDisk, SystemClock};
use cliproxy_domain::WallTime;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    SanType, date_time_ymd,
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

pub(super) const DAY: i64 = 24 * 3600;

/// Whoever signs.
pub(super) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// What is signed.
pub(super) struct Leaf {
    pub(super) uris: Vec<String>,
    /// Seconds from now, from when to when.
    pub(super) valid: (i64, i64),
    pub(super) usages: Vec<ExtendedKeyUsagePurpose>,
}

/// Of a name, for a week, for both sides of a connection.
pub(super) fn leaf(uri: &str) -> Leaf {
    Leaf {
        uris: vec![uri.to_owned()],
        valid: (-60, 7 * DAY),
        usages: vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth],
    }
}

impl Authority {
    pub(super) fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.not_after = date_time_ymd(1970, 1, 1) + from_now(3650 * DAY);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(super) fn pem(&self) -> String {
        self.0.pem()
    }

    /// Signs; gives the certificate and the key.
    pub(super) fn sign(&self, leaf: &Leaf) -> (String, String) {
        let mut params = CertificateParams::default();
        params.subject_alt_names =
            leaf.uris.iter().map(|uri| SanType::URI(uri.as_str().try_into().unwrap())).collect();
        params.not_before = date_time_ymd(1970, 1, 1) + from_now(leaf.valid.0);
        params.not_after = date_time_ymd(1970, 1, 1) + from_now(leaf.valid.1);
        params.extended_key_usages.clone_from(&leaf.usages);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    /// Gives a process of this authority.
    pub(super) fn process(&self, uri: &str) -> Process {
        self.process_with(&leaf(uri))
    }

    pub(super) fn process_with(&self, leaf: &Leaf) -> Process {
        let disk = MemoryDisk::default();
        write(&disk, "ca", &self.pem());
        let (cert, key) = self.sign(leaf);
        write(&disk, "cert", &cert);
        write(&disk, "key", &key);
        Process::start(disk).unwrap()
    }
}

/// Gives a time as what is to be added to 1970.
fn from_now(seconds: i64) -> Duration {
    let at = SystemClock.wall().0 / 1000 + seconds;
    Duration::from_secs(at.try_into().unwrap())
}

pub(super) fn write(disk: &MemoryDisk, name: &str, text: &str) {
    disk.write(name, text.as_bytes()).unwrap();
}

/// A process: its files, and its end of connections. What it is, its certificate says.
pub(super) struct Process {
    pub(super) disk: MemoryDisk,
    pub(super) tls: Arc<Tls>,
    pub(super) clock: Arc<Shifted>,
}

impl Process {
    pub(super) fn start(disk: MemoryDisk) -> Result<Self, TlsError> {
        let clock = Arc::new(Shifted::default());
        let load = |role| Tls::load(Arc::new(disk.clone()), paths(), role, clock.clone());
        let tls = match load(Role::Node) {
            Err(TlsError::Role { .. }) => load(Role::ControlPlane)?,
            other => other?,
        };
        Ok(Self { tls: Arc::new(tls), disk, clock })
    }
}

pub(super) fn paths() -> Paths {
    Paths { ca: "ca".to_owned(), cert: "cert".to_owned(), key: "key".to_owned() }
}

/// The machine's clock, with a wall clock that can be moved.
#[derive(Default)]
pub(super) struct Shifted(AtomicI64);

impl Shifted {
    pub(super) fn move_by(&self, seconds: i64) {
        self.0.fetch_add(seconds * 1000, Ordering::Relaxed);
    }
}

impl Clock for Shifted {
    fn now(&self) -> Instant {
        SystemClock.now()
    }

    fn wall(&self) -> WallTime {
        WallTime(SystemClock.wall().0 + self.0.load(Ordering::Relaxed))
    }
}

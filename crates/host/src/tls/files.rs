//! The three files: a bundle of those that sign, a certificate, and its key.

use super::{
    certificate::{CertificateFault, Presented, Validity, unix_time},
    identity::{Identity, Role},
    material::{Material, provider},
};
use crate::Disk;
use cliproxy_domain::WallTime;
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{WebPkiClientVerifier, danger::ClientCertVerifier},
    sign::CertifiedKey,
};
use sha2::{Digest as _, Sha256};
use std::{fmt, io, sync::Arc};

/// Which of the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum File {
    /// The certificates of those that sign for the other side.
    Ca,
    /// This process's certificate, with what is between it and the signer.
    Cert,
    /// Its key.
    Key,
}

impl File {
    /// Gives its key in the configuration, below `control_plane.tls`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ca => "ca",
            Self::Cert => "cert",
            Self::Key => "key",
        }
    }
}

impl fmt::Display for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "control_plane.tls.{}", self.as_str())
    }
}

/// Where the files are; relative paths start where the disk says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    /// Those that sign for the other side, in PEM; several while they are replaced.
    pub ca: String,
    /// This process's certificate first, then what is between it and the signer, in PEM.
    pub cert: String,
    /// Its key, in PEM: PKCS#8, SEC1 or PKCS#1.
    pub key: String,
}

/// Why the files cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{file} {path} cannot be read: {source}")]
    Read {
        /// Which.
        file: File,
        /// Where.
        path: String,
        /// What the disk said.
        source: io::Error,
    },
    /// A file does not hold what it should.
    #[error("{file} {path} {what}")]
    Content {
        /// Which.
        file: File,
        /// Where.
        path: String,
        /// What it holds instead.
        what: String,
    },
    /// The certificate is of somebody else.
    #[error("control_plane.tls.cert {path} is of {identity}; it must be of a {wanted}: {}", example(*.wanted))]
    Role {
        /// Where.
        path: String,
        /// Whose it is.
        identity: Identity,
        /// What the process is.
        wanted: Role,
    },
    /// The certificate and the key do not belong together.
    #[error(
        "control_plane.tls.key {key} is not the key of control_plane.tls.cert {cert}; replace both together"
    )]
    Pair {
        /// The certificate.
        cert: String,
        /// The key.
        key: String,
    },
    /// None of those that sign has signed the certificate.
    #[error(
        "control_plane.tls.cert {path} is not signed by anybody in control_plane.tls.ca {ca}: {source}; add its signer \
         to the bundle, or have it signed anew"
    )]
    Untrusted {
        /// The certificate.
        path: String,
        /// The bundle.
        ca: String,
        /// What the check said.
        source: rustls::Error,
    },
    /// The TLS library refused its settings.
    #[error("the TLS library could not be set up: {0}")]
    Library(#[from] rustls::Error),
}

fn example(role: Role) -> String {
    format!("spiffe://<trust domain>/cliproxy/{}/<name>", role.segment())
}

/// The largest file, in bytes: hundreds of certificates.
const LARGEST: usize = 1024 * 1024;

/// What the files hold.
pub(super) struct Contents {
    ca: Vec<u8>,
    cert: Vec<u8>,
    key: Vec<u8>,
}

impl Contents {
    /// Gives a hash that tells one content from another.
    pub(super) fn digest(&self) -> [u8; 32] {
        let mut digest = Sha256::new();
        for content in [&self.ca, &self.cert, &self.key] {
            digest.update((content.len() as u64).to_be_bytes());
            digest.update(content);
        }
        digest.finalize().into()
    }
}

/// Where certificates come from.
pub(super) struct Source {
    disk: Arc<dyn Disk>,
    paths: Paths,
    role: Role,
}

impl Source {
    pub(super) fn new(disk: Arc<dyn Disk>, paths: Paths, role: Role) -> Self {
        Self { disk, paths, role }
    }

    pub(super) fn path(&self, file: File) -> &str {
        match file {
            File::Ca => &self.paths.ca,
            File::Cert => &self.paths.cert,
            File::Key => &self.paths.key,
        }
    }

    /// Reads and checks the files.
    pub(super) fn load(&self, now: WallTime) -> Result<Material, TlsError> {
        self.parse(&self.read()?, now)
    }

    /// Reads the files: a few KiB, so that it is done in place.
    pub(super) fn read(&self) -> Result<Contents, TlsError> {
        Ok(Contents {
            ca: self.read_one(File::Ca)?,
            cert: self.read_one(File::Cert)?,
            key: self.read_one(File::Key)?,
        })
    }

    fn read_one(&self, file: File) -> Result<Vec<u8>, TlsError> {
        let path = self.path(file);
        let failed = |source| TlsError::Read { file, path: path.to_owned(), source };
        let missing = || failed(io::Error::new(io::ErrorKind::NotFound, "there is no such file"));
        let content = self.disk.read(path).map_err(failed)?.ok_or_else(missing)?;
        if content.len() > LARGEST {
            return Err(self.content(file, format!("has {} bytes; {LARGEST} are the most", content.len())));
        }
        Ok(content)
    }

    /// Makes what connections need of what the files hold, and checks it as the other side will: by those that sign, and
    /// by what the process is. The time is checked no further than that there is one at which it holds.
    pub(super) fn parse(&self, contents: &Contents, now: WallTime) -> Result<Material, TlsError> {
        let (roots, ca) = self.roots(&contents.ca)?;
        let chain = self.certificates(File::Cert, &contents.cert)?;
        let own = Presented::read(&chain[0]).map_err(|fault| self.unfit(&fault))?;
        if own.identity.role() != self.role {
            let path = self.paths.cert.clone();
            return Err(TlsError::Role { path, identity: own.identity, wanted: self.role });
        }
        let key = PrivateKeyDer::from_pem_slice(&contents.key)
            .map_err(|_| self.content(File::Key, "holds no private key in PEM".to_owned()))?;
        let certified = CertifiedKey::from_der(chain, key, &provider()).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => {
                TlsError::Pair { cert: self.paths.cert.clone(), key: self.paths.key.clone() }
            }
            error => self.content(File::Key, format!("holds a key that cannot be used: {error}")),
        })?;
        let roots = Arc::new(roots);
        let clients = WebPkiClientVerifier::builder_with_provider(Arc::clone(&roots), provider())
            .build()
            .map_err(|error| self.content(File::Ca, format!("cannot be used: {error}")))?;
        self.check_signed(&certified, &roots, &*clients, own.validity.nearest(now))?;
        Ok(Material { certified: Arc::new(certified), own, ca, roots, clients, digest: contents.digest() })
    }

    /// Reads those that sign, and when the first of them ends.
    fn roots(&self, pem: &[u8]) -> Result<(RootCertStore, Validity), TlsError> {
        let mut roots = RootCertStore::empty();
        let mut first: Option<Validity> = None;
        for certificate in self.certificates(File::Ca, pem)? {
            let unreadable = || self.content(File::Ca, CertificateFault::Unreadable.to_string());
            let validity = Validity::read(&certificate).ok_or_else(unreadable)?;
            if first.is_none_or(|first| validity.not_after < first.not_after) {
                first = Some(validity);
            }
            roots.add(certificate).map_err(|_| unreadable())?;
        }
        let first = first.ok_or_else(|| self.content(File::Ca, "holds no certificate".to_owned()))?;
        Ok((roots, first))
    }

    /// Reads the certificates of a file: one at least.
    fn certificates(&self, file: File, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
        let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
        match read {
            Ok(certificates) if !certificates.is_empty() => Ok(certificates),
            Ok(_) => Err(self.content(file, "holds no certificate in PEM".to_owned())),
            Err(error) => Err(self.content(file, format!("is not PEM: {error}"))),
        }
    }

    fn check_signed(
        &self,
        certified: &CertifiedKey,
        roots: &RootCertStore,
        clients: &dyn ClientCertVerifier,
        at: WallTime,
    ) -> Result<(), TlsError> {
        let (leaf, between) = (&certified.cert[0], &certified.cert[1..]);
        let checked = match self.role {
            Role::Node => clients.verify_client_cert(leaf, between, unix_time(at)).map(|_| ()),
            Role::ControlPlane => super::verify::check_server(leaf, between, roots, unix_time(at)),
        };
        checked.map_err(|source| TlsError::Untrusted {
            path: self.paths.cert.clone(),
            ca: self.paths.ca.clone(),
            source,
        })
    }

    fn unfit(&self, fault: &CertificateFault) -> TlsError {
        self.content(File::Cert, format!("cannot be used: {fault}"))
    }

    fn content(&self, file: File, what: String) -> TlsError {
        TlsError::Content { file, path: self.path(file).to_owned(), what }
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").field("paths", &self.paths).field("role", &self.role).finish_non_exhaustive()
    }
}

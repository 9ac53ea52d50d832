//! Where the certificates are kept.

use super::{Signed, Subject};
use anyhow::{Context as _, bail};
use cliproxy_host::tls::Role;
use std::{
    fs,
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

/// Everybody may read a certificate; a key is its owner's.
const CERTIFICATE_MODE: u32 = 0o644;
const KEY_MODE: u32 = 0o600;

/// The folder of a CA and of what it signed.
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }

    pub(super) fn authority(&self) -> PathBuf {
        self.0.join("ca.crt")
    }

    pub(super) fn authority_key(&self) -> PathBuf {
        self.0.join("ca.key")
    }

    pub(super) fn certificate(&self, subject: &Subject) -> PathBuf {
        self.of(subject, "crt")
    }

    pub(super) fn key(&self, subject: &Subject) -> PathBuf {
        self.of(subject, "key")
    }

    fn of(&self, subject: &Subject, ending: &str) -> PathBuf {
        let kind = match subject.role {
            Role::ControlPlane => "control-plane",
            Role::Node => "node",
        };
        self.0.join(format!("{kind}-{}.{ending}", subject.name))
    }

    /// Reads the CA; `None` when there is none yet.
    pub(super) fn read_authority(&self) -> anyhow::Result<Option<Signed>> {
        match (read(&self.authority())?, read(&self.authority_key())?) {
            (Some(certificate), Some(key)) => Ok(Some(Signed { certificate, key })),
            (None, None) => Ok(None),
            (Some(_), None) => bail!(
                "{} is there and its key {} is not; put the key back, or begin with an empty folder",
                self.authority().display(),
                self.authority_key().display()
            ),
            (None, Some(_)) => bail!(
                "{} is there and its certificate {} is not; put that back, or begin with an empty folder",
                self.authority_key().display(),
                self.authority().display()
            ),
        }
    }

    /// Writes a new CA.
    pub(super) fn write_authority(&self, signed: &Signed) -> anyhow::Result<()> {
        fs::create_dir_all(&self.0).with_context(|| format!("{} cannot be made", self.0.display()))?;
        write(&self.authority_key(), &signed.key, KEY_MODE)?;
        write(&self.authority(), &signed.certificate, CERTIFICATE_MODE)
    }

    /// Writes what was signed, in place of what was there.
    pub(super) fn write(&self, subject: &Subject, signed: &Signed) -> anyhow::Result<()> {
        write(&self.key(subject), &signed.key, KEY_MODE)?;
        write(&self.certificate(subject), &signed.certificate, CERTIFICATE_MODE)
    }
}

fn read(path: &Path) -> anyhow::Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("{} cannot be read", path.display())),
    }
}

/// Replaces a file as a whole: a process that looks at it meanwhile sees the old one or the new one.
fn write(path: &Path, text: &str, mode: u32) -> anyhow::Result<()> {
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    let new = PathBuf::from(new);
    let written = || {
        // What a run that was stopped left behind may have another mode.
        match fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, path)
    };
    written().with_context(|| format!("{} cannot be written", path.display()))
}

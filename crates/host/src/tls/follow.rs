//! Rotation without a restart: the files are looked at again and again.

use super::{
    Tls,
    certificate::{Expiry, Validity},
    files::{Contents, File, TlsError},
    material::Material,
};
use cliproxy_domain::WallTime;
use std::{
    sync::{Arc, MutexGuard, PoisonError},
    time::Duration,
};
use tokio_util::sync::CancellationToken;

/// How often the files are looked at. Their content tells a change, as a cluster swaps a link and not the files.
const LOOK: Duration = Duration::from_secs(10);
/// How long new content must stay as it is before it is used: a certificate and its key are seldom written at once.
const SETTLE: Duration = Duration::from_secs(1);

/// What was last seen and told.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// Why the files hold what is not used.
    pub(super) fault: Option<String>,
    /// How near the ends of the certificate and of its signers are, as told last.
    told: [Option<Expiry>; 2],
}

impl Tls {
    /// Looks at the files every ten seconds until `shutdown`, puts what is new and sound in force for the connections
    /// that begin from then on, and tells of what is not sound and of what expires.
    ///
    /// Reading blocks for three small files.
    pub async fn follow(&self, shutdown: CancellationToken) {
        let follow = async {
            loop {
                self.tell_expiries();
                tokio::time::sleep(LOOK).await;
                self.look().await;
            }
        };
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = follow => {}
        }
    }

    /// Looks at the files once, and puts what is new in force.
    async fn look(&self) {
        let contents = match self.source.read() {
            Ok(contents) => contents,
            Err(error) => return self.refuse(&error),
        };
        let digest = contents.digest();
        if digest == self.material().digest {
            return self.sound();
        }
        // Also what was refused before: a certificate that did not hold yet may hold by now.
        tokio::time::sleep(SETTLE).await;
        if self.source.read().is_ok_and(|again| again.digest() == digest) {
            self.replace(&contents);
        }
    }

    fn replace(&self, contents: &Contents) {
        let now = self.clock.wall();
        match self.source.parse(contents, now).and_then(|material| self.fits(material, now)) {
            Ok(material) => {
                self.swapped.current.store(Arc::new(material));
                let own = self.own();
                self.metrics.renewed();
                self.sound();
                self.show();
                tracing::info!(
                    identity = %own.identity, not_after_ms = own.validity.not_after.0,
                    "new certificates are in force; open connections go on by the ones before"
                );
            }
            Err(error) => self.refuse(&error),
        }
    }

    /// Checks what only matters where others are in force already: that the new certificate holds now, and is of the
    /// same process.
    fn fits(&self, material: Material, now: WallTime) -> Result<Material, TlsError> {
        let (own, new) = (self.own(), &material.own);
        let refuse = |what: String| {
            Err(TlsError::Content { file: File::Cert, path: self.path(File::Cert).to_owned(), what })
        };
        if new.identity != own.identity {
            return refuse(format!(
                "is of {}, and this process started as {}; restart it to change its name",
                new.identity, own.identity
            ));
        }
        if new.validity.expiry(now) == Expiry::Expired {
            return refuse("has expired already; have a new one signed".to_owned());
        }
        if now < new.validity.not_before {
            return refuse("does not hold yet; check this machine's clock and the signer's".to_owned());
        }
        Ok(material)
    }

    /// Tells once why what the files hold is not used.
    fn refuse(&self, error: &TlsError) {
        let text = error.to_string();
        let mut progress = self.progress();
        if progress.fault.as_ref() == Some(&text) {
            return;
        }
        progress.fault = Some(text);
        drop(progress);
        self.metrics.refused();
        tracing::error!(%error, "the new certificates cannot be used; the ones before go on");
    }

    /// Notes that the files hold what is in force.
    fn sound(&self) {
        if self.progress().fault.take().is_some() {
            self.metrics.sound_again();
            tracing::info!("the files of the certificates hold what is in force again");
        }
    }

    /// Shows when what is in force expires.
    pub(super) fn show(&self) {
        for (file, validity) in self.validities() {
            self.metrics.valid(file, validity);
        }
    }

    /// Tells how near the ends are, each time that this changes.
    fn tell_expiries(&self) {
        let now = self.clock.wall();
        for (place, (file, validity)) in self.validities().into_iter().enumerate() {
            let expiry = validity.expiry(now);
            let before = self.progress().told[place].replace(expiry);
            if before != Some(expiry) {
                self.tell(file, validity, expiry, now);
            }
        }
    }

    fn tell(&self, file: File, validity: Validity, expiry: Expiry, now: WallTime) {
        let (path, not_after_ms) = (self.path(file), validity.not_after.0);
        let hours_left = validity.not_after.since(now).as_secs() / 3600;
        match expiry {
            Expiry::Far => {}
            Expiry::Soon => {
                tracing::warn!(%file, path, not_after_ms, hours_left, "a certificate expires soon");
            }
            Expiry::Urgent => {
                tracing::error!(%file, path, not_after_ms, hours_left, "a certificate is about to expire");
            }
            Expiry::Expired => {
                tracing::error!(%file, path, not_after_ms, "a certificate has expired");
            }
        }
    }

    pub(super) fn progress(&self) -> MutexGuard<'_, Progress> {
        // Each holder makes one change: a panic elsewhere leaves it whole.
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

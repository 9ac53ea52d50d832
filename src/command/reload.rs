//! Loads the configuration again when its files change, SIGHUP comes, or the healing of a provider wants its
//! credentials to be read from where they live. A wrong one changes nothing.

use super::signals;
use cliproxy_config::{Config, Load, reload::Watcher};
use cliproxy_domain::Snapshot;
use std::{future::Future, sync::Arc};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Where a configuration that was loaded again goes.
pub trait Adopt: Send {
    /// Puts a configuration in force, or says why not.
    fn adopt(&self, snapshot: Snapshot) -> impl Future<Output = anyhow::Result<()>> + Send;
}

/// Watches until `shutdown`, and obeys `wanted`. Only providers, models and policy change while running; for the rest a restart is
/// asked for in the log.
pub async fn watch(
    request: Load,
    mut current: Config,
    shutdown: CancellationToken,
    target: impl Adopt,
    wanted: Arc<Notify>,
) -> anyhow::Result<()> {
    let mut hang_up = signals::hang_up()?;
    let mut watcher = match Watcher::new(request.file.as_deref(), &current.auths_dir) {
        Ok(watcher) => Some(watcher),
        Err(error) => {
            tracing::warn!(%error, "configuration files are not watched");
            None
        }
    };
    loop {
        let changed = async {
            match &mut watcher {
                Some(watcher) => watcher.changed().await,
                None => std::future::pending().await,
            }
        };
        let cause = tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            _ = hang_up.recv() => "SIGHUP",
            () = changed => "a file changed",
            () = wanted.notified() => "a provider does not answer",
        };
        let loading = request.clone();
        // The files may be on a slow disk.
        let loaded = match tokio::task::spawn_blocking(move || cliproxy_config::load(&loading)).await? {
            Ok(loaded) => loaded,
            Err(error) => {
                tracing::error!(%error, cause, "the new configuration is refused; the old one goes on");
                continue;
            }
        };
        for warning in &loaded.warnings {
            tracing::warn!("{warning}");
        }
        let waiting = current.needs_restart(&loaded);
        if !waiting.is_empty() {
            tracing::warn!(
                keys = waiting.join(", "),
                "these keys changed, and take effect at the next start"
            );
        }
        match target.adopt(loaded.snapshot.clone()).await {
            Ok(()) => {
                tracing::info!(cause, "the configuration was loaded again");
                current.snapshot = loaded.snapshot;
            }
            Err(error) => {
                tracing::error!(
                    error = format!("{error:#}"),
                    cause,
                    "the new configuration is refused; the old one goes on"
                );
            }
        }
    }
}

/// A control plane, which sends it to every node.
pub struct ToControlPlane(pub cliproxy_controlplane::Handle);

impl Adopt for ToControlPlane {
    async fn adopt(&self, snapshot: Snapshot) -> anyhow::Result<()> {
        self.0.apply(snapshot, "file", "reload").await?;
        Ok(())
    }
}

//! Loads the configuration again when its files change or SIGHUP comes. A wrong one changes nothing.

use super::{configuration::Configuration, setup::Loaded, signals};
use cliproxy_config::{Config, Load, reload::Watcher};
use std::{future::Future, path::Path, sync::Arc};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// The cause of a reload that somebody asked for.
pub const SIGNAL: &str = "SIGHUP";

/// Whoever goes by the files.
pub trait Follow: Send {
    /// Reads the files again and puts in force what they say. What comes of it is told in the log.
    fn load_again(&mut self, cause: &'static str) -> impl Future<Output = ()> + Send;
}

/// Watches until `shutdown`, and obeys `wanted`. Only providers, models and policy change while running; for the rest
/// a restart is asked for in the log.
pub async fn watch(
    file: Option<&Path>,
    auths_dir: &Path,
    mut target: impl Follow,
    wanted: Arc<Notify>,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let mut hang_up = signals::hang_up()?;
    let mut watcher = match Watcher::new(file, auths_dir) {
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
            _ = hang_up.recv() => SIGNAL,
            () = changed => "a file changed",
            () = wanted.notified() => "a provider does not answer",
        };
        target.load_again(cause).await;
    }
}

/// Watches the files of a control plane.
pub async fn follow(
    configuration: Arc<Configuration>,
    wanted: Arc<Notify>,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let (file, auths_dir) = (configuration.watched(), configuration.auths_dir().to_owned());
    watch(Some(&file), &auths_dir, configuration, wanted, shutdown).await
}

/// Reads the files as they are now; `None`, and a line in the log, when they are wrong.
pub async fn read(request: Load, cause: &'static str) -> Option<Loaded> {
    // They may be on a slow disk.
    let reading = tokio::task::spawn_blocking(move || cliproxy_config::load_with_text(&request)).await;
    match reading.map_err(anyhow::Error::from).and_then(|loaded| Ok(loaded?)) {
        Ok((config, text)) => Some(Loaded { config, text }),
        Err(error) => {
            refused(&error, cause);
            None
        }
    }
}

/// Tells of what works but should be known, and of what waits for the next start.
pub fn tell(started: &Config, loaded: &Config) {
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    let waiting = started.needs_restart(loaded);
    if !waiting.is_empty() {
        tracing::warn!(keys = waiting.join(", "), "these keys changed, and take effect at the next start");
    }
}

/// Tells that a configuration was not taken.
pub fn refused(error: &anyhow::Error, cause: &'static str) {
    let error = format!("{error:#}");
    tracing::error!(error, cause, "the new configuration is refused; the old one goes on");
}

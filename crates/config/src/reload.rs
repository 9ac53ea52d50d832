//! Tells when the configuration file or a credential file has changed.
//!
//! The folders are watched, not the files: editors write a new file and rename it, and Kubernetes swaps the link
//! `..data` beside the file. A file that is mounted by `subPath` never changes; nothing can be seen of it.

use notify_debouncer_full::{
    DebounceEventResult, Debouncer, RecommendedCache, new_debouncer,
    notify::{self, EventKind, RecommendedWatcher, RecursiveMode},
};
use std::{
    collections::BTreeSet,
    ffi::OsString,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::sync::Notify;

/// How long a path must be quiet before a change is told.
const SETTLE: Duration = Duration::from_millis(200);

/// Why changes cannot be seen.
#[derive(Debug, thiserror::Error)]
#[error("cannot watch {path} for changes: {source}; reload with SIGHUP instead", path = .path.display())]
pub struct WatchError {
    /// The folder.
    path: PathBuf,
    /// What the system said; on Linux often that too many watches are in use.
    source: notify::Error,
}

/// Watches the configuration file and the folder of credential files.
///
/// It only tells that something changed: whoever is told loads again and compares. Telling once too often is
/// possible, telling too little is not.
pub struct Watcher {
    debouncer: Debouncer<RecommendedWatcher, RecommendedCache>,
    changed: Arc<Notify>,
    auths_dir: PathBuf,
}

impl Watcher {
    /// Starts to watch. A folder of credentials that is not there yet is watched once it appears.
    ///
    /// # Errors
    /// When the system refuses a watch, or the file's folder does not exist.
    pub fn new(file: Option<&Path>, auths_dir: &Path) -> Result<Self, WatchError> {
        let changed = Arc::new(Notify::new());
        let wanted = Wanted::new(file, auths_dir);
        let notify = changed.clone();
        let filter = wanted.clone();
        let handler = move |result: DebounceEventResult| {
            // An error, such as a lost event, may hide a change: better to look once too often.
            let relevant = match result {
                Ok(events) => events.iter().any(|event| filter.concerns(event)),
                Err(_) => true,
            };
            if relevant {
                notify.notify_one();
            }
        };
        let mut debouncer = new_debouncer(SETTLE, None, handler)
            .map_err(|source| WatchError { path: auths_dir.to_owned(), source })?;
        for folder in &wanted.folders {
            debouncer
                .watch(folder, RecursiveMode::NonRecursive)
                .map_err(|source| WatchError { path: folder.clone(), source })?;
        }
        let mut watcher = Self { debouncer, changed, auths_dir: wanted.auths_dir };
        watcher.watch_auths()?;
        Ok(watcher)
    }

    /// Waits for the next change, and until the burst that it belongs to is over.
    ///
    /// May be dropped and called again without missing a change. Changes between two calls count as one.
    pub async fn changed(&mut self) {
        self.changed.notified().await;
        // The folder may be a new one by now, and the old watch gone with the old folder.
        if let Err(error) = self.watch_auths() {
            tracing::warn!(error = %error, "credential files are not watched");
        }
    }

    /// Watches the folder of credentials when it is there. To watch the same folder twice does no harm.
    fn watch_auths(&mut self) -> Result<(), WatchError> {
        if !self.auths_dir.is_dir() {
            return Ok(());
        }
        self.debouncer
            .watch(&self.auths_dir, RecursiveMode::NonRecursive)
            .map_err(|source| WatchError { path: self.auths_dir.clone(), source })
    }
}

/// Which folders to watch and which of their events matter.
#[derive(Clone)]
struct Wanted {
    folders: BTreeSet<PathBuf>,
    /// Names, in any watched folder, whose change matters.
    names: BTreeSet<OsString>,
    auths_dir: PathBuf,
}

impl Wanted {
    fn new(file: Option<&Path>, auths_dir: &Path) -> Self {
        let auths_dir = absolute(auths_dir);
        let mut wanted =
            Wanted { folders: BTreeSet::new(), names: BTreeSet::new(), auths_dir: auths_dir.clone() };
        if let Some(file) = file {
            wanted.add(&absolute(file));
            // A link elsewhere: the file that it leads to changes in its own folder.
            if let Ok(target) = file.canonicalize() {
                wanted.add(&target);
            }
        }
        // The folder above tells when the credentials' folder appears.
        if auths_dir.parent().is_some_and(Path::is_dir) {
            wanted.add(&auths_dir);
        }
        wanted
    }

    fn add(&mut self, path: &Path) {
        if let (Some(folder), Some(name)) = (path.parent(), path.file_name()) {
            self.folders.insert(folder.to_owned());
            self.names.insert(name.to_owned());
        }
    }

    /// Tells whether an event may have changed what is loaded. Reading a file, as loading does, is an event too
    /// and must not count. A state folder beside the file changes all the time, so that names are compared.
    fn concerns(&self, event: &notify::Event) -> bool {
        if matches!(event.kind, EventKind::Access(_)) {
            return false;
        }
        event.need_rescan()
            || event.paths.is_empty()
            || event.paths.iter().any(|path| {
                let named =
                    path.file_name().is_some_and(|name| self.names.contains(name) || name == "..data");
                named || path.parent() == Some(self.auths_dir.as_path())
            })
    }
}

/// Makes a path absolute without following links.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests;

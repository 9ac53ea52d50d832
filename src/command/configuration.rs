//! The configuration of a control plane: the text in force, the file that it stands in, and the texts before it.
//!
//! A text comes from the file, at the start and whenever that changes, or from an operator, whose text goes into the
//! file. One change is made at a time, whoever makes it. Where several control planes use one database, texts are left
//! there instead ([`shared`]).

mod file;
mod kept;
mod mistakes;
mod shared;
#[cfg(test)]
mod tests;

use super::{
    reload::{self, Follow},
    setup::{DEFAULT_FILE, Loaded},
};
use cliproxy_config::{Config, Database, Load};
use cliproxy_controlplane::{
    Applied, ApplyError, Author, Checked, Configurations, Handle, NewText, Reading, Refused, Replaced, Shown,
};
use cliproxy_domain::{ConfigId, Snapshot};
use file::Written;
use kept::Kept;
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio::{sync::Mutex, task::spawn_blocking};

/// What to do where a file cannot take a text.
const FILE_REMEDY: &str =
    "nothing was changed; change the file where it comes from, or let the process write into its folder";

/// The texts of a control plane.
pub struct Configuration {
    /// What the process was started with. Its file is the one of the start.
    request: Load,
    /// What the keys of the process were at its start, and are until its end.
    started: Config,
    handle: Handle,
    /// The texts before; `None` where the database keeps them, for all control planes.
    kept: Option<Kept>,
    in_force: Mutex<InForce>,
}

/// What is in force.
struct InForce {
    /// The file that the text stands in.
    file: Option<PathBuf>,
    text: String,
    /// The text that the file held when it was last read.
    file_text: String,
    snapshot: Snapshot,
    needs_restart: Vec<&'static str>,
}

impl Configuration {
    /// Puts in force what was loaded at the start.
    ///
    /// # Errors
    /// Fails when the store does not number it.
    pub async fn start(request: Load, loaded: Loaded, handle: Handle) -> Result<Arc<Self>, ApplyError> {
        let Loaded { config, text } = loaded;
        let is_shared = matches!(config.control_plane.database, Database::Postgres { .. });
        let folder = request.data_dir.join("configs");
        let history = handle.history().to_string();
        let kept = match is_shared {
            true => None,
            false => Some(off_path(move || Kept::open(folder, &history)).await),
        };
        let in_force = InForce {
            file: request.file.clone(),
            text: text.clone(),
            file_text: text.clone(),
            snapshot: config.snapshot.clone(),
            needs_restart: Vec::new(),
        };
        let in_force = Mutex::new(in_force);
        let configuration = Self { request, started: config, handle, kept, in_force };
        if is_shared {
            Box::pin(configuration.join()).await?;
        } else {
            let snapshot = configuration.started.snapshot.clone();
            let applied = configuration.handle.change(snapshot, &Author::file("start")).await?;
            configuration.keep(applied.config, text).await;
        }
        Ok(Arc::new(configuration))
    }

    /// Names the file to watch: the one in force, or the one that a first text would be written into.
    pub fn watched(&self) -> PathBuf {
        self.request.file.clone().unwrap_or_else(|| DEFAULT_FILE.into())
    }

    /// Names the folder of credential files.
    pub fn auths_dir(&self) -> &Path {
        &self.started.auths_dir
    }

    /// Says what is to be read: the file, once there is one.
    fn request(&self, in_force: &InForce) -> Load {
        Load { file: in_force.file.clone(), ..self.request.clone() }
    }

    /// Reads the files, and puts in force what changed. What is wrong with them is told in the log.
    async fn take_up_file(&self, in_force: &mut InForce, cause: &'static str) {
        let Some(loaded) = reload::read(self.request(in_force), cause).await else { return };
        if self.kept.is_none() {
            return Box::pin(self.take_up_shared(in_force, loaded, cause)).await;
        }
        let same = loaded.text == in_force.text && loaded.config.snapshot == in_force.snapshot;
        // Somebody who asks for it is told in any case; the file of a change over the API is not read as another.
        if same && cause != reload::SIGNAL {
            return;
        }
        reload::tell(&self.started, &loaded.config);
        match self.put(in_force, loaded.config, loaded.text, &Author::file("reload")).await {
            Ok(_) => tracing::info!(cause, "the configuration was loaded again"),
            Err(error) => reload::refused(&anyhow::Error::from(error), cause),
        }
    }

    /// Puts a configuration in force, and keeps its text.
    async fn put(
        &self,
        in_force: &mut InForce,
        config: Config,
        text: String,
        author: &Author,
    ) -> Result<Applied, ApplyError> {
        let applied = self.handle.change(config.snapshot.clone(), author).await?;
        in_force.needs_restart = self.started.needs_restart(&config);
        in_force.snapshot = config.snapshot;
        in_force.text.clone_from(&text);
        self.keep(applied.config, text).await;
        Ok(applied)
    }

    /// Keeps a text for a rollback. It is in force by then: where that fails, it only cannot be rolled back to.
    async fn keep(&self, id: ConfigId, text: String) {
        let Some(kept) = self.kept.clone() else { return };
        if let Err(error) = off_path(move || kept.keep(id, &text)).await {
            tracing::warn!(%error, config = %id, "the text of a configuration is not kept; it cannot be rolled back to");
        }
    }

    async fn read(&self, name: String, text: String, request: Load) -> Result<Config, Refused> {
        // What it refers to may be on a slow disk.
        off_path(move || cliproxy_config::load_text(&name, &text, &request)).await.map_err(mistakes::refused)
    }

    /// Gives the text in force. Where the database has it, another replica may have replaced its comments.
    async fn text_in_force(&self, in_force: &InForce) -> String {
        let shared = match self.kept {
            Some(_) => None,
            None => self.handle.text(self.handle.in_force()).await.ok().flatten(),
        };
        shared.unwrap_or_else(|| in_force.text.clone())
    }

    async fn carry_out(&self, new: NewText) -> Result<Replaced, Refused> {
        let mut in_force = self.in_force.lock().await;
        if self.kept.is_none() {
            return Box::pin(self.replace_shared(&mut in_force, new)).await;
        }
        // What was written by hand comes first: it is numbered and kept, and not lost.
        self.take_up_file(&mut in_force, "a change over the API").await;
        let number = self.handle.in_force();
        if let Some(expected) = new.expected.filter(|expected| *expected != number) {
            return Err(Refused::Superseded { expected, in_force: number });
        }
        let request = self.request(&in_force);
        let config = self.read(new.name, new.text.clone(), request).await?;
        let (file, written) = write(&in_force, new.text.clone()).await?;
        let warnings = config.warnings.clone();
        match self.put(&mut in_force, config, new.text, &new.author).await {
            Ok(applied) => {
                in_force.file = Some(file);
                Ok(Replaced { applied, needs_restart: owned(&in_force.needs_restart), warnings })
            }
            Err(error) => {
                put_back(written).await;
                Err(error.into())
            }
        }
    }
}

/// Writes a text into the file in force, or where the process finds it at its next start.
async fn write(in_force: &InForce, text: String) -> Result<(PathBuf, Written), Refused> {
    let (file, new) = match &in_force.file {
        Some(file) => (file.clone(), false),
        None => (PathBuf::from(DEFAULT_FILE), true),
    };
    let path = file.clone();
    let written = off_path(move || match new && path.exists() {
        true => Err(None),
        false => Written::replace(&path, &text).map_err(Some),
    });
    match written.await {
        Ok(written) => Ok((file, written)),
        Err(None) => Err(Refused::File(format!(
            "{} appeared after the start, and is not in force; restart the process to take it up, or remove it",
            file.display()
        ))),
        Err(Some(error)) => {
            Err(Refused::File(format!("{} cannot be written: {error}; {FILE_REMEDY}", file.display())))
        }
    }
}

/// Puts back what stood in the file before.
async fn put_back(written: Written) {
    if let Err(error) = off_path(move || written.undo()).await {
        tracing::error!(
            %error,
            "the configuration file holds a text that could not be put in force; the next start takes it up"
        );
    }
}

/// Does what waits for a disk where it holds up nobody.
async fn off_path<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match spawn_blocking(work).await {
        Ok(done) => done,
        // Nobody cancels it.
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

fn owned(keys: &[&'static str]) -> Vec<String> {
    keys.iter().map(|key| (*key).to_owned()).collect()
}

impl Follow for Arc<Configuration> {
    async fn load_again(&mut self, cause: &'static str) {
        let mut in_force = self.in_force.lock().await;
        self.take_up_file(&mut in_force, cause).await;
    }
}

impl Configurations for Configuration {
    fn shown(&self) -> Reading<'_, Shown> {
        Box::pin(async {
            let in_force = self.in_force.lock().await;
            let text = self.text_in_force(&in_force).await;
            Shown {
                text: off_path(move || cliproxy_config::masked(&text)).await,
                file: in_force
                    .file
                    .as_ref()
                    .filter(|_| self.kept.is_some())
                    .map(|file| file.display().to_string()),
                needs_restart: owned(&in_force.needs_restart),
            }
        })
    }

    fn check(&self, text: String) -> Reading<'_, Result<Checked, Refused>> {
        Box::pin(async {
            let request = self.request(&*self.in_force.lock().await);
            let config = match self.kept {
                Some(_) => self.read("body".to_owned(), text, request).await?,
                None => self.read_shared("body".to_owned(), text).await?,
            };
            let needs_restart = owned(&self.started.needs_restart(&config));
            Ok(Checked { snapshot: config.snapshot, needs_restart, warnings: config.warnings })
        })
    }

    fn replace(&self, new: NewText) -> Reading<'_, Result<Replaced, Refused>> {
        Box::pin(self.carry_out(new))
    }

    fn kept(&self) -> Reading<'_, BTreeSet<ConfigId>> {
        match self.kept.clone() {
            Some(kept) => Box::pin(off_path(move || kept.numbers())),
            None => Box::pin(self.shared_numbers()),
        }
    }

    fn kept_text(&self, id: ConfigId) -> Reading<'_, Option<String>> {
        match self.kept.clone() {
            Some(kept) => Box::pin(off_path(move || kept.text(id))),
            None => Box::pin(async move { self.handle.text(id).await.ok().flatten() }),
        }
    }

    fn take_up(&self) -> Reading<'_, ()> {
        Box::pin(async {
            if self.kept.is_none() {
                let mut in_force = self.in_force.lock().await;
                self.adopt_newest(&mut in_force).await;
            }
        })
    }

    fn number_again(&self) -> Reading<'_, ()> {
        Box::pin(async {
            if self.kept.is_none() {
                let mut in_force = self.in_force.lock().await;
                self.number_shared_again(&mut in_force).await;
            }
        })
    }
}

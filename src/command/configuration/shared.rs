//! Texts that several control planes have in common, in their database.
//!
//! The text of the highest number is in force everywhere. Each control plane reads it with its own variables and files of
//! credentials; where these give something else than where it was numbered, nodes are offered nothing rather than that.
//! A file that was numbered before is not put in force again: whatever replaced it is the newer word.

use super::{Configuration, InForce, off_path, owned};
use crate::command::{
    configuration::mistakes,
    reload::{self, SIGNAL},
    setup::Loaded,
};
use cliproxy_config::{Config, Load};
use cliproxy_controlplane::{Applied, ApplyError, Author, Handle, NewText, Proposal, Refused, Replaced};
use cliproxy_domain::ConfigId;
use std::collections::BTreeSet;

/// Among how many of the newest configurations a file is looked for.
const KNOWN: u32 = 100;
/// How many are listed as kept.
const LISTED: u32 = 1_000;
/// How often a change is tried that no configuration was expected for, while other replicas are faster.
const TRIES: u32 = 5;
/// In the place of the database that a text names. Which one a process uses is settled at its start, and a text that
/// names none, or a file, is left in the database all the same: no key may stand in it.
const ANY_DATABASE: &str = r#"control_plane.database.url="postgres://shared/database""#;
/// Why what a text gives here is not what it gave where it was numbered.
const DIFFERS: &str = "it gives something else here than where it was numbered, most likely other keys; give this \
                       process the same variables, files of auths_dir and --set arguments, or send the text again \
                       with PUT /v0/operations/config";

/// What the store knows of a file's text.
enum Place {
    /// It was never numbered.
    New,
    /// It is the newest.
    Newest(ConfigId),
    /// It was numbered, and another one since.
    Older(ConfigId),
}

impl Configuration {
    /// Puts the file of the start in force, or what replaced it.
    pub(super) async fn join(&self) -> Result<(), ApplyError> {
        let mut in_force = self.in_force.lock().await;
        let (config, text) = (self.started.clone(), in_force.text.clone());
        match self.place(&config, &text).await? {
            Place::New => {
                self.propose(&mut in_force, config, text, None, &Author::file("start")).await?;
            }
            Place::Newest(id) => {
                self.handle.adopt(id, config.snapshot).await?;
                // It may have other comments than the file, from an operator.
                if let Some(kept) = self.handle.text(id).await? {
                    in_force.text = kept;
                }
            }
            Place::Older(id) => {
                tracing::info!(file = %id, "the file is the text of an earlier configuration; the newest is taken up");
                self.adopt_newest(&mut in_force).await;
            }
        }
        Ok(())
    }

    /// Finds out whether a file was numbered before. One that is not there was replaced by whatever is.
    async fn place(&self, config: &Config, text: &str) -> Result<Place, ApplyError> {
        let hash = Handle::hash(&config.snapshot)?;
        let numbered = self.handle.numbered(KNOWN).await?;
        let Some(newest) = numbered.first() else { return Ok(Place::New) };
        if newest.hash == hash {
            return Ok(Place::Newest(newest.id));
        }
        if self.request.file.is_none() {
            return Ok(Place::Older(ConfigId(0)));
        }
        for known in &numbered {
            // Read with other keys it has another hash; the text is the same.
            if known.hash == hash || self.handle.text(known.id).await?.as_deref() == Some(text) {
                return Ok(Place::Older(known.id));
            }
        }
        Ok(Place::New)
    }

    /// Puts the newest text of the store in force. Where it cannot be made here, nodes are offered none.
    pub(super) async fn adopt_newest(&self, in_force: &mut InForce) {
        if let Err(error) = self.try_newest(in_force).await {
            tracing::warn!(%error, "the newest configuration could not be taken up; it is tried again");
        }
    }

    async fn try_newest(&self, in_force: &mut InForce) -> Result<(), ApplyError> {
        let numbered = self.handle.numbered(1).await?;
        let Some(newest) = numbered.first() else { return Ok(()) };
        let Some(text) = self.handle.text(newest.id).await? else {
            self.handle.withhold(newest.id, "the database has no text of it").await;
            return Ok(());
        };
        let config = match self.read_shared(format!("configuration {}", newest.id), text.clone()).await {
            Ok(config) => config,
            Err(error) => {
                self.handle.withhold(newest.id, &error.to_string()).await;
                return Ok(());
            }
        };
        if Handle::hash(&config.snapshot)? != newest.hash {
            self.handle.withhold(newest.id, DIFFERS).await;
            return Ok(());
        }
        reload::tell(&self.started, &config);
        self.handle.adopt(newest.id, config.snapshot.clone()).await?;
        self.note(in_force, config, text);
        Ok(())
    }

    /// Takes up a file that was read again: what it says when it changed, else what its keys are now.
    pub(super) async fn take_up_shared(&self, in_force: &mut InForce, loaded: Loaded, cause: &'static str) {
        let changed = in_force.file_text != loaded.text;
        in_force.file_text.clone_from(&loaded.text);
        let done = match changed {
            true => self.take_up_text(in_force, loaded).await,
            false => self.take_up_keys(in_force).await,
        };
        match done {
            Ok(true) => tracing::info!(cause, "the configuration was loaded again"),
            Ok(false) if cause == SIGNAL => tracing::info!(cause, "the configuration is as it was"),
            Ok(false) => {}
            Err(error) => reload::refused(&anyhow::Error::from(error), cause),
        }
    }

    async fn take_up_text(&self, in_force: &mut InForce, loaded: Loaded) -> Result<bool, ApplyError> {
        let Loaded { config, text } = loaded;
        match self.place(&config, &text).await? {
            Place::New => {
                reload::tell(&self.started, &config);
                self.propose(in_force, config, text, None, &Author::file("reload")).await?;
                Ok(true)
            }
            Place::Newest(id) => {
                self.handle.adopt(id, config.snapshot.clone()).await?;
                // Its comments may be new.
                match self.propose(in_force, config, text, Some(id), &Author::file("reload")).await {
                    // Whoever was faster is followed.
                    Err(ApplyError::Superseded { .. }) => Ok(false),
                    other => other.map(|_| true),
                }
            }
            Place::Older(id) => {
                tracing::warn!(
                    config = %id,
                    "the file holds an earlier configuration, and the newest goes on; roll back to it by \
                     POST /v0/operations/config/rollback"
                );
                Ok(false)
            }
        }
    }

    /// Reads the text in force again: the keys that it refers to may have changed.
    async fn take_up_keys(&self, in_force: &mut InForce) -> Result<bool, ApplyError> {
        let number = self.handle.in_force();
        if !self.handle.is_offered(number) {
            // Another replica's keys may be here by now. One's own are not put in their place.
            self.try_newest(in_force).await?;
            return Ok(false);
        }
        // Its comments may have changed, which no number tells.
        let text = self.handle.text(number).await?.unwrap_or_else(|| in_force.text.clone());
        let Ok(config) = self.read_shared(format!("configuration {number}"), text.clone()).await else {
            return Ok(false);
        };
        if config.snapshot == in_force.snapshot {
            return Ok(false);
        }
        match self.propose(in_force, config, text, Some(number), &Author::file("reload")).await {
            // Whoever was faster is followed.
            Err(ApplyError::Superseded { .. }) => Ok(false),
            other => other.map(|_| true),
        }
    }

    /// Puts an operator's text in force everywhere.
    pub(super) async fn replace_shared(
        &self,
        in_force: &mut InForce,
        new: NewText,
    ) -> Result<Replaced, Refused> {
        let mut tries = 1;
        loop {
            let newest = self.newest().await?;
            if newest != self.handle.in_force() {
                self.adopt_newest(in_force).await;
            }
            if let Some(expected) = new.expected.filter(|expected| *expected != newest) {
                return Err(Refused::Superseded { expected, in_force: newest });
            }
            let config = self.read_shared(new.name.clone(), new.text.clone()).await?;
            let mut warnings = config.warnings.clone();
            let text_before = in_force.text.clone();
            let proposed = self.propose(in_force, config, new.text.clone(), Some(newest), &new.author).await;
            match (proposed, new.expected) {
                (Ok(applied), _) => {
                    if applied.config == applied.before && text_before != new.text {
                        warnings.push(
                            "nothing changes that nodes are told: the text is replaced, the number stays"
                                .to_owned(),
                        );
                    }
                    let needs_restart = owned(&in_force.needs_restart);
                    return Ok(Replaced { applied, needs_restart, warnings });
                }
                (Err(ApplyError::Superseded { newest }), Some(expected)) => {
                    return Err(Refused::Superseded { expected, in_force: newest });
                }
                (Err(ApplyError::Superseded { .. }), None) if tries < TRIES => tries += 1,
                (Err(error), _) => return Err(error.into()),
            }
        }
    }

    async fn newest(&self) -> Result<ConfigId, Refused> {
        let numbered = self.handle.numbered(1).await.map_err(ApplyError::from)?;
        Ok(numbered.first().map_or(ConfigId(0), |newest| newest.id))
    }

    /// Has the configuration in force numbered in another history of the store, where that one has lost it.
    pub(super) async fn number_shared_again(&self, in_force: &mut InForce) {
        let number = self.handle.in_force();
        if number == ConfigId(0) || !self.handle.is_offered(number) {
            return self.adopt_newest(in_force).await;
        }
        if let Err(error) = self.try_number_again(in_force, number).await {
            tracing::error!(%error, "the configuration in force could not be numbered anew; it is tried again");
        }
    }

    /// Numbers what is in force unless the store has it, or one with a higher number: that one is newer, be it of this
    /// history or of the one before, as this replica may have been away while others went on.
    async fn try_number_again(&self, in_force: &mut InForce, number: ConfigId) -> Result<(), ApplyError> {
        let hash = Handle::hash(&in_force.snapshot)?;
        loop {
            let numbered = self.handle.numbered(1).await?;
            let newest = numbered.first().map_or(ConfigId(0), |newest| newest.id);
            if newest > number {
                self.adopt_newest(in_force).await;
                return Ok(());
            }
            if newest == number && numbered.first().is_some_and(|newest| newest.hash == hash) {
                return Ok(());
            }
            let author = Author::file("the database has another history");
            let (snapshot, text) = (in_force.snapshot.clone(), Some(in_force.text.clone()));
            let again = Proposal { snapshot, text, follows: Some(newest), author };
            match self.handle.propose(again).await {
                // Another replica was faster: with the same one, or with a newer one.
                Err(ApplyError::Superseded { .. }) => {}
                other => return other.map(|_| ()),
            }
        }
    }

    /// Leaves a text with the store, and puts it in force.
    async fn propose(
        &self,
        in_force: &mut InForce,
        config: Config,
        text: String,
        follows: Option<ConfigId>,
        author: &Author,
    ) -> Result<Applied, ApplyError> {
        let proposal = Proposal {
            snapshot: config.snapshot.clone(),
            text: Some(text.clone()),
            follows,
            author: author.clone(),
        };
        let applied = self.handle.propose(proposal).await?;
        // Of equal ones at once the store keeps one text.
        let kept = self.handle.text(applied.config).await.ok().flatten().unwrap_or(text);
        self.note(in_force, config, kept);
        Ok(applied)
    }

    fn note(&self, in_force: &mut InForce, config: Config, text: String) {
        in_force.needs_restart = self.started.needs_restart(&config);
        in_force.snapshot = config.snapshot;
        in_force.text = text;
    }

    /// Reads a text that all control planes are to read alike.
    pub(super) async fn read_shared(&self, name: String, text: String) -> Result<Config, Refused> {
        let mut request = Load { file: None, ..self.request.clone() };
        request.overrides.push(ANY_DATABASE.to_owned());
        let read = off_path(move || cliproxy_config::load_text(&name, &text, &request)).await;
        let mut config = read.map_err(mistakes::refused)?;
        config.control_plane.database = self.started.control_plane.database.clone();
        Ok(config)
    }

    pub(super) async fn shared_numbers(&self) -> BTreeSet<ConfigId> {
        let numbered = self.handle.numbered(LISTED).await.unwrap_or_default();
        numbered.into_iter().map(|known| known.id).collect()
    }
}

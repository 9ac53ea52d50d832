//! Configurations of a control plane whose texts live in the database, as replicas share them.

use crate::world::{CONFIG, World, read};
use cliproxy_controlplane::{
    ApplyError, Author, Checked, Configurations, Handle, NewText, Proposal, Reading, Refused, Replaced, Shown,
};
use cliproxy_domain::{ConfigId, configuring::ConfigMistake};
use cliproxy_store::{MemoryStore, Store as _, StoreError};
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

/// The texts of one replica.
pub struct Texts {
    store: MemoryStore,
    handle: Handle,
    /// The one in force.
    text: Mutex<String>,
}

impl Texts {
    /// Knows of no text yet.
    pub fn new(store: MemoryStore, handle: Handle) -> Arc<Self> {
        Arc::new(Self { store, handle, text: Mutex::new(CONFIG.to_owned()) })
    }

    /// Puts in force what the database has, or the file where it has nothing; again and again until it is taken.
    pub async fn start(&self, world: &World, name: &str) {
        while let Err(error) = self.take_newest().await {
            world.tell(name, &format!("no configuration: {error}"));
            tokio::time::sleep(super::RESTART).await;
        }
    }

    async fn take_newest(&self) -> Result<(), ApplyError> {
        let newest = self.store.active_config().await.map_err(ApplyError::from)?;
        let (follows, text, author) = match newest {
            Some(newest) => {
                let text = self.store.config_text(newest.id).await.map_err(ApplyError::from)?;
                let missing = || StoreError::Corrupt(format!("configuration {} has no text", newest.id));
                (newest.id, text.ok_or_else(missing)?, "database")
            }
            None => (ConfigId(0), CONFIG.to_owned(), "file"),
        };
        self.put(text, Some(follows), Author { name: author.to_owned(), ..Author::default() })
            .await
            .map(|_| ())
    }

    async fn put(
        &self,
        text: String,
        follows: Option<ConfigId>,
        author: Author,
    ) -> Result<cliproxy_controlplane::Applied, ApplyError> {
        let snapshot = read(&text).expect("it was read before it was stored");
        let proposal = Proposal { snapshot, text: Some(text.clone()), follows, author };
        let applied = self.handle.propose(proposal).await?;
        *self.text.lock().expect("no panic") = text;
        Ok(applied)
    }

    /// Numbers what is in force unless the database has a later one.
    async fn number_what_is_lost(&self) -> Result<(), ApplyError> {
        let newest = self.handle.numbered(1).await.map_err(ApplyError::from)?;
        let newest = newest.first().map_or(ConfigId(0), |newest| newest.id);
        if newest > self.handle.in_force() {
            return self.take_newest().await;
        }
        let author = Author { name: "history".to_owned(), ..Author::default() };
        self.put(self.text(), Some(newest), author).await.map(|_| ())
    }

    fn text(&self) -> String {
        self.text.lock().expect("no panic").clone()
    }

    async fn carry_out(&self, new: NewText) -> Result<Replaced, Refused> {
        let in_force = self.handle.in_force();
        if let Some(expected) = new.expected.filter(|expected| *expected != in_force) {
            return Err(Refused::Superseded { expected, in_force });
        }
        self.checked(&new.text)?;
        let applied = self.put(new.text, Some(in_force), new.author).await?;
        Ok(Replaced { applied, needs_restart: Vec::new(), warnings: Vec::new() })
    }

    fn checked(&self, text: &str) -> Result<Checked, Refused> {
        let wrong = |report: String| Refused::Wrong { report, mistakes: Vec::<ConfigMistake>::new() };
        let snapshot = read(text).map_err(wrong)?;
        Ok(Checked { snapshot, needs_restart: Vec::new(), warnings: Vec::new() })
    }
}

impl Configurations for Texts {
    fn shown(&self) -> Reading<'_, Shown> {
        let shown = Shown { text: self.text(), file: None, needs_restart: Vec::new() };
        Box::pin(async { shown })
    }

    fn check(&self, text: String) -> Reading<'_, Result<Checked, Refused>> {
        Box::pin(async move { self.checked(&text) })
    }

    fn replace(&self, new: NewText) -> Reading<'_, Result<Replaced, Refused>> {
        Box::pin(self.carry_out(new))
    }

    fn kept(&self) -> Reading<'_, BTreeSet<ConfigId>> {
        Box::pin(async { BTreeSet::new() })
    }

    fn kept_text(&self, id: ConfigId) -> Reading<'_, Option<String>> {
        Box::pin(async move { self.store.config_text(id).await.ok().flatten() })
    }

    fn take_up(&self) -> Reading<'_, ()> {
        Box::pin(async {
            if let Err(error) = self.take_newest().await {
                tracing::warn!(%error, "the newest configuration was not taken up");
            }
        })
    }

    fn number_again(&self) -> Reading<'_, ()> {
        Box::pin(async {
            if let Err(error) = self.number_what_is_lost().await {
                tracing::warn!(%error, "the configuration was not numbered anew");
            }
        })
    }
}

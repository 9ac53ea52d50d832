//! What the node keeps for its next start, and how that start goes.

use super::{super::last_known_good::Saved, Have, Offered, Subscriber};
use cliproxy_domain::{ConfigId, Hint};
use cliproxy_host::Disk;
use cliproxy_proto::convert::config::EntrySet;
use std::{io, sync::Arc, time::Duration};

/// How soon what the disk did not take is tried again.
const SAVE_AGAIN: Duration = Duration::from_secs(10);

impl Subscriber {
    /// Puts in force what the disk holds, save a configuration that the node dies of where there is an older one.
    pub(super) fn load(&mut self) {
        let now = self.clock.wall();
        let mut saved = self.files.load_all(now);
        let is_deadly = |saved: &Saved| self.guard.dies_of(&saved.history, saved.config).is_some();
        let first = saved.iter().position(|saved| !is_deadly(saved)).unwrap_or(0);
        if let Some(deadly) = saved.first().filter(|_| first > 0) {
            tracing::error!(
                config = %deadly.config,
                "the node died three times within a minute of putting this configuration in force; it starts from an older one"
            );
        }
        for saved in saved.drain(..).skip(first) {
            if self.start_from(saved) {
                return;
            }
        }
    }

    /// Puts in force what was saved. Tells whether that could be done.
    fn start_from(&mut self, saved: Saved) -> bool {
        let now = self.clock.wall();
        let Saved { history, config, entries, snapshot, hints, saved_hints } = saved;
        // Configuration 0 is none: a node that ran alone saved it, whose file says what is configured.
        if config != ConfigId(0) {
            self.guard.begins(&history, config);
            self.noted(self.guard.writing()());
            if let Err(error) = self.live.adopt(config, snapshot) {
                tracing::warn!(%config, %error, "a saved configuration cannot be used");
                return false;
            }
            tracing::info!(%config, "the last known good configuration is in force");
        }
        let of_health = |hint: &Hint| matches!(hint, Hint::Health(_));
        let (words, others): (Vec<_>, Vec<_>) = saved_hints.into_iter().partition(of_health);
        for hint in words {
            if let Hint::Health(word) = hint {
                self.health.heard(word, now);
            }
        }
        // All at once: each word on a key has the index of keys built anew.
        self.live.hint_all(others, now);
        self.have = Have { history, config, entries, hints };
        true
    }

    /// Puts in force what a control plane offers that is yet to be heard, save what the node dies of: what the disk holds
    /// may be older.
    pub(in super::super) fn begin_with(&mut self, offered: Offered) {
        let Offered { history, config, snapshot } = offered;
        let is_of_history = self.have.history == history;
        let has_it = is_of_history && self.have.config >= config;
        if has_it || self.guard.dies_of(&history, config).is_some() {
            return;
        }
        self.guard.begins(&history, config);
        self.noted(self.guard.writing()());
        let entries = EntrySet::from_snapshot(&snapshot);
        if let Err(error) = self.live.adopt(config, snapshot) {
            self.guard.takes_back();
            return tracing::warn!(%config, %error, "what the control plane offers cannot be used");
        }
        tracing::info!(%config, "what the control plane offers is in force");
        // What is known of another history is told as it is: it is taken anew from whoever welcomes the node.
        if is_of_history || self.have.history.0.is_empty() {
            self.have = Have { history, config, entries, hints: self.have.hints };
            self.dirty = true;
        }
        self.show_config();
    }

    /// Notes that a configuration is about to be put in force; says for how long it is left alone yet when the node dies
    /// of it.
    pub(super) async fn begins(&mut self, config: ConfigId) -> Result<(), Duration> {
        if let Some(again_in) = self.guard.dies_of(&self.have.history, config) {
            return Err(again_in);
        }
        self.guard.begins(&self.have.history, config);
        let noted = on_disk(&self.disk, self.guard.writing()).await;
        self.noted(noted);
        Ok(())
    }

    /// Does what is due now and then: saves what is new, and notes that the node lives.
    pub(super) async fn keep(&mut self) {
        if self.guard.lives() {
            let noted = on_disk(&self.disk, self.guard.writing()).await;
            self.noted(noted);
        }
        if self.dirty {
            self.save().await;
        }
    }

    fn noted(&self, written: io::Result<()>) {
        if let Err(error) = written {
            tracing::warn!(%error, "it could not be noted which configuration is put in force");
        }
    }

    /// Saves what the node has, for its next start. Failing to is reported, costs nothing until then, and is tried again.
    ///
    /// A node that runs alone has its configuration from its file, and saves what rests alone.
    async fn save(&mut self) {
        if self.save_again.is_some_and(|at| self.clock.now() < at) {
            return;
        }
        let has_something = self.have.config != ConfigId(0) || self.link.is_alone();
        if !std::mem::take(&mut self.dirty) || !has_something {
            return;
        }
        let now = self.clock.wall();
        let saved_hints = self.hints_to_save();
        self.saved.clone_from(&saved_hints);
        let (files, history, entries) =
            (self.files.clone(), self.have.history.clone(), self.have.entries.clone());
        let (config, hints) = (self.have.config, self.have.hints);
        let saving = move || files.save(&history, config, &entries, hints, &saved_hints, now);
        self.save_again = None;
        if let Err(error) = on_disk(&self.disk, saving).await {
            tracing::warn!(%error, "the configuration could not be saved for the next start; it is tried again");
            self.dirty = true;
            self.save_again = Some(self.clock.now() + SAVE_AGAIN);
        }
    }

    /// Saves what is new, also where the disk did not take something a moment ago.
    pub(super) async fn save_at_once(&mut self) {
        self.save_again = None;
        self.save().await;
    }

    /// Saves what the node found out by itself since it last saved.
    pub(in super::super) async fn save_news(&mut self) {
        self.dirty |= self.hints_to_save() != self.saved;
        self.save().await;
    }

    /// Saves what is new, and notes that the node ends in order.
    pub(in super::super) async fn end(&mut self) {
        self.save_again = None;
        self.save_news().await;
        if self.guard.ends() {
            let noted = on_disk(&self.disk, self.guard.writing()).await;
            self.noted(noted);
        }
    }

    /// Gives what is stored of the hints. What this node judged by itself of a provider's health is not saved.
    fn hints_to_save(&self) -> Vec<Hint> {
        let mut hints = self.live.hints();
        hints.retain(|hint| !matches!(hint, Hint::Health(_)));
        hints.extend(self.health.said().into_iter().map(Hint::Health));
        hints
    }
}

/// Does what may block for the time of an `fsync`: on a thread of its own where it does.
async fn on_disk<T: Send + 'static>(
    disk: &Arc<dyn Disk>,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    if !disk.blocks() {
        return work();
    }
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other).flatten()
}

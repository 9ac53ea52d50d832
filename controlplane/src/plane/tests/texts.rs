//! A configuration whose text is `attempts: N`, kept in memory.

use super::harness::{snapshot_with_attempts, within};
use crate::{
    Applied, Author, Checked, Configurations, Handle, NewText, Proposal, Reading, Refused, Replaced, Shown,
};
use cliproxy_domain::{ConfigId, Snapshot, configuring::ConfigMistake};
use parking_lot::Mutex;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use tokio::sync::Notify;

/// The texts of a control plane.
pub(super) struct Texts {
    handle: Handle,
    /// Whether texts are left with the store for other replicas.
    shared: bool,
    turn: tokio::sync::Mutex<()>,
    known: Mutex<Known>,
    /// When set, a change waits for it before it is put in force.
    gate: Mutex<Option<Arc<Notify>>>,
    /// Told when a change waits at the gate.
    held: Notify,
}

#[derive(Default)]
struct Known {
    text: String,
    kept: BTreeMap<ConfigId, String>,
    read_only: bool,
    fails_to_number: bool,
}

impl Texts {
    pub(super) fn new(handle: Handle, shared: bool) -> Self {
        Self {
            handle,
            shared,
            turn: tokio::sync::Mutex::default(),
            known: Mutex::default(),
            gate: Mutex::default(),
            held: Notify::new(),
        }
    }

    /// From now on the file cannot be written.
    pub(super) fn make_read_only(&self) {
        self.known.lock().read_only = true;
    }

    /// Fails the next time that it is to number the configuration in force anew.
    pub(super) fn fail_to_number(&self) {
        self.known.lock().fails_to_number = true;
    }

    /// Forgets the text of a configuration.
    pub(super) fn forget(&self, id: u64) {
        self.known.lock().kept.remove(&ConfigId(id));
    }

    /// Lets changes wait until the gate is told.
    pub(super) fn hold(&self) -> Arc<Notify> {
        let gate = Arc::new(Notify::new());
        *self.gate.lock() = Some(Arc::clone(&gate));
        gate
    }

    /// Waits until a change waits at the gate.
    pub(super) async fn is_held(&self) {
        within(self.held.notified()).await;
    }

    /// Gives what stands in the file.
    pub(super) fn text(&self) -> String {
        self.known.lock().text.clone()
    }

    fn proposal(&self, snapshot: Snapshot, new: &NewText, in_force: ConfigId) -> Proposal {
        let (text, follows) = match self.shared {
            true => (Some(new.text.clone()), Some(in_force)),
            false => (None, None),
        };
        Proposal { snapshot, text, follows, author: new.author.clone() }
    }

    /// Puts the newest text of the store in force.
    async fn adopt(&self) {
        let newest =
            self.handle.numbered(1).await.ok().and_then(|newest| newest.first().map(|newest| newest.id));
        let Some(id) = newest else { return };
        let Ok(Some(text)) = self.handle.text(id).await else { return };
        match read("store", &text) {
            Ok(checked) => self.handle.adopt(id, checked.snapshot).await.unwrap(),
            Err(error) => self.handle.withhold(id, &error.to_string()).await,
        }
        self.known.lock().text = text;
    }

    async fn carry_out(&self, new: NewText) -> Result<Replaced, Refused> {
        let _turn = self.turn.lock().await;
        let in_force = self.handle.in_force();
        if let Some(expected) = new.expected.filter(|expected| *expected != in_force) {
            return Err(Refused::Superseded { expected, in_force });
        }
        let checked = read(&new.name, &new.text)?;
        if self.known.lock().read_only {
            return Err(Refused::File("config.yaml cannot be written".to_owned()));
        }
        let gate = self.gate.lock().clone();
        if let Some(gate) = gate {
            self.held.notify_one();
            within(gate.notified()).await;
        }
        let applied: Applied = self.handle.propose(self.proposal(checked.snapshot, &new, in_force)).await?;
        let mut known = self.known.lock();
        known.kept.insert(applied.config, new.text.clone());
        known.text = new.text;
        Ok(Replaced { applied, needs_restart: checked.needs_restart, warnings: checked.warnings })
    }
}

fn read(name: &str, text: &str) -> Result<Checked, Refused> {
    let Some(attempts) = text.trim().strip_prefix("attempts: ").and_then(|number| number.parse().ok()) else {
        let mistake = ConfigMistake {
            file: Some(name.to_owned()),
            line: Some(1),
            column: Some(3),
            message: "this is no number of attempts".to_owned(),
            excerpt: Some("the line".to_owned()),
        };
        return Err(Refused::Wrong {
            report: format!("{name}:1:3: this is no number of attempts"),
            mistakes: vec![mistake],
        });
    };
    Ok(Checked {
        snapshot: snapshot_with_attempts(attempts),
        needs_restart: vec!["server.listen".to_owned()],
        warnings: vec!["attempts are counted".to_owned()],
    })
}

impl Configurations for Texts {
    fn shown(&self) -> Reading<'_, Shown> {
        let text = self.text();
        let file = Some("config.yaml".to_owned());
        Box::pin(async { Shown { text, file, needs_restart: vec!["metrics".to_owned()] } })
    }

    fn check(&self, text: String) -> Reading<'_, Result<Checked, Refused>> {
        Box::pin(async move { read("body", &text) })
    }

    fn replace(&self, new: NewText) -> Reading<'_, Result<Replaced, Refused>> {
        Box::pin(self.carry_out(new))
    }

    fn kept(&self) -> Reading<'_, BTreeSet<ConfigId>> {
        Box::pin(async { self.known.lock().kept.keys().copied().collect() })
    }

    fn kept_text(&self, id: ConfigId) -> Reading<'_, Option<String>> {
        Box::pin(async move { self.known.lock().kept.get(&id).cloned() })
    }

    fn take_up(&self) -> Reading<'_, ()> {
        Box::pin(self.adopt())
    }

    fn number_again(&self) -> Reading<'_, ()> {
        Box::pin(async {
            if std::mem::take(&mut self.known.lock().fails_to_number) {
                return;
            }
            let (_turn, text) = (self.turn.lock().await, self.text());
            let Ok(checked) = read("store", &text) else { return };
            let author = Author::file("the store has another history");
            let new = Proposal { snapshot: checked.snapshot, text: Some(text), follows: None, author };
            self.handle.propose(new).await.unwrap();
        })
    }
}

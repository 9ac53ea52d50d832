//! A configuration whose text is `attempts: N`, kept in memory.

use super::harness::{snapshot_with_attempts, within};
use crate::{Applied, Checked, Configurations, Handle, NewText, Reading, Refused, Replaced, Shown};
use cliproxy_domain::{ConfigId, configuring::ConfigMistake};
use parking_lot::Mutex;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use tokio::sync::Notify;

/// The texts of a control plane.
pub(super) struct Texts {
    handle: Handle,
    turn: tokio::sync::Mutex<()>,
    known: Mutex<Known>,
    /// When set, a change waits for it before it is put in force.
    gate: Mutex<Option<Arc<Notify>>>,
}

#[derive(Default)]
struct Known {
    text: String,
    kept: BTreeMap<ConfigId, String>,
    read_only: bool,
}

impl Texts {
    pub(super) fn new(handle: Handle) -> Self {
        Self { handle, turn: tokio::sync::Mutex::default(), known: Mutex::default(), gate: Mutex::default() }
    }

    /// From now on the file cannot be written.
    pub(super) fn make_read_only(&self) {
        self.known.lock().read_only = true;
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

    /// Gives what stands in the file.
    pub(super) fn text(&self) -> String {
        self.known.lock().text.clone()
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
            within(gate.notified()).await;
        }
        let applied: Applied = self.handle.change(checked.snapshot, &new.author).await?;
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
}

//! Hints as SQL stores write them: kind, key and body as text, the same in every database.
//!
//! Bodies are JSON that only this file reads. Fields may be added, with a default for what older versions wrote;
//! none may change its name or its meaning, and what a newer version added is passed over.

mod client_key;
mod cooldown;
mod health;
#[cfg(test)]
mod tests;

use crate::{HintChange, StoreError};
use cliproxy_domain::{CooldownKey, Hint, HintKey, HintVersion, Scope, WallTime};
use serde::{Serialize, de::DeserializeOwned};
use std::time::Duration;

/// The kind of [`Hint::Cooldown`].
const COOLDOWN: &str = "cooldown";
/// The kind of [`Hint::Health`].
const HEALTH: &str = "health";
/// The kind of [`Hint::ClientKey`].
const CLIENT_KEY: &str = "client_key";

/// A hint as a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// What it is about.
    pub key: RowKey,
    /// All of it, as JSON.
    pub body: String,
    /// When nothing hangs on it any more; none when something always will.
    pub settled_at: Option<WallTime>,
}

/// What a hint is about, as the key of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowKey {
    /// The word of its kind.
    pub kind: &'static str,
    /// Its names as a JSON array without blanks, which no name can break.
    pub key: String,
}

impl Row {
    /// Writes a hint; none when it is of a kind that is not stored.
    pub fn of(hint: &Hint) -> Option<Self> {
        let key = RowKey::of(&hint.key())?;
        let body = match hint {
            Hint::Cooldown(rest) => text_of(&cooldown::Body::of(rest)),
            Hint::Health(health) => text_of(&health::Body::of(health)),
            Hint::ClientKey(record) => text_of(&client_key::Body::of(record)),
            Hint::Probe(_) | Hint::Signal(_) | Hint::Quota(_) => return None,
        };
        Some(Self { key, body, settled_at: super::settled_at(hint) })
    }
}

impl RowKey {
    /// Writes a key; none when it is of a kind that is not stored.
    pub fn of(key: &HintKey) -> Option<Self> {
        match key {
            HintKey::Cooldown(key) => Some(Self { kind: COOLDOWN, key: text_of(&names(key)) }),
            HintKey::Health(provider) => Some(Self { kind: HEALTH, key: text_of(&[provider]) }),
            HintKey::ClientKey(id) => Some(Self { kind: CLIENT_KEY, key: text_of(&[id]) }),
            HintKey::Probe(_) | HintKey::Signal(..) | HintKey::Quota(_) => None,
        }
    }
}

/// Reads a hint from the kind and the body of its row or of its change in the log; none when a newer version wrote it, of
/// a kind that this one does not know.
///
/// # Errors
/// [`StoreError::Corrupt`] when the body lacks what every version wrote.
pub fn read(kind: &str, body: &str) -> Result<Option<Hint>, StoreError> {
    Ok(Some(match kind {
        COOLDOWN => Hint::Cooldown(parse::<cooldown::Body>(kind, body)?.into_cooldown()?),
        HEALTH => Hint::Health(parse::<health::Body>(kind, body)?.into_health()),
        CLIENT_KEY => Hint::ClientKey(parse::<client_key::Body>(kind, body)?.into_record()?),
        _ => return Ok(None),
    }))
}

/// Changes of the hint line as they are read from a log: what a newer version wrote has its place, and is left out.
#[derive(Debug, Default)]
pub struct Logged {
    changes: Vec<HintChange>,
    first: Option<HintVersion>,
    last: Option<HintVersion>,
    /// A version is missing: it was forgotten between two pages.
    has_gap: bool,
}

impl Logged {
    /// Adds the next row, in rising order of versions.
    ///
    /// # Errors
    /// As [`read`].
    pub fn add(&mut self, version: HintVersion, kind: &str, body: &str) -> Result<(), StoreError> {
        let hint = read(kind, body)
            .map_err(|error| StoreError::Corrupt(format!("change {} cannot be read: {error}", version.0)))?;
        self.changes.extend(hint.map(|hint| HintChange { version, hint }));
        self.first.get_or_insert(version);
        self.has_gap |= self.last.is_some_and(|last| last.next() != version);
        self.last = Some(version);
        Ok(())
    }

    /// Tells whether all that came after that version is here, up to the last row.
    pub fn follows(&self, version: HintVersion) -> bool {
        self.first == Some(version.next()) && !self.has_gap
    }

    /// Tells after which version to read on, as the last `rows` were as many as could be and not all of them are known:
    /// whoever is told of fewer changes than he asked for takes it that there are no more.
    pub fn read_on_after(&self, rows: usize, limit: u32) -> Option<HintVersion> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        self.last.filter(|_| rows >= limit && self.changes.len() < limit)
    }

    /// Gives the changes that are known, so many at most.
    pub fn changes(mut self, limit: u32) -> Vec<HintChange> {
        self.changes.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        self.changes
    }
}

/// Cuts what a body cannot hold, so that every store keeps and answers the same and a repeated value is no change.
pub(super) fn to_stored_precision(mut hint: Hint) -> Hint {
    if let Hint::Cooldown(rest) = &mut hint {
        rest.evidence.hint = rest.evidence.hint.map(|wait| Duration::from_millis(millis(wait)));
        rest.evidence.window = Duration::from_millis(millis(rest.evidence.window));
    }
    hint
}

/// Gives whole milliseconds; what passes 584 million years is cut to that.
fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn names(key: &CooldownKey) -> Vec<&str> {
    let mut names = vec![key.provider.as_str()];
    match &key.scope {
        Scope::Provider => {}
        Scope::Credential(credential) => names.push(credential.as_str()),
        Scope::Model { credential, model } => names.extend([credential.as_str(), model.as_str()]),
    }
    names
}

#[expect(clippy::expect_used, reason = "texts, numbers and flags under fixed names always have a JSON form")]
fn text_of(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("has a JSON form")
}

fn parse<T: DeserializeOwned>(kind: &str, body: &str) -> Result<T, StoreError> {
    serde_json::from_str(body)
        .map_err(|error| StoreError::Corrupt(format!("a hint of the kind `{kind}` cannot be read: {error}")))
}

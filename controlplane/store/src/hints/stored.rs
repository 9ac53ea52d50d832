//! Hints as SQL stores write them: kind, key and body as text, the same in every database.
//!
//! Bodies are JSON that only this file reads. Fields may be added, with a default for what older versions wrote;
//! none may change its name or its meaning, and what a newer version added is passed over.

mod client_key;
mod cooldown;
mod health;
#[cfg(test)]
mod tests;

use crate::StoreError;
use cliproxy_domain::{CooldownKey, Hint, HintKey, Scope, WallTime};
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

/// Reads a hint from the kind and the body of its row or of its change in the log.
///
/// # Errors
/// [`StoreError::Corrupt`] when the kind is unknown, or when the body lacks what every version wrote.
pub fn read(kind: &str, body: &str) -> Result<Hint, StoreError> {
    match kind {
        COOLDOWN => Ok(Hint::Cooldown(parse::<cooldown::Body>(kind, body)?.into_cooldown()?)),
        HEALTH => Ok(Hint::Health(parse::<health::Body>(kind, body)?.into_health())),
        CLIENT_KEY => Ok(Hint::ClientKey(parse::<client_key::Body>(kind, body)?.into_record()?)),
        other => Err(StoreError::Corrupt(format!("a hint is of the unknown kind `{other}`"))),
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

//! What operators ask of the configuration and are answered. REST shows the answers as JSON; gRPC carries the same
//! fields.

use crate::{status::Source, time::WallTime, version::ConfigId};
use serde::Serialize;

/// The answer of `GET /v0/operations/config`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ConfigShown {
    /// Whose knowledge this is.
    pub source: Source,
    /// When it was true.
    pub as_of: WallTime,
    /// The number of the configuration in force.
    pub config: ConfigId,
    /// The file that the text stands in; absent when the process was started without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Keys of the text that differ from what the process was started with, and count at its next start.
    pub needs_restart: Vec<String>,
    /// The text in force, with every secret in it as `*`.
    pub text: String,
}

/// What one configuration has that another has not, by the names of its parts: `policy`, `provider claude`,
/// `model smart`. Sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ConfigChanges {
    /// Parts that are new.
    pub added: Vec<String>,
    /// Parts that have the same name and another content.
    pub changed: Vec<String>,
    /// Parts that are gone.
    pub removed: Vec<String>,
}

/// The answer of `PUT /v0/operations/config` and of `POST /v0/operations/config/rollback`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ConfigApplied {
    /// Whose knowledge this is.
    pub source: Source,
    /// When it was true.
    pub as_of: WallTime,
    /// The number of the configuration in force now.
    pub config: ConfigId,
    /// The number of the one before; the same when nothing changed that nodes are sent.
    pub before: ConfigId,
    /// What changed.
    pub changes: ConfigChanges,
    /// Keys that differ from what the process was started with, and count at its next start.
    pub needs_restart: Vec<String>,
    /// What works but should be known.
    pub warnings: Vec<String>,
}

/// The answer of `POST /v0/operations/config/check`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ConfigCheck {
    /// Whose knowledge this is.
    pub source: Source,
    /// When it was true.
    pub as_of: WallTime,
    /// Whether the text would be taken.
    pub valid: bool,
    /// What would change.
    pub changes: ConfigChanges,
    /// Keys that would count at the next start of the process.
    pub needs_restart: Vec<String>,
    /// What works but should be known.
    pub warnings: Vec<String>,
    /// What is wrong; empty when nothing is.
    pub errors: Vec<ConfigMistake>,
}

/// One thing that is wrong with a text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ConfigMistake {
    /// The text that is at fault: `body`, a credential file, or an argument `--set …`; absent when none is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The line, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// The column in characters, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<u32>,
    /// What is wrong and what to do about it.
    pub message: String,
    /// The line, with secrets replaced by `*`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub excerpt: Option<String>,
}

/// The answer of `GET /v0/operations/config/history`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ConfigHistory {
    /// Whose knowledge this is.
    pub source: Source,
    /// When it was true.
    pub as_of: WallTime,
    /// The newest first.
    pub configs: Vec<ConfigRecord>,
}

/// One numbered configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ConfigRecord {
    /// Its number.
    pub config: ConfigId,
    /// Who made it: the name of an admin token, `loopback`, or `file` for the configuration file.
    pub author: String,
    /// Why.
    pub reason: String,
    /// When.
    pub at: WallTime,
    /// Whether it is the one in force.
    pub in_force: bool,
    /// Whether its text is kept, so that it can be rolled back to.
    pub kept: bool,
}

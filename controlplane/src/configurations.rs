//! Where configurations come from, as the control plane sees it: it reads no files itself, and knows no YAML.

mod parts;

pub(crate) use parts::{Parts, changes, parts_of, parts_of_stored};

use crate::error::ApplyError;
use cliproxy_domain::{ConfigId, configuring::ConfigMistake};
use std::{collections::BTreeSet, future::Future, pin::Pin};

/// What a method of [`Configurations`] gives: boxed, so that the control plane can hold any of them behind one pointer.
pub type Reading<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The texts that configurations are made of: the one in force, and those that were.
pub trait Configurations: Send + Sync + 'static {
    /// Gives the text in force, with every secret in it hidden.
    fn shown(&self) -> Reading<'_, Shown>;

    /// Reads a text as if it stood in the file, with the same variables, overrides and credential files as at the
    /// start. Changes nothing.
    fn check(&self, text: String) -> Reading<'_, Result<Checked, Refused>>;

    /// Writes a text into the file, puts what it says in force, and keeps it for a rollback. One at a time. Where it
    /// fails, the file and the configuration stay as they are. Not to be dropped half way.
    fn replace(&self, new: NewText) -> Reading<'_, Result<Replaced, Refused>>;

    /// Gives the numbers of the configurations whose texts are kept.
    fn kept(&self) -> Reading<'_, BTreeSet<ConfigId>>;

    /// Gives the text that a configuration was made of, secrets included; `None` when it is not kept.
    fn kept_text(&self, id: ConfigId) -> Reading<'_, Option<String>>;

    /// Takes up the newest configuration that the store has, which another replica numbered. Called again from time to
    /// time as long as it is not in force here. Of no concern where there is no other replica.
    fn take_up(&self) -> Reading<'_, ()> {
        Box::pin(async {})
    }

    /// Has the configuration in force numbered anew, as the store has another history, unless that has it, or one with a
    /// higher number. Called again from time to time while the store's newest number is lower than the one in force. Of no
    /// concern where the store cannot go back to an earlier state while it is in use.
    fn number_again(&self) -> Reading<'_, ()> {
        Box::pin(async {})
    }
}

/// The text in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The text, with every secret in it as `*`.
    pub text: String,
    /// The file that it stands in; `None` when the process was started without one.
    pub file: Option<String>,
    /// Keys that differ from what the process was started with.
    pub needs_restart: Vec<String>,
}

/// What a sound text says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// What nodes would be sent.
    pub snapshot: cliproxy_domain::Snapshot,
    /// Keys that would count at the next start.
    pub needs_restart: Vec<String>,
    /// What works but should be known.
    pub warnings: Vec<String>,
}

/// A text that shall be put in force.
#[derive(Clone)]
pub struct NewText {
    /// What reports of mistakes call it.
    pub name: String,
    /// The text, which may hold keys.
    pub text: String,
    /// Who wants it.
    pub author: Author,
    /// The configuration that it is meant to replace; `None` for whichever is in force.
    pub expected: Option<ConfigId>,
}

/// Who changes a configuration, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Author {
    /// The name of an admin token, `loopback`, or `file`.
    pub name: String,
    /// His address; empty for the file.
    pub from: String,
    /// Why, for people.
    pub reason: String,
}

impl Author {
    /// Names the configuration file as the one who changes.
    pub fn file(reason: impl Into<String>) -> Self {
        Self { name: "file".to_owned(), from: String::new(), reason: reason.into() }
    }
}

/// What came of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replaced {
    /// What came into force.
    pub applied: crate::Applied,
    /// Keys that count at the next start.
    pub needs_restart: Vec<String>,
    /// What works but should be known.
    pub warnings: Vec<String>,
}

/// Why a text is not taken. The one before goes on.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// It is wrong.
    #[error("the configuration is refused, and the one in force goes on\n{report}")]
    Wrong {
        /// All that is wrong with line, column and caret, as `cliproxy config check` prints it.
        report: String,
        /// The same, one by one.
        mistakes: Vec<ConfigMistake>,
    },
    /// Another one is in force than the one that it was meant to replace.
    #[error(
        "configuration {in_force} is in force, not {expected}; read it, and send the change again with \
         expected={in_force}"
    )]
    Superseded {
        /// What was expected.
        expected: ConfigId,
        /// What is.
        in_force: ConfigId,
    },
    /// The file cannot take it.
    #[error("{0}")]
    File(String),
    /// It could not be put in force.
    #[error(transparent)]
    Apply(#[from] ApplyError),
}

//! `logging`: what is logged, how and where.

use crate::field::Field;
use std::path::PathBuf;

/// What is logged, how and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logging {
    /// The least important entries that are written.
    pub level: Level,
    /// How an entry looks.
    pub format: Format,
    /// Where entries go.
    pub output: Output,
}

/// How important an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// For whoever develops or searches a fault.
    Debug,
    /// The ordinary level.
    Info,
    /// Something should be looked at.
    Warn,
    /// Something failed.
    Error,
}

impl Level {
    /// Names the level as the configuration and the log spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Level::Debug => "debug",
            Level::Info => "info",
            Level::Warn => "warn",
            Level::Error => "error",
        }
    }
}

/// How an entry looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One JSON object a line.
    Json,
    /// `key=value` pairs.
    Text,
}

/// Where entries go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// The standard output.
    Stdout,
    /// The standard error.
    Stderr,
    /// A file, appended to; relative paths start at the working directory.
    File(PathBuf),
}

impl Default for Logging {
    fn default() -> Self {
        Self { level: Level::Info, format: Format::Json, output: Output::Stdout }
    }
}

/// Reads the section.
pub fn read(root: &Field<'_>) -> Logging {
    let mut logging = Logging::default();
    let Some(section) = root.section("logging") else { return logging };
    let levels = [Level::Debug, Level::Info, Level::Warn, Level::Error].map(|level| (level.as_str(), level));
    if let Some(level) = section.child("level").and_then(|field| field.choice("level", &levels)) {
        logging.level = level;
    }
    let formats = [("json", Format::Json), ("text", Format::Text)];
    if let Some(format) = section.child("format").and_then(|field| field.choice("format", &formats)) {
        logging.format = format;
    }
    if let Some(field) = section.child("output")
        && let Some(output) = field.text()
    {
        match output.value.as_str() {
            "stdout" => logging.output = Output::Stdout,
            "stderr" => logging.output = Output::Stderr,
            path if path.ends_with('/') => {
                field.refuse(format!(
                    "{} is a folder; write `stdout`, `stderr` or the path of a file",
                    field.shown()
                ));
            }
            path => logging.output = Output::File(PathBuf::from(path)),
        }
    }
    logging
}

//! Installs the process's log: one line per event, as JSON or logfmt, to the standard output or a file.

mod event;

use crate::{access_log::AccessLog, redact::error_chain, sink::Sink};
use event::EventLayer;
use std::{
    fmt,
    fs::{DirBuilder, File, OpenOptions},
    io,
    path::{Path, PathBuf},
};
use tracing::{Subscriber, level_filters::LevelFilter};
use tracing_subscriber::{Layer, filter::Targets, layer::SubscriberExt, util::SubscriberInitExt};

/// How much weight an event has, and from which weight on events are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// For whoever looks for a mistake.
    Debug,
    /// What happens in a healthy gateway.
    #[default]
    Info,
    /// What an operator should look at some time.
    Warn,
    /// What failed.
    Error,
}

impl Level {
    /// Gives the level as configuration and lines spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Level::Debug => "debug",
            Level::Info => "info",
            Level::Warn => "warn",
            Level::Error => "error",
        }
    }

    fn filter(self) -> LevelFilter {
        match self {
            Level::Debug => LevelFilter::DEBUG,
            Level::Info => LevelFilter::INFO,
            Level::Warn => LevelFilter::WARN,
            Level::Error => LevelFilter::ERROR,
        }
    }
}

/// How a line is spelled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// An object a line.
    #[default]
    Json,
    /// Logfmt: `time=… level=error msg="…" key=value`.
    Text,
}

/// Where lines go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Output {
    /// The standard output.
    #[default]
    Stdout,
    /// The standard error output.
    Stderr,
    /// The end of a file, which is created with mode 0640 when it is missing, with its folder.
    File(PathBuf),
}

/// What the `logging` section of the configuration says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogSettings {
    /// What is shown of our own events. Of those of other crates, warnings and errors are, or all when this is
    /// [`Level::Debug`].
    pub level: Level,
    /// How lines are spelled.
    pub format: Format,
    /// Where they go.
    pub output: Output,
}

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The folder of the log file could not be made.
    #[error("logging.output: folder {path} cannot be created ({}), choose another or fix its permissions", error_chain(.source))]
    Folder {
        /// The folder.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// The log file could not be opened.
    #[error("logging.output: {path} cannot be opened for appending ({}), choose another or fix its permissions", error_chain(.source))]
    Open {
        /// The file.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// The writing thread could not be started.
    #[error("logging: no thread for writing can be started ({}), raise the limit of threads", error_chain(.0))]
    Thread(io::Error),
    /// The process has a log already.
    #[error("logging: the process already has a log, install it once")]
    AlreadyInstalled,
}

/// Keeps the log open. Dropping it writes what still waits, for at most two seconds, and ends the log.
#[must_use = "dropping the guard ends the log"]
pub struct LogGuard {
    sink: Sink,
    format: Format,
    level: Level,
}

impl LogGuard {
    pub(crate) fn new(sink: Sink, format: Format, level: Level) -> Self {
        Self { sink, format, level }
    }

    /// Gives the access log, which writes to the same place in the same format.
    pub fn access_log(&self) -> AccessLog {
        AccessLog::new(self.sink.clone(), self.format, self.level)
    }

    /// Counts the lines that were lost as their place took none for long: a full disk, a closed pipe.
    pub fn lost_lines(&self) -> u64 {
        self.sink.lost_lines()
    }
}

impl Drop for LogGuard {
    fn drop(&mut self) {
        self.sink.close();
    }
}

impl fmt::Debug for LogGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogGuard").field("sink", &self.sink).finish_non_exhaustive()
    }
}

/// Installs the log of the process. `wall_ms` gives the time of an event in milliseconds since 1970.
///
/// # Errors
/// When the file cannot be opened, or a log is installed already.
pub fn init(
    settings: LogSettings,
    wall_ms: impl Fn() -> i64 + Send + Sync + 'static,
) -> Result<LogGuard, LogError> {
    let LogSettings { level, format, output } = settings;
    let sink = match output {
        Output::Stdout => Sink::start(io::stdout()),
        Output::Stderr => Sink::start(io::stderr()),
        Output::File(path) => Sink::start(open(&path)?),
    }
    .map_err(LogError::Thread)?;
    let guard = LogGuard::new(sink.clone(), format, level);
    subscriber(level, EventLayer::new(sink, format, Box::new(wall_ms)))
        .try_init()
        .map_err(|_| LogError::AlreadyInstalled)?;
    Ok(guard)
}

/// The target of all our crates begins with this.
const OUR_TARGETS: &str = "cliproxy";

fn subscriber(level: Level, layer: EventLayer) -> impl Subscriber + Send + Sync {
    let of_others = if level == Level::Debug { Level::Debug } else { level.max(Level::Warn) };
    let shown = Targets::new().with_target(OUR_TARGETS, level.filter()).with_default(of_others.filter());
    tracing_subscriber::registry().with(layer.with_filter(shown))
}

fn open(path: &Path) -> Result<File, LogError> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        builder
            .create(folder)
            .map_err(|source| LogError::Folder { path: folder.display().to_string(), source })?;
    }
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o640);
    options.open(path).map_err(|source| LogError::Open { path: path.display().to_string(), source })
}

#[cfg(test)]
mod tests;

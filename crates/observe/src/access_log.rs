//! The line that every finished request leaves in the log: the guide's entry with exactly its fields.

use crate::{
    line::{KEPT_BYTES, Line},
    logging::{Format, Level, LogGuard},
    sink::Sink,
};
use std::{cell::Cell, fmt, io, time::Duration};

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome<'a> {
    /// The client got its answer. Logged as `request_success` at level info.
    Success,
    /// It did not. Logged as `request_failed`, at level error unless the client alone can mend it.
    Failed {
        /// Why, from the closed set that the metrics use as well.
        error_type: &'a str,
        /// The code of a refusal of the gateway's own, which says it closer.
        code: Option<&'a str>,
        /// The status that the client got; 0 when there was none.
        status: u16,
        /// Who asked; none for an anonymous caller.
        client: Option<&'a str>,
        /// By which key: its id, never the key.
        key: Option<&'a str>,
        /// It is the client's to mend, and logged at level warn.
        is_clients: bool,
    },
}

/// What the line says of a request. Nothing of what the request or its answer contained is among it.
#[derive(Clone, Copy, Debug)]
pub struct AccessEntry<'a> {
    /// When the request ended, in milliseconds since 1970.
    pub at_ms: i64,
    /// How it ended.
    pub outcome: Outcome<'a>,
    /// The provider of the last attempt; empty when none was chosen.
    pub provider: &'a str,
    /// The model as the client named it.
    pub model: &'a str,
    /// The id that the client was told.
    pub request_id: &'a str,
    /// From the request's first byte to the answer's last; shown in whole milliseconds.
    pub latency: Duration,
    /// Tokens of the prompt.
    pub input_tokens: u64,
    /// Tokens of the answer.
    pub output_tokens: u64,
    /// Who answered in this node's place, if another one did.
    pub served_by: Option<&'a str>,
}

/// Writes entries to the process's log, in its format. Clones are cheap and share the place.
#[derive(Clone)]
pub struct AccessLog {
    target: Option<Target>,
}

#[derive(Clone)]
struct Target {
    sink: Sink,
    format: Format,
    level: Level,
}

thread_local! {
    /// The last line's buffer, kept for the next. Taken while in use.
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

impl AccessLog {
    pub(crate) fn new(sink: Sink, format: Format, level: Level) -> Self {
        Self { target: Some(Target { sink, format, level }) }
    }

    /// Makes a log that drops every entry, for parts that are run without one.
    pub fn discarding() -> Self {
        Self { target: None }
    }

    /// Makes a log that writes to `writer` until the guard is dropped, for tests.
    ///
    /// # Errors
    /// When the system starts no more threads.
    pub fn to_writer(
        writer: impl io::Write + Send + 'static,
        format: Format,
        level: Level,
    ) -> io::Result<(Self, LogGuard)> {
        let sink = Sink::start(writer)?;
        let guard = LogGuard::new(sink.clone(), format, level);
        Ok((Self::new(sink, format, level), guard))
    }

    /// Writes one line, when the log's level shows it. Does no I/O, and waits only while 4 MiB of lines are
    /// unwritten.
    pub fn write(&self, entry: &AccessEntry<'_>) {
        let Some(target) = &self.target else { return };
        let level = entry.level();
        if level < target.level {
            return;
        }
        let mut buffer = BUFFER.take();
        buffer.clear();
        entry.render(target.format, level, &mut buffer);
        target.sink.write(&buffer);
        buffer.shrink_to(KEPT_BYTES);
        BUFFER.set(buffer);
    }
}

impl AccessEntry<'_> {
    fn level(&self) -> Level {
        match self.outcome {
            Outcome::Success => Level::Info,
            Outcome::Failed { is_clients: true, .. } => Level::Warn,
            Outcome::Failed { .. } => Level::Error,
        }
    }

    fn render(&self, format: Format, level: Level, out: &mut Vec<u8>) {
        let msg = match self.outcome {
            Outcome::Success => "request_success",
            Outcome::Failed { .. } => "request_failed",
        };
        let mut line = Line::begin(format, out, self.at_ms, level, msg);
        line.text("provider", self.provider);
        line.text("model", self.model);
        line.text("request_id", self.request_id);
        line.number("latency_ms", u64::try_from(self.latency.as_millis()).unwrap_or(u64::MAX));
        line.open("tokens");
        line.number("input", self.input_tokens);
        line.number("output", self.output_tokens);
        line.close();
        if let Some(served_by) = self.served_by {
            line.text("served_by", served_by);
        }
        if let Outcome::Failed { error_type, code, status, client, key, .. } = self.outcome {
            line.text("error_type", error_type);
            line.number("status", u64::from(status));
            let texts = [("code", code), ("client", client), ("key", key)];
            texts.into_iter().filter_map(|(name, text)| Some((name, text?))).for_each(|(name, text)| {
                line.text(name, text);
            });
        }
        line.end();
    }
}

impl fmt::Debug for AccessLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.target.is_some() { "writing" } else { "discarding" };
        f.debug_tuple("AccessLog").field(&state).finish()
    }
}

#[cfg(test)]
mod tests;

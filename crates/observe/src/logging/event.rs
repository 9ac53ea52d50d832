//! Renders events of `tracing` into lines.

use super::{Format, Level, OUR_TARGETS};
use crate::{
    line::{KEPT_BYTES, Line, MAX_VALUE_BYTES},
    redact::error_chain,
    sink::Sink,
};
use std::{
    cell::Cell,
    error::Error,
    fmt::{self, Write as _},
};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{Layer, layer::Context};

/// Writes each event as a line. Spans are not shown: an event names what it is about.
pub(super) struct EventLayer {
    sink: Sink,
    format: Format,
    wall_ms: Box<dyn Fn() -> i64 + Send + Sync>,
}

impl EventLayer {
    pub(super) fn new(sink: Sink, format: Format, wall_ms: Box<dyn Fn() -> i64 + Send + Sync>) -> Self {
        Self { sink, format, wall_ms }
    }
}

#[derive(Default)]
struct Buffers {
    line: Vec<u8>,
    value: String,
}

thread_local! {
    /// The last event's buffers, kept for the next. Taken while in use, as a value may itself log.
    static BUFFERS: Cell<Buffers> = const { Cell::new(Buffers { line: Vec::new(), value: String::new() }) };
}

impl<S: Subscriber> Layer<S> for EventLayer {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut buffers = BUFFERS.take();
        buffers.line.clear();
        let metadata = event.metadata();
        let mut message = Message { value: &mut buffers.value, found: false };
        event.record(&mut message);
        let found = message.found;
        let text = if found { buffers.value.as_str() } else { metadata.name() };
        let level = level_of(*metadata.level());
        let mut line = Line::begin(self.format, &mut buffers.line, (self.wall_ms)(), level, text);
        if !metadata.target().starts_with(OUR_TARGETS) && metadata.target() != LOG_RECORD {
            line.text("target", metadata.target());
        }
        event.record(&mut Fields { line: &mut line, value: &mut buffers.value });
        line.end();
        self.sink.write(&buffers.line);
        buffers.line.shrink_to(KEPT_BYTES);
        BUFFERS.set(buffers);
    }
}

/// The target of what came through the `log` crate; its own target is then in the field `log.target`.
const LOG_RECORD: &str = "log";

fn level_of(level: tracing::Level) -> Level {
    match level {
        tracing::Level::ERROR => Level::Error,
        tracing::Level::WARN => Level::Warn,
        tracing::Level::INFO => Level::Info,
        _ => Level::Debug,
    }
}

/// Finds the message, which stands before the other fields wherever it was recorded.
struct Message<'a> {
    value: &'a mut String,
    found: bool,
}

impl Visit for Message<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            render(self.value, value);
            self.found = true;
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.value.clear();
            self.value.push_str(value);
            self.found = true;
        }
    }
}

/// Writes all fields but the message, in the order recorded.
struct Fields<'a, 'b> {
    line: &'a mut Line<'b>,
    value: &'a mut String,
}

/// Gives the key to write, if any: one that every line has must not come twice.
fn key(field: &Field) -> Option<&'static str> {
    match field.name() {
        "message" | "log.module_path" | "log.file" | "log.line" => None,
        "log.target" => Some("target"),
        "timestamp" | "time" => Some("event_time"),
        "level" => Some("event_level"),
        "msg" => Some("event_msg"),
        name => Some(name),
    }
}

impl Visit for Fields<'_, '_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if let Some(key) = key(field) {
            render(self.value, value);
            self.line.text(key, self.value);
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if let Some(key) = key(field) {
            self.line.text(key, value);
        }
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        if let Some(key) = key(field) {
            self.line.text(key, &error_chain(value));
        }
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        if let Some(key) = key(field) {
            self.line.boolean(key, value);
        }
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        if let Some(key) = key(field) {
            self.line.float(key, value);
        }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        if let Some(key) = key(field) {
            self.line.number(key, value);
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        if let Some(key) = key(field) {
            self.line.number(key, value);
        }
    }
}

/// Replaces `out` by the rendered value, stopping soon after what a line shows of it.
fn render(out: &mut String, value: &dyn fmt::Debug) {
    out.clear();
    // The only error is that of `Bounded`, which has then all that will be shown.
    let _ = write!(Bounded(out), "{value:?}");
}

struct Bounded<'a>(&'a mut String);

impl fmt::Write for Bounded<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.0.len() > MAX_VALUE_BYTES {
            return Err(fmt::Error);
        }
        let room = MAX_VALUE_BYTES + 4 - self.0.len().min(MAX_VALUE_BYTES);
        self.0.push_str(&text[..text.floor_char_boundary(room)]);
        Ok(())
    }
}

//! What happened, in order: one line for each event, with its time and its host. The same seed tells the same story.

use std::{
    fmt::Write as _,
    sync::{Arc, Mutex},
    time::Duration,
};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
    span,
};
use tracing_subscriber::{Layer, layer::Context, prelude::*, registry::LookupSpan};
use xxhash_rust::xxh3::Xxh3;

/// The story of one run. Clones are the same.
#[derive(Clone, Default)]
pub struct Story(Arc<Mutex<Told>>);

#[derive(Default)]
struct Told {
    lines: Vec<String>,
    hash: Xxh3,
}

impl Story {
    /// Adds a line.
    pub fn tell(&self, host: &str, what: &str) {
        self.add(turmoil::sim_elapsed().unwrap_or_default(), host, what);
    }

    /// Adds a line of something that happened at `at`.
    pub fn add(&self, at: Duration, host: &str, what: &str) {
        let line = format!("{:9.3} {host:8} {what}", at.as_secs_f64());
        let mut told = self.0.lock().expect("no panic");
        told.hash.update(line.as_bytes());
        told.lines.push(line);
    }

    /// Sums it up in one number.
    pub fn hash(&self) -> u64 {
        self.0.lock().expect("no panic").hash.digest()
    }

    /// Gives its lines.
    pub fn lines(&self) -> Vec<String> {
        self.0.lock().expect("no panic").lines.clone()
    }

    /// Has what the planes log become part of the story, for as long as the guard lives.
    pub fn listen(&self) -> tracing::subscriber::DefaultGuard {
        tracing_subscriber::registry().with(Listener(self.clone())).set_default()
    }
}

struct Listener(Story);

/// The name of a host, kept with the span that the simulated network opens for each.
struct Host(String);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Listener {
    fn enabled(&self, metadata: &tracing::Metadata<'_>, _: Context<'_, S>) -> bool {
        *metadata.level() <= tracing::Level::INFO
    }

    fn on_new_span(&self, attributes: &span::Attributes<'_>, id: &span::Id, context: Context<'_, S>) {
        let mut name = HostName::default();
        attributes.record(&mut name);
        if let (Some(span), Some(name)) = (context.span(id), name.0) {
            span.extensions_mut().insert(Host(name));
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut line = Line::default();
        event.record(&mut line);
        let host = context.event_scope(event).into_iter().flatten();
        let host = host.filter_map(|span| span.extensions().get::<Host>().map(|host| host.0.clone())).last();
        let what = format!("{} {}{}", event.metadata().level(), line.message, line.fields);
        self.0.tell(host.as_deref().unwrap_or("-"), &what);
    }
}

#[derive(Default)]
struct HostName(Option<String>);

impl Visit for HostName {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "name" {
            self.0 = Some(value.to_owned());
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.record_str(field, format!("{value:?}").trim_matches('"'));
    }
}

#[derive(Default)]
struct Line {
    message: String,
    fields: String,
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        // A text that cannot be written to is none.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}

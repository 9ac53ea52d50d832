//! An answer past its commit point, not yet bound to its attempt.

use super::{
    InFlight,
    course::TimeLimit,
    partial::Partial,
    resume::Resumer,
    source::{HeldChunks, Source, StreamSource, Tap, WholeSource},
    tail::Tail,
    translation::Translation,
};
use crate::{decode::Call, upstream::Place};
use bytes::Bytes;
use cliproxy_dialects::{Framing, Observer, translate::StreamTranslator};
use cliproxy_domain::{AttemptError, TokenUsage};
use hyper::body::Incoming;
use std::time::Duration;

/// What is there of an answer that still comes, and where the rest comes from.
pub(super) struct Relay {
    pub(super) held: HeldChunks,
    pub(super) rest: Option<Incoming>,
    pub(super) idle: Duration,
    pub(super) place: Place,
}

/// An answer past its commit point.
pub(super) enum Opened {
    Whole {
        body: Bytes,
        usage: Option<TokenUsage>,
    },
    Large {
        held: Bytes,
        rest: Incoming,
        idle: Duration,
        place: Place,
    },
    Stream {
        relay: Relay,
        /// The unfinished event at the end of what was read.
        partial: Partial,
        /// What follows in the last chunk from the event on that the observer failed at.
        failing: Bytes,
        observer: Observer,
        framing: Framing,
    },
    Translated {
        relay: Relay,
        translator: Box<StreamTranslator>,
        /// Asks for further parts, where the provider may give several.
        resumer: Option<Resumer>,
        /// What ended it right after its first content.
        error: Option<AttemptError>,
        /// The client's.
        framing: Framing,
    },
}

impl Opened {
    /// Binds the answer to its attempt, which ends with it. `limit` bounds the rest of it.
    pub(super) fn started(self, mut in_flight: InFlight, call: &Call, limit: TimeLimit) -> Source {
        let source = match self {
            Opened::Whole { body, usage } => {
                let guess = || Tail::estimate(call.operation, call.prompt_bytes(), body.len());
                let usage = usage.unwrap_or_else(guess);
                in_flight.answered(usage);
                return Source::Whole(WholeSource { body, usage });
            }
            Opened::Large { held, rest, idle, place } => {
                let tap = Tap::Tail(Tail::new(call.dialect, call.operation, &held));
                let mut chunks = HeldChunks::default();
                chunks.push(held);
                let relay = Relay { held: chunks, rest: Some(rest), idle, place };
                let partial = Partial::default();
                StreamSource::new(relay, partial, tap, None, limit, in_flight, call.prompt_bytes())
            }
            Opened::Stream { relay, partial, failing, observer, framing } => {
                in_flight.first_event();
                let (tap, framing) = (Tap::Events(observer), Some(framing));
                let mut source =
                    StreamSource::new(relay, partial, tap, framing, limit, in_flight, call.prompt_bytes());
                if !failing.is_empty() {
                    // The observer gives its error again.
                    source.observe(failing);
                }
                source
            }
            Opened::Translated { relay, translator, resumer, error, framing } => {
                in_flight.first_event();
                let tap = Tap::Translated(Translation::new(translator, resumer));
                let (framing, partial) = (Some(framing), Partial::default());
                let mut source =
                    StreamSource::new(relay, partial, tap, framing, limit, in_flight, call.prompt_bytes());
                if let Some(error) = error {
                    source.stop(error);
                }
                source
            }
        };
        Source::Stream(Box::new(source))
    }
}

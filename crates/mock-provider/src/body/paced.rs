//! Events over time, and the fault that strikes after some of them.

use super::{Abort, Receipt};
use crate::{
    clock,
    log::Outcome,
    rope::Rope,
    script::{ErrorKind, Latency},
    wire::Transcript,
};
use bytes::Bytes;
use std::{
    collections::VecDeque,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::time::{Instant, Sleep};

/// What strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Hang,
    Reset,
    Close,
    Truncate,
    Malformed,
    StreamError(ErrorKind),
}

/// A body that is sent piece by piece.
pub(crate) struct Paced {
    timeline: Timeline,
    /// The fault, and the number of events before it.
    fault: Option<(u64, Fault)>,
    /// The number of events handed out.
    events: u64,
    /// What is left of the event that is being handed out.
    current: Rope,
    /// The largest piece, when the script cuts by bytes.
    piece: Option<usize>,
    /// Has what was handed out written before anything more is.
    flush_first: bool,
    silent: bool,
    sleep: Option<Pin<Box<Sleep>>>,
    /// The time from which a transcript's events are due; a chunk is due after the one before.
    since: Option<Instant>,
    size: Option<u64>,
}

/// Where the events come from.
enum Timeline {
    Transcript { transcript: Box<dyn Transcript>, latency: Latency },
    Chunks(VecDeque<(Duration, Rope)>),
}

impl Paced {
    /// Streams an answer. A fault strikes before the last event at the latest.
    pub(crate) fn transcript(
        transcript: Box<dyn Transcript>,
        latency: Latency,
        piece: Option<usize>,
        fault: Option<(u64, Fault)>,
    ) -> Self {
        let last = transcript.layout().len().saturating_sub(1);
        let fault = fault.map(|(at, fault)| (at.min(last), fault));
        Self::new(Timeline::Transcript { transcript, latency }, fault, piece, None)
    }

    /// Sends pieces, each after its pause and by itself. A fault strikes wherever it says.
    pub(crate) fn chunks(chunks: VecDeque<(Duration, Rope)>, fault: Option<(u64, Fault)>) -> Self {
        Self::new(Timeline::Chunks(chunks), fault, None, None)
    }

    /// Sends a body of known size.
    pub(crate) fn sized(rope: Rope) -> Self {
        let size = rope.len();
        Self::new(Timeline::Chunks([(Duration::ZERO, rope)].into()), None, None, Some(size))
    }

    /// Sends the first `kept` bytes of a body whose whole size is announced; then the fault strikes.
    pub(crate) fn cut(mut rope: Rope, kept: u64, fault: Fault) -> Self {
        let size = rope.len();
        drop(rope.split_off(kept));
        let chunks: VecDeque<_> =
            Some((Duration::ZERO, rope)).into_iter().filter(|(_, rope)| !rope.is_empty()).collect();
        let at = chunks.len() as u64;
        Self::new(Timeline::Chunks(chunks), Some((at, fault)), None, Some(size))
    }

    fn new(timeline: Timeline, fault: Option<(u64, Fault)>, piece: Option<usize>, size: Option<u64>) -> Self {
        Self {
            timeline,
            fault,
            events: 0,
            current: Rope::default(),
            piece,
            // Headers are written before a fault that strikes right after them.
            flush_first: fault.is_some_and(|(at, _)| at == 0),
            silent: false,
            sleep: None,
            since: None,
            size,
        }
    }

    /// Gives the size of the body where it is known.
    pub(super) fn size(&self) -> Option<u64> {
        self.size
    }

    /// Tells whether everything was handed out.
    pub(super) fn is_finished(&self) -> bool {
        let none_left = match &self.timeline {
            Timeline::Transcript { transcript, .. } => self.events >= transcript.layout().len(),
            Timeline::Chunks(chunks) => chunks.is_empty(),
        };
        none_left && self.current.is_empty() && self.fault.is_none() && !self.silent
    }

    /// Gives the next bytes once they are due.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        receipt: &mut Option<Receipt>,
    ) -> Poll<Option<Result<Bytes, Abort>>> {
        loop {
            if self.silent {
                // Nothing wakes this; the connection drops the body when the client leaves.
                return Poll::Pending;
            }
            if let Some(sleep) = &mut self.sleep {
                ready!(sleep.as_mut().poll(cx));
                self.sleep = None;
            }
            if std::mem::take(&mut self.flush_first) {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            if let Some(bytes) = self.current.take(self.piece.unwrap_or(usize::MAX)) {
                self.flush_first = self.writes_by_itself();
                return Poll::Ready(Some(Ok(bytes)));
            }
            if let Some((at, fault)) = self.fault
                && self.events >= at
            {
                if let Some(abort) = self.strike(fault, receipt) {
                    return Poll::Ready(Some(Err(abort)));
                }
                continue;
            }
            if self.is_finished() {
                return Poll::Ready(None);
            }
            self.advance(receipt);
        }
    }

    /// Tells whether the piece just handed out must not be joined with what follows.
    fn writes_by_itself(&self) -> bool {
        let chunks = matches!(self.timeline, Timeline::Chunks(_)) && self.size.is_none();
        // The connection writes what it holds before a fault strikes.
        let before_fault = self.fault.is_some_and(|(at, _)| self.events >= at);
        chunks || self.piece.is_some() || before_fault
    }

    /// Waits for the next event, or makes it the current one when it is due.
    fn advance(&mut self, receipt: &mut Option<Receipt>) {
        let due = self.due();
        if due.is_some_and(|due| due > clock::ticks()) {
            self.sleep = due.map(|due| Box::pin(tokio::time::sleep_until(due)));
            if let (Timeline::Chunks(chunks), true) = (&mut self.timeline, due.is_some()) {
                // The pause is served by this sleep.
                if let Some((pause, _)) = chunks.front_mut() {
                    *pause = Duration::ZERO;
                }
            }
            return;
        }
        self.current = match &mut self.timeline {
            Timeline::Transcript { transcript, .. } => transcript.event(self.events),
            Timeline::Chunks(chunks) => chunks.pop_front().map(|(_, rope)| rope).unwrap_or_default(),
        };
        self.events += 1;
        if let Some(receipt) = receipt {
            receipt.open.event();
        }
    }

    /// Gives the time at which the next event is due; `None` is at once.
    fn due(&mut self) -> Option<Instant> {
        match &self.timeline {
            Timeline::Chunks(chunks) => {
                let pause = chunks.front().map(|(pause, _)| *pause).filter(|pause| !pause.is_zero())?;
                Some(clock::ticks() + pause)
            }
            Timeline::Transcript { latency, .. } if *latency == Latency::default() => None,
            Timeline::Transcript { transcript, latency } => {
                let since = *self.since.get_or_insert_with(clock::ticks);
                let before = transcript.layout().tokens_before(self.events);
                Some(since + latency.first_token() + latency.tokens(before))
            }
        }
    }

    fn strike(&mut self, fault: Fault, receipt: &mut Option<Receipt>) -> Option<Abort> {
        self.fault = None;
        let last_words = match fault {
            Fault::Hang => {
                self.silent = true;
                return None;
            }
            Fault::Reset | Fault::Close => {
                return Some(match receipt.take() {
                    Some(receipt) => receipt.abort(fault == Fault::Reset),
                    None => Abort,
                });
            }
            Fault::Truncate => Rope::default(),
            Fault::Malformed => self.say(|transcript, number| transcript.broken(number)),
            Fault::StreamError(kind) => self.say(|transcript, number| transcript.failure(number, kind)),
        };
        if let Some(receipt) = receipt {
            receipt.broke(match fault {
                Fault::Truncate => Outcome::Truncated,
                Fault::Malformed => Outcome::Malformed,
                _ => Outcome::StreamError,
            });
        }
        self.current = last_words;
        self.timeline = Timeline::Chunks(VecDeque::new());
        None
    }

    fn say(&mut self, words: impl FnOnce(&mut dyn Transcript, u64) -> Rope) -> Rope {
        match &mut self.timeline {
            Timeline::Transcript { transcript, .. } => words(transcript.as_mut(), self.events),
            Timeline::Chunks(_) => Rope::default(),
        }
    }
}

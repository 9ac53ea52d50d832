//! What an answer that flows has taken of limits: it goes on, halts or ends by that.

use super::{StreamSource, Tap};
use crate::attempt::{InFlight, charge::Metered};
use cliproxy_domain::TokenUsage;
use std::task::{Context, Poll, ready};

impl StreamSource {
    /// Counts what the answer has taken so far. Where nothing more is to be had for it, it ends; where more may come, it halts.
    pub(super) fn meter(&mut self) {
        // One that is whole needs nothing more.
        if self.is_complete() {
            return;
        }
        match self.metered() {
            (Metered::On, _) => {}
            (Metered::Short, _) => self.halt = self.in_flight.as_ref().and_then(InFlight::halt),
            (Metered::Spent, usage) => self.end_early(&usage),
        }
    }

    /// Counts what the answer has taken so far. What a large one in one piece takes stands at its end, and its length tells
    /// nothing: most of it is media.
    fn metered(&mut self) -> (Metered, TokenUsage) {
        let tells_nothing = self.error.is_some() || matches!(self.tap, Tap::Tail(_));
        if tells_nothing || !self.in_flight.as_ref().is_some_and(InFlight::is_metered) {
            return (Metered::On, TokenUsage::default());
        }
        let usage = self.usage();
        (self.in_flight.as_mut().map_or(Metered::On, |in_flight| in_flight.meter(&usage)), usage)
    }

    /// Waits until more is granted for the answer, for a while; then it ends.
    pub(super) fn poll_halt(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while let Some(mut halt) = self.halt.take() {
            let news = halt.poll_news(cx);
            let (metered, usage) = self.metered();
            if metered == Metered::Short && !halt.is_over() {
                self.halt = Some(halt);
                ready!(news);
                continue;
            }
            if let Some(in_flight) = &mut self.in_flight {
                in_flight.halted(&halt, metered == Metered::On);
                // What came meanwhile waits to be read.
                self.last_piece = in_flight.now();
            }
            if metered != Metered::On {
                self.end_early(&usage);
            }
        }
        Poll::Ready(())
    }

    /// Ends the answer as one that has reached its maximum of tokens. Half an event cannot be followed by anything, nor
    /// can a large answer in one piece: they go on, and what they take is counted.
    pub(super) fn end_early(&mut self, usage: &TokenUsage) {
        let end = match &mut self.tap {
            Tap::Events(observer) if !self.partial.is_flowing() => observer.end_early(usage),
            Tap::Translated(translation) => translation.end_early(usage),
            Tap::Events(_) | Tap::Tail(_) => None,
        };
        let Some(end) = end else { return };
        self.partial.discard();
        self.held.push(end);
        self.rest = None;
        self.ended_early = true;
        if let Some(in_flight) = &self.in_flight {
            in_flight.ended_early();
        }
    }
}

//! Which event of a stream is which.

use crate::answer::{Answer, Block};

/// The events of a streamed answer by number: opening ones, then each block's, then closing ones.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    opening: u64,
    spans: Vec<Span>,
    closing: u64,
}

/// How many events a block has: some that start it, one for each token, some that end it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: u64,
    pub(crate) tokens: u64,
    pub(crate) end: u64,
}

/// Where in a streamed answer an event stands, counted from 0 within its part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Opening(u64),
    Start { block: usize, number: u64 },
    Token { block: usize, number: u64 },
    End { block: usize, number: u64 },
    Closing(u64),
}

impl Layout {
    /// Lays out an answer whose blocks have the events that `span` says.
    pub(crate) fn new(
        answer: &Answer,
        opening: u64,
        closing: u64,
        span: impl Fn(usize, &Block) -> Span,
    ) -> Self {
        let spans = answer.blocks.iter().enumerate().map(|(index, block)| span(index, block)).collect();
        Self { opening, spans, closing }
    }

    /// Gives the number of all events.
    pub(crate) fn len(&self) -> u64 {
        let of = |span: &Span| span.start + span.tokens + span.end;
        self.opening + self.spans.iter().map(of).sum::<u64>() + self.closing
    }

    /// Gives the number of events with a token.
    pub(crate) fn tokens(&self) -> u64 {
        self.spans.iter().map(|span| span.tokens).sum()
    }

    /// Gives the events of a block.
    pub(crate) fn span(&self, block: usize) -> Span {
        self.spans.get(block).copied().unwrap_or_default()
    }

    /// Tells where in the answer the event of that number stands.
    pub(crate) fn stage(&self, number: u64) -> Stage {
        self.locate(number).0
    }

    /// Gives the number of tokens told before the event of that number; of a closing one, all but the last.
    pub(crate) fn tokens_before(&self, number: u64) -> u64 {
        self.locate(number).1
    }

    fn locate(&self, number: u64) -> (Stage, u64) {
        let Some(mut left) = number.checked_sub(self.opening) else { return (Stage::Opening(number), 0) };
        let mut before = 0;
        for (block, span) in self.spans.iter().enumerate() {
            if left < span.start {
                return (Stage::Start { block, number: left }, before);
            }
            left -= span.start;
            if left < span.tokens {
                return (Stage::Token { block, number: left }, before + left);
            }
            left -= span.tokens;
            before += span.tokens;
            if left < span.end {
                return (Stage::End { block, number: left }, before.saturating_sub(1));
            }
            left -= span.end;
        }
        (Stage::Closing(left), before.saturating_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_has_its_place_in_order() {
        let spans = vec![Span { start: 1, tokens: 2, end: 1 }, Span { start: 0, tokens: 1, end: 0 }];
        let layout = Layout { opening: 1, spans, closing: 1 };
        let stages: Vec<Stage> = (0..layout.len()).map(|number| layout.stage(number)).collect();
        let expected = [
            Stage::Opening(0),
            Stage::Start { block: 0, number: 0 },
            Stage::Token { block: 0, number: 0 },
            Stage::Token { block: 0, number: 1 },
            Stage::End { block: 0, number: 0 },
            Stage::Token { block: 1, number: 0 },
            Stage::Closing(0),
        ];
        assert_eq!(stages, expected);
        let before: Vec<u64> = (0..layout.len()).map(|number| layout.tokens_before(number)).collect();
        assert_eq!(before, [0, 0, 0, 1, 1, 2, 2]);
        assert_eq!(layout.tokens(), 3);
    }
}

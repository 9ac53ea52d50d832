//! Stop texts for providers that cannot be told of them: the gateway watches what the model says and ends the
//! answer at the first of them, as a provider would.

use memchr::memchr;
use std::borrow::Cow;

/// The stop texts of one request.
#[derive(Debug)]
pub(crate) struct Stops(Vec<Stop>);

/// One of them, with the table of Knuth, Morris and Pratt: how much of it is still matched when the byte after a
/// match of so many bytes is another.
#[derive(Debug)]
struct Stop {
    text: String,
    shorter: Vec<u32>,
}

/// How far one text has come: for each stop text, how many of its bytes end what was said so far.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    matched: Vec<u32>,
    /// The last bytes of the text, which may be the beginning of a stop text.
    held: String,
}

/// What may be said of a text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Watched<'t> {
    /// This, and the text goes on; empty while all of it is held back.
    On(Cow<'t, str>),
    /// This, and the text ends: the stop text with the number `stop` follows.
    Cut {
        /// What comes before it.
        before: Cow<'t, str>,
        /// Its place among the stop texts.
        stop: usize,
    },
}

impl Stops {
    /// Takes stop texts; empty ones mean nothing.
    pub(crate) fn new(texts: &[String]) -> Self {
        let texts = texts.iter().filter(|text| !text.is_empty());
        Self(texts.map(|text| Stop::new(text.clone())).collect())
    }

    /// Tells whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Gives a stop text by its place.
    pub(crate) fn text(&self, stop: usize) -> Option<&str> {
        self.0.get(stop).map(|stop| stop.text.as_str())
    }

    /// Takes more of a text. The match that is complete first counts, as it does where tokens are made one by one;
    /// of two that are complete at once, the longer. At most the longest stop text but one byte is held back.
    pub(crate) fn watch<'t>(&self, watch: &mut Watch, text: &'t str) -> Watched<'t> {
        watch.matched.resize(self.0.len(), 0);
        let first = self.0.iter().zip(&mut watch.matched).enumerate().filter_map(|(at, (stop, matched))| {
            let end = stop.advance(matched, text.as_bytes())?;
            Some((end, usize::MAX - stop.text.len(), at))
        });
        let cut = first.min().map(|(end, _, at)| (end, at));
        match cut {
            Some((end, stop)) => {
                let len = self.0.get(stop).map_or(0, |stop| stop.text.len());
                let held = watch.held.len();
                let before = watch.released(text, (held + end).saturating_sub(len));
                *watch = Watch::default();
                Watched::Cut { before, stop }
            }
            None => {
                let hold = watch.matched.iter().max().map_or(0, |longest| *longest as usize);
                let free = (watch.held.len() + text.len()).saturating_sub(hold);
                Watched::On(watch.released(text, free))
            }
        }
    }

    /// Finds the first stop text in a whole text: where it begins, and its place.
    pub(crate) fn find(&self, text: &str) -> Option<(usize, usize)> {
        match self.watch(&mut Watch::default(), text) {
            Watched::Cut { before, stop } => Some((before.len(), stop)),
            Watched::On(_) => None,
        }
    }
}

impl Watch {
    /// Gives what was held back, at the end of a text.
    pub(crate) fn rest(&mut self) -> String {
        std::mem::take(self).held
    }

    /// Gives the first `len` bytes of what was held back and `text`, and holds the others. Both ends are ends of
    /// characters: what is held begins as a stop text does.
    fn released<'t>(&mut self, text: &'t str, len: usize) -> Cow<'t, str> {
        if self.held.is_empty() {
            let (free, held) = text.split_at_checked(len).unwrap_or((text, ""));
            self.held.push_str(held);
            return Cow::Borrowed(free);
        }
        let mut whole = std::mem::take(&mut self.held);
        whole.push_str(text);
        if whole.is_char_boundary(len) {
            self.held = whole.split_off(len);
        }
        Cow::Owned(whole)
    }
}

impl Stop {
    fn new(text: String) -> Self {
        let bytes = text.as_bytes();
        let mut shorter = Vec::with_capacity(bytes.len());
        let mut length = 0_u32;
        for (at, byte) in bytes.iter().enumerate() {
            if at > 0 {
                length = step(bytes, &shorter, length, *byte);
            }
            shorter.push(length);
        }
        Self { text, shorter }
    }

    /// Reads on; gives where the first match ends.
    fn advance(&self, matched: &mut u32, said: &[u8]) -> Option<usize> {
        let text = self.text.as_bytes();
        let mut at = 0;
        while let Some(rest) = said.get(at..) {
            if *matched == 0 {
                at += memchr(*text.first()?, rest)?;
            }
            let byte = said.get(at)?;
            *matched = step(text, &self.shorter, *matched, *byte);
            at += 1;
            if *matched as usize == text.len() {
                return Some(at);
            }
        }
        None
    }
}

/// Gives how many bytes of `text` end with `byte`, when `matched` came before it.
fn step(text: &[u8], shorter: &[u32], mut matched: u32, byte: u8) -> u32 {
    loop {
        if text.get(matched as usize) == Some(&byte) {
            return matched + 1;
        }
        let Some(last) = matched.checked_sub(1) else { return 0 };
        matched = shorter.get(last as usize).copied().unwrap_or(0);
    }
}

#[cfg(test)]
mod tests;

//! Taking the free input out of streamed arguments, fragment by fragment.

use memchr::memchr2;
use std::{borrow::Cow, mem};

/// What arguments begin with; white space may stand before each mark that is not part of the name.
const OPENING: &[u8] = b"{\"input\":\"";
/// Bytes of an opening at most, white space included: what goes on after that is something else.
const MAX_OPENING: usize = 64;

/// Reads the arguments of a call that stands in for free input. What does not begin as such arguments do is the
/// input itself.
#[derive(Debug, Default)]
pub(crate) struct Unwrap {
    state: State,
    /// The opening as it came, or an escape that is not complete: `\uXXXX\uXXXX` at most.
    held: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Opening,
    /// So many bytes of [`OPENING`] have come.
    Within(usize),
    Input,
    /// After the input: what follows says nothing.
    Done,
    /// The text is the input itself.
    Raw,
}

impl Unwrap {
    /// Takes a fragment of the arguments; gives what it says of the input.
    pub(crate) fn text<'t>(&mut self, text: &'t str) -> Cow<'t, str> {
        match self.state {
            State::Opening => self.opening(0, text),
            State::Within(at) => self.opening(at, text),
            State::Input => self.input(text),
            State::Done => Cow::Borrowed(""),
            State::Raw => Cow::Borrowed(text),
        }
    }

    /// Gives what is left when the call ends.
    pub(crate) fn rest(&mut self) -> String {
        let held = mem::take(&mut self.held);
        // The first half of a pair: a character that nobody can read.
        if self.state == State::Input && held.len() == 6 {
            char::REPLACEMENT_CHARACTER.to_string()
        } else {
            held
        }
    }

    fn opening<'t>(&mut self, mut at: usize, text: &'t str) -> Cow<'t, str> {
        for (place, byte) in text.bytes().enumerate() {
            if OPENING.get(at) == Some(&byte) {
                at += 1;
                if at == OPENING.len() {
                    self.state = State::Input;
                    self.held.clear();
                    return self.input(text.get(place + 1..).unwrap_or_default());
                }
            } else if !(byte.is_ascii_whitespace() && may_follow_space(at)) {
                return self.raw(text);
            }
        }
        if self.held.len() + text.len() > MAX_OPENING {
            return self.raw(text);
        }
        self.state = State::Within(at);
        self.held.push_str(text);
        Cow::Borrowed("")
    }

    fn raw<'t>(&mut self, text: &'t str) -> Cow<'t, str> {
        self.state = State::Raw;
        if self.held.is_empty() {
            return Cow::Borrowed(text);
        }
        let mut whole = mem::take(&mut self.held);
        whole.push_str(text);
        Cow::Owned(whole)
    }

    fn input<'t>(&mut self, text: &'t str) -> Cow<'t, str> {
        let mark = memchr2(b'\\', b'"', text.as_bytes());
        if self.held.is_empty() {
            let plain = text.get(..mark.unwrap_or(text.len())).unwrap_or_default();
            match mark.and_then(|at| text.as_bytes().get(at)) {
                None => return Cow::Borrowed(plain),
                Some(b'"') => {
                    self.state = State::Done;
                    return Cow::Borrowed(plain);
                }
                Some(_) => {}
            }
        }
        let mut out = String::with_capacity(text.len());
        for c in text.chars() {
            self.take(c, &mut out);
            if self.state == State::Done {
                break;
            }
        }
        Cow::Owned(out)
    }

    fn take(&mut self, c: char, out: &mut String) {
        if !self.held.is_empty() {
            self.held.push(c);
            self.escape(out);
            return;
        }
        match c {
            '\\' => self.held.push(c),
            '"' => self.state = State::Done,
            plain => out.push(plain),
        }
    }

    /// Looks at the escape that is held, whose last character is new.
    fn escape(&mut self, out: &mut String) {
        let bytes = self.held.as_bytes();
        let is_hex = bytes.last().is_some_and(u8::is_ascii_hexdigit);
        match (bytes.len(), bytes) {
            (2, b"\\u") | (8, [.., b'u']) | (7, [.., b'\\']) => {}
            (2, [_, simple]) if unescaped(*simple).is_some() => {
                out.extend(unescaped(*simple));
                self.held.clear();
            }
            (3..=5 | 9..=11, _) if is_hex => {}
            (6, _) if is_hex => self.first_unit(out),
            (12, _) if is_hex => self.pair(out),
            (..=6, _) => self.give_up(0, out),
            _ => {
                out.push(char::REPLACEMENT_CHARACTER);
                self.give_up(6, out);
            }
        }
    }

    fn first_unit(&mut self, out: &mut String) {
        let unit = unit(&self.held, 2);
        // The first half of a pair waits for the second.
        if !(0xd800..0xdc00).contains(&unit) {
            out.push(char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER));
            self.held.clear();
        }
    }

    fn pair(&mut self, out: &mut String) {
        let (high, low) = (unit(&self.held, 2), unit(&self.held, 8));
        if (0xdc00..0xe000).contains(&low) {
            let joined = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
            out.push(char::from_u32(joined).unwrap_or(char::REPLACEMENT_CHARACTER));
            self.held.clear();
        } else {
            out.push(char::REPLACEMENT_CHARACTER);
            self.held.drain(..6);
            self.first_unit(out);
        }
    }

    /// Hands on what is no escape as it came, from the byte `start`; its last character may begin something else.
    fn give_up(&mut self, start: usize, out: &mut String) {
        let mut held = mem::take(&mut self.held);
        let last = held.pop();
        let rest = held.get(start..).unwrap_or_default();
        // Another escape may go on where the pair broke off.
        if start > 0 && rest.starts_with('\\') {
            self.held.push_str(rest);
        } else {
            out.push_str(rest);
        }
        if let Some(last) = last {
            self.take(last, out);
        }
    }
}

/// Tells whether white space may stand before the mark with this place in [`OPENING`].
fn may_follow_space(at: usize) -> bool {
    matches!(at, 0 | 1) || at + 2 >= OPENING.len()
}

fn unescaped(byte: u8) -> Option<char> {
    Some(match byte {
        b'n' => '\n',
        b't' => '\t',
        b'r' => '\r',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'"' | b'\\' | b'/' => char::from(byte),
        _ => return None,
    })
}

fn unit(held: &str, start: usize) -> u32 {
    held.get(start..start + 4).and_then(|digits| u32::from_str_radix(digits, 16).ok()).unwrap_or(0xfffd)
}

#[cfg(test)]
mod tests;

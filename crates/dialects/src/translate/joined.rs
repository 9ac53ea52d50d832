//! An answer that its provider gives in several parts, each on a request of its own: Gemini ends a part with
//! `CONTINUATION` and a token, and goes on when it gets the same request with that token (§10 of the wire formats).

use crate::form::{Choice, Event, Finish, Part, PartKind, Reply};
use cliproxy_domain::TokenUsage;

/// How often an answer is resumed at most. A provider that never ends must not keep a client for ever.
pub const MAX_PARTS: u32 = 16;

/// Makes one stream of events of those of several parts.
#[derive(Debug, Default)]
pub(crate) struct Joined {
    /// Parts before this one.
    parts: u32,
    started: bool,
    /// The number of the first block of this part, and of the next.
    first_block: u32,
    next_block: u32,
    /// The tokens of the parts before this one, and of this one so far.
    spent: TokenUsage,
    current: TokenUsage,
    paused: Option<String>,
}

impl Joined {
    /// Takes an event of this part and hands on what it is in the whole.
    pub(crate) fn event(&mut self, event: Event<'_>, sink: &mut dyn FnMut(Event<'_>)) {
        let base = if self.parts == 0 { 0 } else { self.first_block };
        match event {
            Event::Start { .. } if std::mem::replace(&mut self.started, true) => {}
            Event::Open { choice, block, kind } => {
                if choice == 0 {
                    self.next_block = self.next_block.max(base.saturating_add(block).saturating_add(1));
                }
                sink(Event::Open { choice, block: base.saturating_add(block), kind });
            }
            Event::Delta { choice, block, text } => {
                sink(Event::Delta { choice, block: base.saturating_add(block), text });
            }
            Event::State { choice, block, state } => {
                sink(Event::State { choice, block: base.saturating_add(block), state });
            }
            Event::Cite { choice, block, citation } => {
                sink(Event::Cite { choice, block: base.saturating_add(block), citation });
            }
            Event::Close { choice, block } => {
                sink(Event::Close { choice, block: base.saturating_add(block) })
            }
            Event::Usage(usage) => {
                self.current = usage;
                let mut total = self.spent;
                total += usage;
                sink(Event::Usage(total));
            }
            Event::Finish { choice: 0, finish: Finish::Pause { token: Some(token) } }
                if self.parts < MAX_PARTS =>
            {
                self.paused = Some(token);
            }
            Event::End if self.paused.is_some() => {}
            event => sink(event),
        }
    }

    /// Gives the token to go on with, when this part has ended with one.
    pub(crate) fn paused(&self) -> Option<&str> {
        self.paused.as_deref()
    }

    /// Begins the next part.
    pub(crate) fn resume(&mut self) {
        self.paused = None;
        self.parts += 1;
        self.first_block = self.next_block;
        self.spent += std::mem::take(&mut self.current);
    }
}

/// Tells the token to go on with, when a whole answer is only a part.
pub fn continuation(reply: &Reply) -> Option<&str> {
    match reply.choices.as_slice() {
        [Choice { finish: Finish::Pause { token: Some(token) }, .. }] => Some(token),
        _ => None,
    }
}

/// Adds the next part of an answer to those before it.
pub fn join(reply: &mut Reply, next: Reply) {
    if let (Some(choice), Some(mut later)) = (reply.choices.first_mut(), next.choices.into_iter().next()) {
        join_text(&mut choice.parts, &mut later.parts);
        choice.parts.append(&mut later.parts);
        choice.finish = later.finish;
        if let Some(more) = later.logprobs {
            choice.logprobs.get_or_insert_default().extend(more);
        }
    }
    match (&mut reply.usage, next.usage) {
        (Some(usage), Some(more)) => *usage += more,
        (usage @ None, more) => *usage = more,
        (Some(_), None) => {}
    }
}

/// Makes one part of a text that was cut in the middle.
fn join_text(parts: &mut [Part], later: &mut Vec<Part>) {
    let is_plain = |part: &Part| part.state.is_none() && part.bag.is_empty();
    let (Some(last), Some(first)) = (parts.last_mut(), later.first_mut()) else { return };
    if !is_plain(last) || !is_plain(first) {
        return;
    }
    if let (PartKind::Text { text, citations }, PartKind::Text { text: more, citations: none }) =
        (&mut last.kind, &first.kind)
        && citations.is_empty()
        && none.is_empty()
    {
        text.push_str(more);
        later.remove(0);
    }
}

/// Writes the request for the next part: the same body with the token. `body` is what the writer of Gemini's dialect
/// made: an object that is not empty.
pub fn continued(body: &[u8], token: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len() + token.len() + 24);
    out.extend_from_slice(b"{\"continuationToken\":");
    crate::json::push(&mut out, token);
    out.push(b',');
    out.extend_from_slice(body.get(1..).unwrap_or(b"}"));
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::form::BlockKind;

    fn text_part(words: &str, finish: Finish) -> Vec<Event<'static>> {
        let usage = TokenUsage { input: 10, output: 2, ..TokenUsage::default() };
        vec![
            Event::Start { id: None, model: None, created: None },
            Event::Open { choice: 0, block: 0, kind: BlockKind::Text },
            Event::Delta { choice: 0, block: 0, text: words.to_owned().into() },
            Event::Close { choice: 0, block: 0 },
            Event::Usage(usage),
            Event::Finish { choice: 0, finish },
            Event::End,
        ]
    }

    fn pause(token: &str) -> Finish {
        Finish::Pause { token: Some(token.to_owned()) }
    }

    fn played(joined: &mut Joined, events: Vec<Event<'static>>) -> Vec<String> {
        let mut out = Vec::new();
        for event in events {
            joined.event(event, &mut |event| out.push(format!("{event:?}")));
        }
        out
    }

    #[test]
    fn parts_are_one_answer_with_blocks_of_their_own_numbers_and_all_tokens() {
        let mut joined = Joined::default();
        let first = played(&mut joined, text_part("one", pause("t1")));
        assert!(first.iter().all(|event| !event.starts_with("Finish") && event != "End"), "{first:?}");
        assert_eq!(joined.paused(), Some("t1"));
        joined.resume();
        assert_eq!(joined.paused(), None);
        let second = played(&mut joined, text_part("two", Finish::End));
        assert!(
            second[0].starts_with("Open") && second[0].contains("block: 1"),
            "no second start: {second:?}"
        );
        assert!(second.iter().any(|event| event.contains("input: 20, output: 4")), "{second:?}");
        assert_eq!(second.last().map(String::as_str), Some("End"));
    }

    #[test]
    fn a_provider_that_never_ends_is_not_resumed_for_ever() {
        let mut joined = Joined::default();
        let mut rounds = 0;
        loop {
            let events = played(&mut joined, text_part("more", pause("t")));
            if events.last().map(String::as_str) == Some("End") {
                break;
            }
            joined.resume();
            rounds += 1;
        }
        assert_eq!(rounds, MAX_PARTS);
    }

    #[test]
    fn whole_parts_are_joined_where_the_text_was_cut() {
        let part = |text: &str, finish| Reply {
            id: None,
            model: None,
            created: None,
            choices: vec![Choice { index: 0, parts: vec![Part::text(text)], finish, logprobs: None }],
            usage: Some(TokenUsage { input: 3, output: 1, ..TokenUsage::default() }),
            tier: None,
            fingerprint: None,
        };
        let mut reply = part("Part o", pause("t"));
        assert_eq!(continuation(&reply), Some("t"));
        join(&mut reply, part("ne", Finish::End));
        assert_eq!(continuation(&reply), None);
        assert_eq!(reply.choices[0].parts, [Part::text("Part one")]);
        assert_eq!(reply.usage.map(|usage| usage.input), Some(6));
    }

    #[test]
    fn the_token_is_put_into_the_same_body() {
        let body = continued(br#"{"contents":[]}"#, "a\"b");
        assert_eq!(body, br#"{"continuationToken":"a\"b","contents":[]}"#);
    }
}

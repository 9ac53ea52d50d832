//! An answer that its provider gives in several parts, each on a request of its own: Gemini ends a part with
//! `CONTINUATION` and a token, and goes on when it gets the same request with that token (§10 of the wire formats).

use crate::{
    form::{BlockKind, Choice, Event, Finish, Part, PartKind, Reply},
    tool_ids,
};
use cliproxy_domain::TokenUsage;
use std::collections::BTreeSet;

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
    /// There is more than one choice: a part that follows would tell the others again.
    several: bool,
    /// The ids of all calls so far.
    calls: BTreeSet<String>,
}

impl Joined {
    /// Takes an event of this part and hands on what it is in the whole.
    pub(crate) fn event(&mut self, event: Event<'_>, sink: &mut dyn FnMut(Event<'_>)) {
        let base = if self.parts == 0 { 0 } else { self.first_block };
        match event {
            Event::Start { .. } if std::mem::replace(&mut self.started, true) => {}
            Event::Open { choice, block, kind } => {
                self.several |= choice > 0;
                if choice == 0 {
                    self.next_block = self.next_block.max(base.saturating_add(block).saturating_add(1));
                }
                sink(Event::Open { choice, block: base.saturating_add(block), kind: self.own(kind) });
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
                if self.parts < MAX_PARTS && !self.several =>
            {
                self.paused = Some(token);
            }
            Event::End if self.paused.is_some() => {}
            event => sink(event),
        }
    }

    /// Gives a call of a later part an id that no call before it has.
    fn own<'k>(&mut self, mut kind: BlockKind<'k>) -> BlockKind<'k> {
        if let BlockKind::ToolCall { id, .. } = &mut kind {
            if self.parts > 0 {
                *id = tool_ids::of_later_part(std::mem::take(id), &self.calls);
            }
            self.calls.insert(id.clone().into_owned());
        }
        kind
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
        own_ids(&choice.parts, &mut later.parts);
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

/// Gives the calls of the next part ids that no call before them has.
fn own_ids(parts: &[Part], later: &mut [Part]) {
    let call_id = |part: &Part| match &part.kind {
        PartKind::ToolCall(call) => Some(call.id.clone()),
        _ => None,
    };
    let mut earlier: BTreeSet<String> = parts.iter().filter_map(call_id).collect();
    for part in later {
        if let PartKind::ToolCall(call) = &mut part.kind {
            call.id = tool_ids::of_later_part(std::mem::take(&mut call.id).into(), &earlier).into_owned();
            earlier.insert(call.id.clone());
        }
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
mod tests;

//! What the tests of all dialects ask of streamed events: that they keep the guarantees of [`Event`], and that they
//! say the same as a whole answer.

use super::{
    Ids, ReplyContext,
    stream::{Decoder, Encoder},
};
use crate::{
    form::{Args, BlockKind, Choice, Event, Finish, Part, PartKind, Reply, ToolCall},
    framing::Framing,
    passthrough::Observer,
};
use cliproxy_domain::{AttemptError, Dialect, Operation};
use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

/// Makes a copy of an event that outlives the wire event it was read from.
pub(crate) fn owned(event: Event<'_>) -> Event<'static> {
    let kept = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
    match event {
        Event::Start { id, model, created } => {
            Event::Start { id: id.map(kept), model: model.map(kept), created }
        }
        Event::Open { choice, block, kind } => {
            let kind = match kind {
                BlockKind::Text => BlockKind::Text,
                BlockKind::Refusal => BlockKind::Refusal,
                BlockKind::Reasoning(form) => BlockKind::Reasoning(form),
                BlockKind::ToolCall { id, name, free } => {
                    BlockKind::ToolCall { id: kept(id), name: kept(name), free }
                }
            };
            Event::Open { choice, block, kind }
        }
        Event::Delta { choice, block, text } => Event::Delta { choice, block, text: kept(text) },
        Event::State { choice, block, state } => Event::State { choice, block, state },
        Event::Cite { choice, block, citation } => Event::Cite { choice, block, citation },
        Event::Logprobs { choice, content } => Event::Logprobs { choice, content },
        Event::Close { choice, block } => Event::Close { choice, block },
        Event::Usage(usage) => Event::Usage(usage),
        Event::Finish { choice, finish } => Event::Finish { choice, finish },
        Event::End => Event::End,
    }
}

/// Reads a stream of `dialect` chunk by chunk: its events, and how it ended.
pub(crate) fn events_of(
    dialect: Dialect,
    framing: Framing,
    chunks: &[&[u8]],
) -> (Vec<Event<'static>>, Result<(), AttemptError>) {
    let mut decoder = Decoder::new(dialect, Ids::new([3, 4]));
    let mut observer = Observer::new(dialect, Operation::Generate, framing);
    let mut events = Vec::new();
    let mut keep = |event: Event<'_>| events.push(owned(event));
    let fed = chunks.iter().try_for_each(|chunk| {
        observer.feed_each(chunk, |name, data| decoder.event(name, data, &mut keep)).map(drop)
    });
    let ended = fed
        .and_then(|()| observer.finish_each(|name, data| decoder.event(name, data, &mut keep)))
        .and_then(|()| decoder.finish(&mut keep));
    (events, ended)
}

/// Writes `events` as a client of `context` gets them.
pub(crate) fn written(context: ReplyContext, events: &[Event<'_>]) -> Vec<u8> {
    let (mut encoder, mut out) = (Encoder::new(Arc::new(context)), Vec::new());
    events.iter().for_each(|event| encoder.event(event, &mut out));
    out
}

/// Fails unless `events` are a whole answer that keeps every guarantee of [`Event`].
#[track_caller]
pub(crate) fn assert_well_formed(events: &[Event<'_>]) {
    match walked(events) {
        Err(complaint) => panic!("{complaint} in {events:#?}"),
        Ok(false) => panic!("there is no End in {events:#?}"),
        Ok(true) => {}
    }
}

/// Fails unless `events` keep the guarantees as far as they go: those of a stream that failed or goes on.
#[track_caller]
pub(crate) fn assert_well_begun(events: &[Event<'_>]) {
    if let Err(complaint) = walked(events) {
        panic!("{complaint} in {events:#?}");
    }
}

/// Walks the events; tells whether they came to their end, or what is wrong with them.
fn walked(events: &[Event<'_>]) -> Result<bool, String> {
    let mut walk = Walk::default();
    for (at, event) in events.iter().enumerate() {
        walk.event(event).map_err(|complaint| format!("event {at} ({event:?}): {complaint}"))?;
    }
    Ok(walk.ended)
}

#[derive(Default)]
struct Walk {
    started: bool,
    ended: bool,
    choices: BTreeMap<u32, Blocks>,
}

#[derive(Default)]
struct Blocks {
    next: u32,
    /// By number, and whether the block is of text.
    open: BTreeMap<u32, bool>,
    finished: bool,
}

impl Walk {
    fn event(&mut self, event: &Event<'_>) -> Result<(), String> {
        if self.ended {
            return Err("something comes after End".into());
        }
        match event {
            Event::Start { .. } if self.started => return Err("a second Start".into()),
            Event::Start { .. } => self.started = true,
            _ if !self.started => return Err("it comes before Start".into()),
            Event::Open { choice, block, kind } => {
                let blocks = self.going(*choice)?;
                if *block != blocks.next {
                    return Err(format!("the next block is {}", blocks.next));
                }
                if matches!(kind, BlockKind::ToolCall { id, name, .. } if id.is_empty() || name.is_empty()) {
                    return Err("the call has no id or no name".into());
                }
                blocks.next += 1;
                blocks.open.insert(*block, *kind == BlockKind::Text);
            }
            Event::Delta { text, .. } if text.is_empty() => return Err("the text is empty".into()),
            Event::Delta { choice, block, .. } | Event::State { choice, block, .. } => {
                self.open(*choice, *block)?;
            }
            Event::Cite { choice, block, .. } => {
                if !self.open(*choice, *block)? {
                    return Err("the block is not of text".into());
                }
            }
            Event::Close { choice, block } => {
                self.open(*choice, *block)?;
                self.going(*choice)?.open.remove(block);
            }
            Event::Logprobs { choice, .. } => _ = self.going(*choice)?,
            Event::Usage(_) => {}
            Event::Finish { choice, .. } => {
                let blocks = self.going(*choice)?;
                if !blocks.open.is_empty() {
                    return Err(format!("blocks {:?} are open", blocks.open.keys()));
                }
                blocks.finished = true;
            }
            Event::End => self.end()?,
        }
        Ok(())
    }

    fn end(&mut self) -> Result<(), String> {
        self.ended = true;
        if self.choices.is_empty() {
            return Err("no choice has finished".into());
        }
        match self.choices.iter().find(|(_, blocks)| !blocks.finished) {
            Some((choice, _)) => Err(format!("choice {choice} has not finished")),
            None => Ok(()),
        }
    }

    fn going(&mut self, choice: u32) -> Result<&mut Blocks, String> {
        let blocks = self.choices.entry(choice).or_default();
        if blocks.finished { Err("its choice has finished".into()) } else { Ok(blocks) }
    }

    /// Tells whether an open block is of text.
    fn open(&mut self, choice: u32, block: u32) -> Result<bool, String> {
        self.going(choice)?.open.get(&block).copied().ok_or_else(|| "its block is not open".into())
    }
}

/// Puts the events of a whole answer together. What events do not carry is absent. Compare it with
/// [`comparable`] answers.
pub(crate) fn assembled(events: &[Event<'_>]) -> Reply {
    let mut reply = Reply {
        id: None,
        model: None,
        created: None,
        choices: Vec::new(),
        usage: None,
        tier: None,
        fingerprint: None,
    };
    let mut places: BTreeMap<(u32, u32), usize> = BTreeMap::new();
    for event in events.iter().cloned().map(owned) {
        match event {
            Event::Start { id, model, created } => {
                reply.id = id.map(Cow::into_owned);
                reply.model = model.map(Cow::into_owned);
                reply.created = created;
            }
            Event::Open { choice, block, kind } => {
                let parts = &mut choice_of(&mut reply, choice).parts;
                places.insert((choice, block), parts.len());
                parts.push(begun(kind));
            }
            Event::Delta { choice, block, text } => {
                append(&mut choice_of(&mut reply, choice).parts[places[&(choice, block)]], &text);
            }
            Event::State { choice, block, state } => {
                choice_of(&mut reply, choice).parts[places[&(choice, block)]].state = Some(state);
            }
            Event::Cite { choice, block, citation } => {
                let part = &mut choice_of(&mut reply, choice).parts[places[&(choice, block)]];
                let PartKind::Text { citations, .. } = &mut part.kind else { panic!("cited: {part:?}") };
                citations.push(*citation);
            }
            Event::Logprobs { choice, content } => {
                choice_of(&mut reply, choice).logprobs.get_or_insert_default().extend(content);
            }
            Event::Usage(usage) => reply.usage = Some(usage),
            Event::Finish { choice, finish } => choice_of(&mut reply, choice).finish = finish,
            Event::Close { .. } | Event::End => {}
        }
    }
    reply.choices.sort_by_key(|choice| choice.index);
    comparable(reply)
}

/// Spells what may be spelled in several ways in one: the white space of arguments, and no arguments at all. Empty
/// texts go, since a stream may have none, and blocks that only their own dialect understands, which no event tells.
pub(crate) fn comparable(mut reply: Reply) -> Reply {
    for choice in &mut reply.choices {
        choice.parts.retain(|part| {
            let is_empty = part.as_text() == Some("") && part.state.is_none();
            !is_empty && !matches!(part.kind, PartKind::Foreign { .. })
        });
        for part in &mut choice.parts {
            if let PartKind::ToolCall(ToolCall { args: Args::Json(text), .. }) = &mut part.kind {
                if text.is_empty() {
                    "{}".clone_into(text);
                }
                if let Ok(value) = serde_json::from_str::<serde_json::Value>(text) {
                    *text = value.to_string();
                }
            }
        }
    }
    reply
}

fn choice_of(reply: &mut Reply, index: u32) -> &mut Choice {
    let at = reply.choices.iter().position(|choice| choice.index == index).unwrap_or_else(|| {
        reply.choices.push(Choice { index, parts: Vec::new(), finish: Finish::End, logprobs: None });
        reply.choices.len() - 1
    });
    &mut reply.choices[at]
}

fn begun(kind: BlockKind<'_>) -> Part {
    match kind {
        BlockKind::Text => Part::text(""),
        BlockKind::Refusal => Part::new(PartKind::Refusal(String::new())),
        BlockKind::Reasoning(form) => Part::new(PartKind::Reasoning { text: String::new(), form }),
        BlockKind::ToolCall { id, name, free } => {
            let args = if free { Args::Free(String::new()) } else { Args::Json(String::new()) };
            Part::new(PartKind::ToolCall(ToolCall { id: id.into_owned(), name: name.into_owned(), args }))
        }
    }
}

fn append(part: &mut Part, more: &str) {
    match &mut part.kind {
        PartKind::Text { text, .. } | PartKind::Refusal(text) | PartKind::Reasoning { text, .. } => {
            text.push_str(more)
        }
        PartKind::ToolCall(ToolCall { args: Args::Json(text) | Args::Free(text), .. }) => text.push_str(more),
        other => panic!("{other:?} is no block"),
    }
}

#[cfg(test)]
mod tests;

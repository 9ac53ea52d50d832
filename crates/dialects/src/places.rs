//! Places of messages in the words of the client, for warnings and refusals.

use crate::form::Request;
use cliproxy_domain::Dialect;
use std::borrow::Cow;

/// Names the list of messages.
pub(crate) fn list(from: Dialect) -> &'static str {
    match from {
        Dialect::OpenAiChat | Dialect::Anthropic => "messages",
        Dialect::OpenAiResponses => "input",
        Dialect::Gemini => "contents",
    }
}

/// Names the message that turn number `at` was, where only chat's places are the form's: for what is told of a turn
/// without its request.
pub(crate) fn turn(from: Dialect, at: usize) -> Cow<'static, str> {
    let list = list(from);
    if from == Dialect::OpenAiChat { Cow::Owned(format!("{list}[{at}]")) } else { Cow::Borrowed(list) }
}

/// Names the message that turn number `at` of `request` was, as far as its place is known. Instructions that stand
/// outside the list shift the places in it; of a Responses request several items may be one turn.
pub(crate) fn turn_of(request: &Request, at: usize) -> Cow<'static, str> {
    let list = list(request.from);
    let outside = match request.from {
        Dialect::OpenAiChat => 0,
        Dialect::OpenAiResponses => return Cow::Borrowed(list),
        Dialect::Anthropic | Dialect::Gemini => {
            request.turns.iter().take_while(|turn| turn.role.is_instruction()).count()
        }
    };
    Cow::Owned(format!("{list}[{}]", at.saturating_sub(outside)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::form::{Part, Role, Turn};

    #[test]
    fn a_message_is_named_by_its_place_in_the_clients_list() {
        for (from, at, of) in [
            (Dialect::OpenAiChat, "messages[1]", "messages[1]"),
            (Dialect::Anthropic, "messages", "messages[0]"),
            (Dialect::Gemini, "contents", "contents[0]"),
            (Dialect::OpenAiResponses, "input", "input"),
        ] {
            let mut request = Request::new(from, "m");
            for role in [Role::System, Role::User] {
                request.turns.push(Turn::new(role, vec![Part::text("a")]));
            }
            assert_eq!((&*turn(from, 1), &*turn_of(&request, 1)), (at, of), "{from:?}");
        }
    }
}

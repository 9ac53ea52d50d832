//! What a request needs of its target: the facts that routing decides on before anything is sent.

use crate::{
    form::{Media, OutputFormat, Part, PartKind, Request, ToolKind},
    places,
    words::{Word, word},
};
use cliproxy_domain::{Dialect, Need, Needs};
use std::borrow::Cow;

/// Lists what a target of dialect `to` must have. State of the client's own provider, such as uploaded files, is a
/// need in every dialect but its own.
pub(crate) fn of(request: &Request, to: Dialect) -> Needs {
    let mut needs = Needs::NONE;
    walk(request, &mut |found, own, _| {
        let own = own.or((found == Need::ServerState && request.from == to).then_some(to));
        let kept_there = found == Need::ServerState && own.is_some_and(|own| shares_files(own, to));
        if !kept_there {
            needs.add(found);
        }
    });
    needs
}

/// Tells whether a file that was uploaded for one dialect is known in the other. OpenAI has one store for both.
fn shares_files(own: Dialect, to: Dialect) -> bool {
    let openai = |dialect| matches!(dialect, Dialect::OpenAiChat | Dialect::OpenAiResponses);
    own == to || (openai(own) && openai(to))
}

/// Names the first field because of which `need` is there; the client's own words.
pub(crate) fn field(request: &Request, need: Need) -> Cow<'static, str> {
    let mut first = None;
    walk(request, &mut |found, _, path: &dyn Fn() -> Cow<'static, str>| {
        if found == need && first.is_none() {
            first = Some(path());
        }
    });
    first.unwrap_or(Cow::Borrowed(need.as_str()))
}

type Found<'f> = &'f mut dyn FnMut(Need, Option<Dialect>, &dyn Fn() -> Cow<'static, str>);

fn walk(request: &Request, found: Found<'_>) {
    let from = request.from;
    let fixed = |name: &'static str| move || Cow::Borrowed(name);
    for (at, turn) in request.turns.iter().enumerate() {
        for part in &turn.parts {
            walk_part(part, found, &|| places::turn(from, at));
        }
    }
    let called = request.tools.iter().any(|tool| !matches!(tool.kind, ToolKind::Vendor { .. }));
    if called {
        found(Need::Tools, None, &fixed("tools"));
    }
    if matches!(request.format, Some(OutputFormat::Schema { .. })) {
        found(Need::StructuredOutput, None, &fixed(word(Word::Format, request)));
    }
    if request.choices.is_some_and(|choices| choices > 1) {
        let name = if from == Dialect::Gemini { "generationConfig.candidateCount" } else { "n" };
        found(Need::Choices, None, &fixed(name));
    }
    if request.sampling.logprobs == Some(true) || request.sampling.top_logprobs.is_some_and(|top| top > 0) {
        let name = match from {
            Dialect::Gemini => "generationConfig.responseLogprobs",
            Dialect::OpenAiResponses => "top_logprobs",
            Dialect::OpenAiChat | Dialect::Anthropic => "logprobs",
        };
        found(Need::Logprobs, None, &fixed(name));
    }
    if request.media_output {
        let name = if from == Dialect::Gemini { "generationConfig.responseModalities" } else { "modalities" };
        found(Need::MediaOutput, None, &fixed(name));
    }
    for name in &request.server_state {
        // Only the dialect that the reference is written in has a place for it.
        found(Need::ServerState, None, &fixed(name));
    }
}

fn walk_part(part: &Part, found: Found<'_>, path: &dyn Fn() -> Cow<'static, str>) {
    match &part.kind {
        PartKind::Image { media, .. } => {
            found(Need::Images, None, path);
            walk_media(media, found, path);
        }
        PartKind::Audio(media) => {
            found(Need::Audio, None, path);
            walk_media(media, found, path);
        }
        PartKind::File { media: Media::Text(_), .. } => {}
        PartKind::File { media, .. } => {
            found(Need::Files, None, path);
            if matches!(media, Media::Url { .. }) {
                found(Need::FileUrls, None, path);
            }
            walk_media(media, found, path);
        }
        PartKind::ToolResult(result) => {
            result.content.iter().for_each(|part| walk_part(part, found, path));
        }
        PartKind::Text { .. }
        | PartKind::Refusal(_)
        | PartKind::ToolCall(_)
        | PartKind::Reasoning { .. }
        | PartKind::Foreign { .. } => {}
    }
}

fn walk_media(media: &Media, found: Found<'_>, path: &dyn Fn() -> Cow<'static, str>) {
    if let Media::FileId { dialect, .. } = media {
        found(Need::ServerState, Some(*dialect), path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::form::{Role, Turn};

    fn with(kind: PartKind) -> Request {
        let mut request = Request::new(Dialect::OpenAiChat, "m");
        request.turns.push(Turn::new(Role::User, vec![Part::text("see"), Part::new(kind)]));
        request
    }

    #[test]
    fn plain_text_needs_nothing() {
        let request = with(PartKind::Refusal("no".into()));
        assert!(Dialect::OpenAiChat.lacks().and(of(&request, Dialect::Gemini)).is_empty());
        assert!(of(&request, Dialect::Gemini).is_empty());
    }

    #[test]
    fn a_file_by_url_is_more_than_a_file() {
        let media = Media::Url { url: "https://x/y.pdf".into(), mime: None };
        let request = with(PartKind::File { media, name: None });
        let needs = of(&request, Dialect::Anthropic);
        assert!(needs.has(Need::Files) && needs.has(Need::FileUrls));
        assert_eq!(field(&request, Need::FileUrls), "messages[0]");
    }

    #[test]
    fn an_earlier_response_is_known_in_its_own_dialect_alone() {
        let mut request = Request::new(Dialect::OpenAiResponses, "m");
        request.server_state.push("previous_response_id");
        assert!(!of(&request, Dialect::OpenAiResponses).has(Need::ServerState));
        assert!(of(&request, Dialect::OpenAiChat).has(Need::ServerState));
        assert_eq!(field(&request, Need::ServerState), "previous_response_id");
    }

    #[test]
    fn an_uploaded_file_is_state_of_its_own_provider_alone() {
        let media = Media::FileId { dialect: Dialect::OpenAiChat, id: "file-1".into() };
        let request = with(PartKind::Image { media, detail: None });
        assert!(!of(&request, Dialect::OpenAiChat).has(Need::ServerState));
        assert!(!of(&request, Dialect::OpenAiResponses).has(Need::ServerState), "one vendor's store");
        assert!(of(&request, Dialect::Anthropic).has(Need::ServerState));
    }
}

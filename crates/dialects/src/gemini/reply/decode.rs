//! Reading a provider's whole answer.

use super::super::{
    reader::{Reader, Take},
    wire::{self, Part as WirePart},
};
use crate::{
    form::{Args, BlockKind, Choice, Event, Finish, Media, Opaque, Part, PartKind, Reply, State, ToolCall},
    json::Text,
};
use cliproxy_domain::{AttemptError, Dialect, Failure};
use serde_json::{Value, value::RawValue};
use std::collections::BTreeMap;

/// Reads an answer.
///
/// # Errors
/// [`Failure::MalformedReply`] when it is none, [`Failure::Upstream`] when its end says that it failed.
pub(crate) fn decode_reply(body: &[u8]) -> Result<Reply, AttemptError> {
    let mut whole = Whole::new();
    wire::read(body, |chunk| {
        let named = Text::said(&chunk.response_id).is_some();
        let seed = if named { String::new() } else { String::from_utf8_lossy(body).into_owned() };
        let mut reader = Reader::of_whole(seed);
        reader.chunk(chunk, &mut whole)?;
        if !reader.has_answer() {
            let message = "the provider's answer holds neither a candidate nor a reason why there is none";
            return Err(AttemptError::new(Failure::MalformedReply, message));
        }
        reader.finish(&mut whole);
        Ok(())
    })?;
    let Whole { mut reply, choices } = whole;
    reply.choices = choices.into_values().collect();
    Ok(reply)
}

/// Puts an answer together.
struct Whole {
    reply: Reply,
    choices: BTreeMap<u32, Choice>,
}

impl Whole {
    fn new() -> Self {
        let reply = Reply {
            id: None,
            model: None,
            created: None,
            choices: Vec::new(),
            usage: None,
            tier: None,
            fingerprint: None,
        };
        Self { reply, choices: BTreeMap::new() }
    }

    fn choice(&mut self, index: u32) -> &mut Choice {
        let new = || Choice { index, parts: Vec::new(), finish: Finish::End, logprobs: None };
        self.choices.entry(index).or_insert_with(new)
    }

    /// Gives the part of the open block: one block is open at a time, and it is the latest.
    fn last(&mut self, choice: u32) -> Option<&mut Part> {
        self.choice(choice).parts.last_mut()
    }
}

impl Take for Whole {
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Start { id, model, .. } => {
                self.reply.id = id.map(|id| id.into_owned());
                self.reply.model = model.map(|model| model.into_owned());
            }
            Event::Open { choice, kind, .. } => self.choice(choice).parts.push(opened(kind)),
            Event::Delta { choice, text: more, .. } => {
                if let Some(part) = self.last(choice)
                    && let PartKind::Text { text, .. }
                    | PartKind::Reasoning { text, .. }
                    | PartKind::ToolCall(ToolCall { args: Args::Json(text), .. }) = &mut part.kind
                {
                    text.push_str(&more);
                }
            }
            Event::State { choice, state, .. } => {
                if let Some(part) = self.last(choice) {
                    part.state = Some(state);
                }
            }
            Event::Cite { choice, citation, .. } => {
                if let Some(Part { kind: PartKind::Text { citations, .. }, .. }) = self.last(choice) {
                    citations.push(*citation);
                }
            }
            Event::Logprobs { choice, content } => {
                self.choice(choice).logprobs.get_or_insert_default().extend(content);
            }
            Event::Usage(usage) => self.reply.usage = Some(usage),
            Event::Finish { choice, finish } => self.choice(choice).finish = finish,
            Event::Close { .. } | Event::End => {}
        }
    }

    fn other(&mut self, choice: u32, part: &WirePart<'_>) {
        let Some(mut read) = other(part) else { return };
        let signature = Text::said(&part.thought_signature);
        read.state = signature.map(|signature| Opaque::Native(State::native(Dialect::Gemini, signature)));
        self.choice(choice).parts.push(read);
    }
}

fn opened(kind: BlockKind<'_>) -> Part {
    Part::new(match kind {
        BlockKind::Text => PartKind::Text { text: String::new(), citations: Vec::new() },
        BlockKind::Refusal => PartKind::Refusal(String::new()),
        BlockKind::Reasoning(form) => PartKind::Reasoning { text: String::new(), form },
        BlockKind::ToolCall { id, name, .. } => PartKind::ToolCall(ToolCall {
            id: id.into_owned(),
            name: name.into_owned(),
            args: Args::Json(String::new()),
        }),
    })
}

/// Reads media and the blocks of Gemini's own tools. What is not known is left out.
fn other(part: &WirePart<'_>) -> Option<Part> {
    let said = |text| Text::said(text).map(str::to_owned);
    if let Some(blob) = &part.inline_data {
        let mime = said(&blob.mime_type)?;
        let base64 = said(&blob.data)?;
        return Some(media(Media::Inline { mime: mime.clone(), base64 }, &mime));
    }
    if let Some(file) = &part.file_data {
        let mime = said(&file.mime_type);
        let kind = mime.clone().unwrap_or_default();
        return Some(media(Media::Url { url: said(&file.file_uri)?, mime }, &kind));
    }
    let own = [
        ("executableCode", part.executable_code),
        ("codeExecutionResult", part.code_execution_result),
        ("toolCall", part.tool_call),
        ("toolResponse", part.tool_response),
    ];
    own.into_iter().find_map(|(name, raw)| foreign(name, raw?))
}

fn media(media: Media, mime: &str) -> Part {
    Part::new(match mime.split_once('/') {
        Some(("image", _)) => PartKind::Image { media, detail: None },
        Some(("audio", _)) => PartKind::Audio(media),
        _ => PartKind::File { media, name: None },
    })
}

fn foreign(name: &'static str, raw: &RawValue) -> Option<Part> {
    let payload: Value = serde_json::from_str(raw.get()).ok()?;
    let json = Value::Object([(name.to_owned(), payload)].into_iter().collect());
    Some(Part::new(PartKind::Foreign { dialect: Dialect::Gemini, name: name.to_owned(), json }))
}

//! Counting the tokens of a prompt, across dialects (§7 of the wire formats).

use crate::{
    anthropic,
    form::{Args, Media, Part, PartKind, Refused, Request, ToolKind},
    gemini,
    json::Object,
    openai_responses,
    translate::{Notes, Target},
};
use cliproxy_domain::{AttemptError, Dialect, Failure, Need};
use serde::Deserialize;

/// Writes the request for a target's counting endpoint.
pub(crate) fn encode(request: &Request, target: &Target<'_>, notes: &mut Notes) -> Result<Vec<u8>, Refused> {
    match target.dialect {
        Dialect::OpenAiChat => Err(Refused::lacking(Need::TokenCounts, "model")),
        Dialect::OpenAiResponses => openai_responses::encode_count(request, target, notes),
        Dialect::Anthropic => anthropic::encode_count(request, target, notes),
        Dialect::Gemini => gemini::encode_count(request, target, notes),
    }
}

/// Reads a provider's count.
pub(crate) fn decode_reply(dialect: Dialect, body: &[u8]) -> Result<u64, AttemptError> {
    #[derive(Deserialize)]
    struct Counted {
        #[serde(alias = "totalTokens")]
        input_tokens: Option<u64>,
    }
    let counted: Option<Counted> = serde_json::from_slice(body).ok();
    counted.and_then(|counted| counted.input_tokens).ok_or_else(|| {
        let message = format!("the provider's answer holds no count of tokens ({})", dialect.as_str());
        AttemptError::new(Failure::MalformedReply, message)
    })
}

/// Guesses the tokens of a prompt that nobody can count: four bytes of text are one, and an image is what the larger
/// vendors charge for one of a megapixel.
pub(crate) fn estimate(request: &Request) -> u64 {
    let turns = request.turns.iter().map(|turn| PER_TURN + turn.parts.iter().map(of_part).sum::<u64>());
    let tools = request.tools.iter().map(|tool| {
        let shape = match &tool.kind {
            ToolKind::Function { schema: Some(schema), .. } => schema.to_string().len(),
            ToolKind::Function { schema: None, .. } | ToolKind::Free(_) | ToolKind::Vendor { .. } => 0,
        };
        PER_TURN + text(tool.name.len() + tool.description.as_ref().map_or(0, String::len) + shape)
    });
    turns.sum::<u64>() + tools.sum::<u64>()
}

const PER_TURN: u64 = 4;
const PER_IMAGE: u64 = 1_500;

fn text(bytes: usize) -> u64 {
    (bytes as u64).div_ceil(4)
}

fn of_part(part: &Part) -> u64 {
    match &part.kind {
        PartKind::Text { text: said, .. } | PartKind::Refusal(said) => text(said.len()),
        PartKind::Reasoning { text: thought, .. } => text(thought.len()),
        PartKind::Image { .. } => PER_IMAGE,
        PartKind::Audio(media) | PartKind::File { media, .. } => match media {
            Media::Text(said) => text(said.len()),
            // A page of a PDF is some 50 KiB and as dear as an image.
            Media::Inline { base64, .. } => PER_IMAGE * (base64.len() as u64).div_ceil(64 * 1024),
            Media::Url { .. } | Media::FileId { .. } => PER_IMAGE,
        },
        PartKind::ToolCall(call) => match &call.args {
            Args::Json(args) | Args::Free(args) => text(call.name.len() + args.len()),
        },
        PartKind::ToolResult(result) => result.content.iter().map(of_part).sum(),
        PartKind::Foreign { json, .. } => text(json.to_string().len()),
    }
}

/// Writes a count for a client.
pub(crate) fn encode_reply(dialect: Dialect, tokens: u64) -> Vec<u8> {
    let mut out = Vec::with_capacity(64);
    let mut object = Object::new(&mut out);
    match dialect {
        Dialect::OpenAiChat | Dialect::OpenAiResponses => {
            object.field("object", "response.input_tokens").field("input_tokens", &tokens);
        }
        Dialect::Anthropic => {
            object.field("input_tokens", &tokens);
        }
        Dialect::Gemini => {
            object.field("totalTokens", &tokens);
        }
    }
    drop(object);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::form::{Role, Turn};

    #[test]
    fn a_count_is_read_and_written_in_every_spelling() {
        for (dialect, folder) in [
            (Dialect::OpenAiResponses, "openai-responses"),
            (Dialect::Anthropic, "anthropic"),
            (Dialect::Gemini, "gemini"),
        ] {
            let recorded = crate::fixtures::read(&format!("{folder}/count-tokens.response.json"));
            let tokens = decode_reply(dialect, &recorded).unwrap();
            assert!(tokens > 0);
            assert_eq!(decode_reply(dialect, &encode_reply(dialect, tokens)).unwrap(), tokens);
        }
    }

    #[test]
    fn an_estimate_grows_with_what_is_said() {
        let mut request = Request::new(Dialect::Anthropic, "m");
        assert_eq!(estimate(&request), 0);
        request.turns.push(Turn::new(Role::User, vec![Part::text("x".repeat(400))]));
        assert_eq!(estimate(&request), 104);
        let media = Media::Url { url: "https://x/y.png".into(), mime: None };
        request.turns[0].parts.push(Part::new(PartKind::Image { media, detail: None }));
        assert_eq!(estimate(&request), 1_604);
    }

    #[test]
    fn an_answer_without_a_count_is_malformed() {
        for body in ["{}", "[]", "{\"input_tokens\":-1}", "x"] {
            let error = decode_reply(Dialect::Anthropic, body.as_bytes()).unwrap_err();
            assert_eq!(error.failure, Failure::MalformedReply);
        }
    }
}

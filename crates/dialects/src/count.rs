//! Counting the tokens of a prompt, across dialects (§7 of the wire formats).

use crate::{
    anthropic,
    form::{Refused, Request},
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
    fn an_answer_without_a_count_is_malformed() {
        for body in ["{}", "[]", "{\"input_tokens\":-1}", "x"] {
            let error = decode_reply(Dialect::Anthropic, body.as_bytes()).unwrap_err();
            assert_eq!(error.failure, Failure::MalformedReply);
        }
    }
}

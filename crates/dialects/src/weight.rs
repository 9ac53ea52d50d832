//! What a request may cost, told before it is sent: its prompt by its bytes, and the most that it lets the model say.
//!
//! The prompt's figure is to be no less than the truth in ordinary cases: what is reserved too much comes back, what is
//! reserved too little passes a limit.

use cliproxy_domain::Dialect;
use memchr::{memchr, memmem};
use serde::Deserialize;

/// What a request may cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Weight {
    /// The tokens of its prompt, as far as its bytes tell.
    pub prompt: u64,
    /// The most tokens of one answer, where the request says so.
    pub max_output: Option<u64>,
    /// How many answers it asks for; at least 1.
    pub answers: u64,
}

/// Bytes of a request for one of its tokens.
const BYTES_PER_TOKEN: u64 = 3;
/// What a message costs beside its text.
const PER_MESSAGE: u64 = 16;
/// What an image costs at most, whatever its size.
const PER_IMAGE: u64 = 5_000;
/// Encoded bytes of other media for one of their tokens.
const MEDIA_BYTES_PER_TOKEN: u64 = 4;
/// Strings from this length on may be media.
const MEDIA_FROM: usize = 512;
/// Answers at most that are believed to be asked for.
const MOST_ANSWERS: u64 = 128;

/// How base64 of an image begins: PNG, JPEG, GIF, WebP.
const IMAGES: [&[u8]; 4] = [b"iVBOR", b"/9j/", b"R0lGOD", b"UklGR"];

/// Weighs the body of a request of this dialect. A body that cannot be read has its bytes alone.
pub fn weigh(dialect: Dialect, body: &[u8]) -> Weight {
    let asked: Asked = serde_json::from_slice(body).unwrap_or_default();
    let generation = asked.generation_config.unwrap_or_default();
    let (max_output, answers) = match dialect {
        // The newer name counts where both are given.
        Dialect::OpenAiChat => (asked.max_completion_tokens.or(asked.max_tokens), asked.n),
        Dialect::OpenAiResponses => (asked.max_output_tokens, None),
        Dialect::Anthropic => (asked.max_tokens, None),
        Dialect::Gemini => (generation.max_output_tokens, generation.candidate_count),
    };
    let answers = count(answers).unwrap_or(1).clamp(1, MOST_ANSWERS);
    Weight { prompt: prompt(body), max_output: count(max_output), answers }
}

/// The fields of all dialects; none of them means two things.
#[derive(Default, Deserialize)]
struct Asked {
    #[serde(default)]
    max_tokens: Option<f64>,
    #[serde(default)]
    max_completion_tokens: Option<f64>,
    #[serde(default)]
    max_output_tokens: Option<f64>,
    #[serde(default)]
    n: Option<f64>,
    #[serde(default, rename = "generationConfig", alias = "generation_config")]
    generation_config: Option<Generation>,
}

#[derive(Default, Deserialize)]
struct Generation {
    #[serde(default, rename = "maxOutputTokens", alias = "max_output_tokens")]
    max_output_tokens: Option<f64>,
    #[serde(default, rename = "candidateCount", alias = "candidate_count")]
    candidate_count: Option<f64>,
}

/// What is no count is for the provider to complain of.
fn count(number: Option<f64>) -> Option<u64> {
    number.filter(|number| *number >= 0.0).map(|number| number as u64)
}

/// Estimates the tokens of a body's texts and media.
fn prompt(body: &[u8]) -> u64 {
    let mut text = body.len();
    let mut media = 0_u64;
    let mut rest = body;
    while let Some(begin) = memchr(b'"', rest) {
        let after = &rest[begin + 1..];
        let length = literal_len(after);
        let literal = &after[..length];
        if length >= MEDIA_FROM
            && let Some(tokens) = media_tokens(literal)
        {
            text = text.saturating_sub(length);
            media = media.saturating_add(tokens);
        }
        rest = after.get(length + 1..).unwrap_or_default();
    }
    let messages = memmem::find_iter(body, b"\"role\"").count() as u64 + 1;
    let links = ["\"image_url\"", "\"input_image\"", "\"fileData\"", "\"file_uri\""];
    let links: usize = links.iter().map(|name| memmem::find_iter(body, name.as_bytes()).count()).sum();
    // An image that is given by its address costs as much as one that is sent.
    let linked = if media == 0 { PER_IMAGE.saturating_mul(links as u64) } else { 0 };
    (text as u64)
        .div_ceil(BYTES_PER_TOKEN)
        .saturating_add(messages.saturating_mul(PER_MESSAGE))
        .saturating_add(media)
        .saturating_add(linked)
}

/// Gives the length of a string literal whose opening quote is behind us.
fn literal_len(after: &[u8]) -> usize {
    let mut at = 0;
    while let Some(found) = after.get(at..).and_then(|rest| memchr::memchr2(b'"', b'\\', rest)) {
        at += found;
        if after.get(at) == Some(&b'"') {
            return at;
        }
        at += 2;
    }
    after.len()
}

/// Estimates media in base64, bare or as a data URL; none for text.
fn media_tokens(literal: &[u8]) -> Option<u64> {
    let (kind, data) = match literal.strip_prefix(b"data:") {
        Some(url) => {
            let comma = memchr(b',', &url[..url.len().min(256)])?;
            (&url[..comma], &url[comma + 1..])
        }
        None => (&literal[..0], literal),
    };
    // All of it: a text must not pass for an image because it begins like one.
    let encoded =
        |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'-' | b'_' | b'\\');
    if !data.iter().all(encoded) {
        return None;
    }
    let is_image = kind.starts_with(b"image/") || IMAGES.iter().any(|magic| data.starts_with(magic));
    let by_size = (data.len() as u64).div_ceil(MEDIA_BYTES_PER_TOKEN);
    Some(if is_image { by_size.min(PER_IMAGE) } else { by_size })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_most_that_an_answer_may_be_is_read_in_every_dialect() {
        let cases = [
            (Dialect::OpenAiChat, r#"{"max_tokens":7,"n":3}"#, Some(7), 3),
            (Dialect::OpenAiChat, r#"{"max_tokens":7,"max_completion_tokens":9}"#, Some(9), 1),
            (Dialect::OpenAiResponses, r#"{"max_output_tokens":12}"#, Some(12), 1),
            (Dialect::Anthropic, r#"{"max_tokens":1024}"#, Some(1024), 1),
            (Dialect::Gemini, r#"{"generationConfig":{"maxOutputTokens":5,"candidateCount":2}}"#, Some(5), 2),
            (Dialect::Gemini, r#"{"generation_config":{"max_output_tokens":5}}"#, Some(5), 1),
            (Dialect::OpenAiChat, r#"{"max_tokens":null}"#, None, 1),
            (Dialect::OpenAiChat, r#"{"max_tokens":-4,"n":0}"#, None, 1),
            (Dialect::OpenAiChat, "{}", None, 1),
        ];
        for (dialect, body, max_output, answers) in cases {
            let weight = weigh(dialect, body.as_bytes());
            assert_eq!((weight.max_output, weight.answers), (max_output, answers), "{body}");
        }
    }

    #[test]
    fn a_text_weighs_no_less_than_its_tokens() {
        // Counted by a provider: 1,000 words of English are about 1,300 tokens.
        let body = format!(r#"{{"messages":[{{"role":"user","content":"{}"}}]}}"#, "budget ".repeat(1_000));
        let weight = weigh(Dialect::OpenAiChat, body.as_bytes());
        assert!((2_300..2_500).contains(&weight.prompt), "{}", weight.prompt);
    }

    #[test]
    fn an_image_weighs_what_images_cost_and_not_what_their_bytes_would() {
        let image = format!("iVBOR{}", "A".repeat(4_000_000));
        for body in [
            format!(r#"{{"messages":[{{"role":"user","content":[{{"source":{{"data":"{image}"}}}}]}}]}}"#),
            format!(r#"{{"image_url":{{"url":"data:image/png;base64,{image}"}}}}"#),
        ] {
            let weight = weigh(Dialect::Anthropic, body.as_bytes());
            assert!((PER_IMAGE..PER_IMAGE + 100).contains(&weight.prompt), "{}", weight.prompt);
        }
        let linked = br#"{"image_url":{"url":"https://example.com/cat.png"}}"#;
        assert!(weigh(Dialect::OpenAiChat, linked).prompt > PER_IMAGE);
    }

    #[test]
    fn a_text_that_begins_like_an_image_weighs_as_a_text() {
        let text = format!("iVBOR {}", "word ".repeat(10_000));
        let body = format!(r#"{{"content":"{text}"}}"#);
        assert!(weigh(Dialect::Anthropic, body.as_bytes()).prompt > 16_000);
    }

    proptest! {
        #[test]
        fn no_body_ends_in_a_panic(body: Vec<u8>, text in "[\"\\\\a-z{}:,]{0,600}") {
            for dialect in [Dialect::OpenAiChat, Dialect::OpenAiResponses, Dialect::Anthropic, Dialect::Gemini] {
                weigh(dialect, &body);
                prop_assert!(weigh(dialect, text.as_bytes()).prompt >= text.len() as u64 / 6);
            }
        }
    }
}

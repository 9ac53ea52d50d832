//! What a request may cost, told before it is sent: its prompt by its bytes, and the most that it lets the model say.
//!
//! The prompt's figure is to be no less than the truth in ordinary cases: what is reserved too much comes back, what is
//! reserved too little passes a limit.

mod asked;
mod media;

use asked::Asked;
use cliproxy_domain::Dialect;
use media::media_tokens;
use memchr::{memchr, memmem};

/// What a request may cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Weight {
    /// The tokens of its prompt, as far as its bytes tell.
    pub prompt: u64,
    /// The most tokens of one answer, where the request says so.
    pub max_output: Option<u64>,
    /// How many answers it asks for; at least 1.
    pub answers: u64,
    /// The model goes on without anybody who listens, as Responses do in the background.
    pub detached: bool,
}

/// Bytes of a request for one of its tokens.
const BYTES_PER_TOKEN: u64 = 3;
/// Where a provider that reported none is guessed at, it is by so many: rather too few tokens than too many.
const GUESSED_BYTES_PER_TOKEN: u64 = 4;
/// What a message costs beside its text.
const PER_MESSAGE: u64 = 16;
/// What an image costs at most, whatever its size.
const PER_IMAGE: u64 = 5_000;
/// Strings from this length on may be media.
const MEDIA_FROM: usize = 512;
/// Answers at most that are believed to be asked for.
const MOST_ANSWERS: u64 = 128;

/// The fields that hold media, or an address of them.
const MEDIA_FIELDS: [&[u8]; 7] =
    [b"data", b"url", b"image_url", b"file_data", b"file_url", b"fileUri", b"file_uri"];
/// The fields around those that hold much else as well.
const AROUND: [&[u8]; 11] = [
    b"source",
    b"type",
    b"media_type",
    b"image_url",
    b"detail",
    b"input_audio",
    b"format",
    b"inlineData",
    b"inline_data",
    b"mimeType",
    b"mime_type",
];

/// Weighs the body of a request of this dialect. A body that cannot be read has its bytes alone.
pub fn weigh(dialect: Dialect, body: &[u8]) -> Weight {
    let asked: Asked = serde_json::from_slice(body).unwrap_or_default();
    let (max_output, answers) = match dialect {
        // Servers differ in which of the two they go by.
        Dialect::OpenAiChat => (asked.max_completion_tokens.max(asked.max_tokens), asked.n),
        Dialect::OpenAiResponses => (asked.max_output, None),
        Dialect::Anthropic => (asked.max_tokens, None),
        Dialect::Gemini => (asked.generation_max_output, asked.generation_candidates),
    };
    let answers = answers.unwrap_or(1).clamp(1, MOST_ANSWERS);
    let detached = dialect == Dialect::OpenAiResponses && asked.background;
    Weight { prompt: prompt(body), max_output, answers, detached }
}

/// Gives the bytes of a body that stand for its tokens where the provider reports none: those of its texts, and for media
/// as many as texts of their tokens have.
pub fn prompt_bytes(body: &[u8]) -> usize {
    const MARKS: [&[u8]; 2] = [b"base64", b"\"data\""];
    if body.len() < MEDIA_FROM || MARKS.iter().all(|mark| memmem::find(body, mark).is_none()) {
        return body.len();
    }
    let Content { text, media, .. } = Content::of(body);
    let media = usize::try_from(media.saturating_mul(GUESSED_BYTES_PER_TOKEN)).unwrap_or(usize::MAX);
    text.saturating_add(media).min(body.len())
}

/// Estimates the tokens of a body's texts and media.
fn prompt(body: &[u8]) -> u64 {
    let Content { text, media, linked } = Content::of(body);
    let messages = memmem::find_iter(body, b"\"role\"").count() as u64 + 1;
    (text as u64)
        .div_ceil(BYTES_PER_TOKEN)
        .saturating_add(messages.saturating_mul(PER_MESSAGE))
        .saturating_add(media)
        .saturating_add(linked.saturating_mul(PER_IMAGE))
}

/// What there is in a body.
struct Content {
    /// Bytes that are no media.
    text: usize,
    /// Tokens of the media in it.
    media: u64,
    /// Media that are given by their addresses.
    linked: u64,
}

impl Content {
    fn of(body: &[u8]) -> Self {
        let mut content = Self { text: body.len(), media: 0, linked: 0 };
        // The last field's name, and the one before.
        let (mut name, mut before): (&[u8], &[u8]) = (b"", b"");
        let mut rest = body;
        while let Some(begin) = memchr(b'"', rest) {
            let after = &rest[begin + 1..];
            let length = literal_len(after);
            let literal = &after[..length];
            rest = after.get(length + 1..).unwrap_or_default();
            if names_a_field(rest) {
                (name, before) = (literal, name);
            } else if holds_media(name, before) {
                content.take(literal);
            }
        }
        content
    }

    /// Takes a string that may be media.
    fn take(&mut self, literal: &[u8]) {
        let is_address = [&b"http"[..], b"gs:"].iter().any(|begin| literal.starts_with(begin));
        if is_address {
            // It costs as much as one that is sent.
            self.linked += 1;
        } else if literal.len() >= MEDIA_FROM
            && let Some(tokens) = media_tokens(literal)
        {
            self.text = self.text.saturating_sub(literal.len());
            self.media = self.media.saturating_add(tokens);
        }
    }
}

/// Tells whether the string that ended before `rest` is a field's name.
fn names_a_field(rest: &[u8]) -> bool {
    rest.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b':')
}

/// Tells whether the field called `name`, after one called `before`, holds media: what a text holds is read by the model,
/// whatever it looks like.
fn holds_media(name: &[u8], before: &[u8]) -> bool {
    MEDIA_FIELDS.contains(&name) && (!matches!(name, b"data" | b"url") || AROUND.contains(&before))
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
            (Dialect::OpenAiChat, r#"{"max_tokens":900,"max_completion_tokens":9}"#, Some(900), 1),
            (Dialect::OpenAiChat, r#"{"max_tokens":1,"max_tokens":900,"n":3,"n":2}"#, Some(900), 3),
            (Dialect::OpenAiChat, r#"{"max_tokens":900,"n":"x","max_output_tokens":[]}"#, Some(900), 1),
            (Dialect::OpenAiChat, r#"{"max_tokens":"900"}"#, Some(900), 1),
            (
                Dialect::Gemini,
                r#"{"generationConfig":{"maxOutputTokens":1},"generation_config":{"max_output_tokens":9}}"#,
                Some(9),
                1,
            ),
            (Dialect::Gemini, r#"{"generationConfig":null}"#, None, 1),
        ];
        for (dialect, body, max_output, answers) in cases {
            let weight = weigh(dialect, body.as_bytes());
            assert_eq!((weight.max_output, weight.answers), (max_output, answers), "{body}");
        }
    }

    #[test]
    fn a_response_in_the_background_goes_on_without_its_client() {
        let detached = |dialect, body: &str| weigh(dialect, body.as_bytes()).detached;
        assert!(detached(Dialect::OpenAiResponses, r#"{"background":true}"#));
        assert!(!detached(Dialect::OpenAiResponses, r#"{"background":false}"#));
        assert!(!detached(Dialect::OpenAiChat, r#"{"background":true}"#));
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
    fn an_image_that_is_linked_costs_what_one_that_is_sent_does_also_beside_one() {
        let sent = format!(
            r#"{{"type":"image_url","image_url":{{"url":"data:image/png;base64,{}"}}}}"#,
            "A".repeat(40_000)
        );
        let linked =
            r#"{"type":"image_url","image_url":{"detail":"low","url":"https://example.com/cat.png"}}"#;
        let body = format!(r#"{{"messages":[{{"role":"user","content":[{sent},{linked},{linked}]}}]}}"#);
        let weight = weigh(Dialect::OpenAiChat, body.as_bytes());
        assert!((3 * PER_IMAGE..3 * PER_IMAGE + 200).contains(&weight.prompt), "{}", weight.prompt);
    }

    #[test]
    fn sound_weighs_by_its_length_and_not_as_a_text_or_an_image() {
        let minute = "A".repeat(2_500_000);
        for (begin, field) in [("UklGRiQgFgBXQVZF", "input_audio"), ("SUQzBAAA", "inlineData")] {
            let body = format!(r#"{{"{field}":{{"data":"{begin}{minute}"}}}}"#);
            let weight = weigh(Dialect::OpenAiChat, body.as_bytes());
            assert!((62_500..62_700).contains(&weight.prompt), "{begin}: {}", weight.prompt);
        }
    }

    #[test]
    fn media_that_a_text_holds_weigh_as_a_text() {
        let pasted = format!("iVBOR{}", "A".repeat(300_000));
        for body in [
            format!(r#"{{"messages":[{{"role":"user","content":"{pasted}"}}]}}"#),
            format!(r#"{{"content":[{{"type":"text","text":"{pasted}"}}]}}"#),
            format!(r#"{{"type":"tool_use","input":{{"data":"{pasted}"}}}}"#),
        ] {
            assert!(weigh(Dialect::Anthropic, body.as_bytes()).prompt > 100_000, "{}", &body[..60]);
        }
    }

    #[test]
    fn what_is_guessed_without_the_providers_word_is_no_more_than_what_was_reserved() {
        let image = format!("iVBOR{}", "A".repeat(4_000_000));
        let body =
            format!(r#"{{"messages":[{{"role":"user","content":[{{"source":{{"data":"{image}"}}}}]}}]}}"#);
        let guessed = prompt_bytes(body.as_bytes()) as u64 / GUESSED_BYTES_PER_TOKEN;
        assert!(
            (PER_IMAGE..=weigh(Dialect::Anthropic, body.as_bytes()).prompt).contains(&guessed),
            "{guessed}"
        );
        let text = format!(r#"{{"content":"{}"}}"#, "word ".repeat(10_000));
        assert_eq!(prompt_bytes(text.as_bytes()), text.len());
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

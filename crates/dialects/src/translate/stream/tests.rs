use super::*;
use crate::{envelope::Sealer, translate::Notes};
use serde_json::Map;

const DIALECTS: [Dialect; 4] =
    [Dialect::OpenAiChat, Dialect::OpenAiResponses, Dialect::Anthropic, Dialect::Gemini];

fn translator(upstream: Dialect, client: Dialect) -> StreamTranslator {
    let context = ReplyContext {
        client,
        framing: Framing::Sse,
        upstream,
        model: "asked".to_owned(),
        upstream_model: "upstream-model".to_owned(),
        credential: "key-1".to_owned(),
        sealer: Sealer::new("upstream", b"secret"),
        ids: Ids::new([1, 2]),
        created: 17,
        notes: Notes::default(),
        shows_reasoning: true,
        stream_usage: true,
        input_estimate: 0,
        echo: Map::new(),
    };
    StreamTranslator::new(Framing::Sse, Arc::new(context))
}

/// The watch takes the chunk for content; its reader passes over it, as over all JSON of another shape. The end mark
/// alone is no answer.
#[test]
fn a_stream_that_ends_without_an_answer_is_a_failure_for_every_client() {
    let twice = r#"{"created":1,"created":2,"choices":[{"index":0,"delta":{"content":"Oslo"}}]}"#;
    let stream = format!("data: {twice}\n\ndata: [DONE]\n\n");
    for client in DIALECTS.into_iter().filter(|client| *client != Dialect::OpenAiChat) {
        let mut translator = translator(Dialect::OpenAiChat, client);
        let mut out = Vec::new();
        translator.feed(stream.as_bytes(), &mut out).unwrap();
        assert_eq!(translator.finish(&mut out).unwrap_err().failure, Failure::MalformedReply, "{client:?}");
        assert!(!translator.is_complete() && out.is_empty(), "{client:?}");
    }
}

#[test]
fn what_comes_after_the_end_of_the_answer_cannot_spoil_it() {
    let good = String::from_utf8(crate::fixtures::read("anthropic/text.stream.sse")).unwrap();
    for after in ["data: {broken\n\n", "event: error\ndata: {\"type\":\"error\",\"error\":{}}\n\n"] {
        for client in DIALECTS.into_iter().filter(|client| *client != Dialect::Anthropic) {
            let mut translator = translator(Dialect::Anthropic, client);
            let (mut alone, mut out) = (Vec::new(), Vec::new());
            translator.feed(good.as_bytes(), &mut alone).unwrap();
            translator.finish(&mut alone).unwrap();
            let mut translator = self::translator(Dialect::Anthropic, client);
            translator.feed(format!("{good}{after}").as_bytes(), &mut out).unwrap();
            translator.feed(after.as_bytes(), &mut out).unwrap();
            translator.finish(&mut out).unwrap();
            assert!(translator.is_complete(), "{client:?}");
            assert_eq!(String::from_utf8_lossy(&out), String::from_utf8_lossy(&alone), "{client:?}");
        }
    }
}

/// Fixtures that end well, of every dialect.
fn good_streams() -> Vec<crate::fixtures::Fixture> {
    let broken = ["truncated", "error", "failed", "prompt-blocked", "forward-compat"];
    let mut streams = crate::fixtures::all(".stream.sse");
    streams.retain(|fixture| !broken.iter().any(|word| fixture.name.contains(word)));
    streams
}

#[test]
fn a_translated_stream_that_is_ended_early_is_whole_in_every_dialect() {
    let spent = TokenUsage { input: 24, output: 3, ..TokenUsage::default() };
    for fixture in good_streams() {
        for client in DIALECTS.into_iter().filter(|client| *client != fixture.dialect) {
            let ends = fixture.bytes.windows(2).enumerate().filter(|(_, two)| *two == b"\n\n");
            for at in ends.map(|(at, _)| at + 2) {
                let mut translator = translator(fixture.dialect, client);
                let mut out = Vec::new();
                translator.feed(&fixture.bytes[..at], &mut out).unwrap();
                if !translator.is_semantic() || translator.is_complete() {
                    continue;
                }
                let told = || format!("{} for {client:?} after {at} bytes", fixture.name);
                assert!(translator.end_early(&spent, &mut out), "{}", told());
                assert!(translator.is_complete() && translator.is_cut(), "{}", told());
                assert!(!translator.end_early(&spent, &mut out), "it ends once: {}", told());
                let mut reader = Observer::new(client, Operation::Generate, Framing::Sse);
                reader.feed(&out).unwrap_or_else(|error| panic!("{}: {error:?}", told()));
                assert_eq!(reader.finish(), Ok(()), "{}", told());
            }
        }
    }
}

#[test]
fn what_a_stream_says_is_counted_before_its_provider_counts_it() {
    let mut translator = translator(Dialect::Anthropic, Dialect::OpenAiChat);
    let long = "word ".repeat(400);
    let stream = format!(
        "event: message_start\ndata: {{\"type\":\"message_start\",\"message\":{{\"usage\":{{\"input_tokens\":9,\"output_tokens\":1}}}}}}\n\n\
         event: content_block_start\ndata: {{\"type\":\"content_block_start\",\"index\":0,\"content_block\":{{\"type\":\"text\",\"text\":\"\"}}}}\n\n\
         event: content_block_delta\ndata: {{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{{\"type\":\"text_delta\",\"text\":\"{long}\"}}}}\n\n"
    );
    translator.feed(stream.as_bytes(), &mut Vec::new()).unwrap();
    let usage = translator.usage(0);
    assert_eq!((usage.input, usage.output, usage.estimated), (9, 500, 499));
}

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

//! The twelve pairs of dialects, with recorded answers for their providers.

use cliproxy_dialects::{
    Framing,
    envelope::Sealer,
    translate::{Ids, Notes, ReplyContext},
};
use cliproxy_domain::Dialect;
use std::{fmt, fs, path::PathBuf};

/// A provider's dialect and a client's.
#[derive(Clone, Copy, Debug)]
pub struct Pair {
    pub upstream: Dialect,
    pub client: Dialect,
}

impl fmt::Display for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} for {}", short(self.upstream), short(self.client))
    }
}

fn short(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::OpenAiChat => "chat",
        Dialect::OpenAiResponses => "responses",
        Dialect::Anthropic => "anthropic",
        Dialect::Gemini => "gemini",
    }
}

/// The dialects, with the folder of their recordings and what a content event of theirs holds.
const STREAMS: [(Dialect, &str, &str); 4] = [
    (Dialect::OpenAiChat, "openai-chat", "\"content\":\"Oslo"),
    (Dialect::OpenAiResponses, "openai-responses", "\"delta\":\"Oslo"),
    (Dialect::Anthropic, "anthropic", "\"text\":\"Oslo"),
    (Dialect::Gemini, "gemini", "\"text\":\"Oslo"),
];

pub fn all() -> Vec<Pair> {
    let dialects = STREAMS.map(|(dialect, ..)| dialect);
    let pairs = dialects.into_iter().flat_map(|upstream| dialects.map(|client| Pair { upstream, client }));
    pairs.filter(|pair| pair.upstream != pair.client).collect()
}

impl Pair {
    pub fn context(self) -> ReplyContext {
        ReplyContext {
            client: self.client,
            framing: Framing::Sse,
            upstream: self.upstream,
            model: "asked-model".to_owned(),
            upstream_model: "upstream-model".to_owned(),
            credential: "main".to_owned(),
            sealer: Sealer::new("upstream", b"secret"),
            ids: Ids::new([1, 2]),
            created: 1_790_000_000,
            notes: Notes::default(),
            shows_reasoning: true,
            stream_usage: true,
            input_estimate: 10,
            echo: serde_json::Map::new(),
        }
    }

    /// Reads a recorded file of the provider's.
    pub fn recorded(self, file: &str) -> String {
        let (_, folder, _) = self.stream();
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(folder).join(file);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    fn stream(self) -> (Dialect, &'static str, &'static str) {
        let own = STREAMS.into_iter().find(|(dialect, ..)| *dialect == self.upstream);
        own.unwrap_or_else(|| panic!("{self} has no stream"))
    }

    /// Gives the recorded stream up to its first content event, and that event.
    pub fn content(self) -> (String, String) {
        let (_, _, mark) = self.stream();
        let stream = self.recorded("text.stream.sse").replace("\r\n", "\n");
        let mut before = String::new();
        for event in stream.split_inclusive("\n\n") {
            if event.contains(mark) {
                return (before, event.to_owned());
            }
            before.push_str(event);
        }
        panic!("{self} has no content event");
    }
}

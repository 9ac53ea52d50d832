//! What a mock provider is told to do: a script of rules, of which the first that fits a request decides.
//!
//! The types are the JSON of `PUT /__mock/behaviour` as well; unknown fields are refused.

mod behaviour;
mod fixture;

pub use self::{
    behaviour::{Behaviour, ErrorKind, Hint, Point},
    fixture::{Chunk, Ending, Fixture, Payload},
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt, time::Duration};

/// The provider whose API is played. It decides paths, authentication and the shape of errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// Messages and token counts.
    Anthropic,
    /// Chat Completions, Responses and embeddings.
    #[serde(rename = "openai")]
    OpenAi,
    /// `generateContent`, token counts and embeddings.
    Gemini,
}

impl Family {
    /// Names the family as scripts, logs and the command line spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Family::Anthropic => "anthropic",
            Family::OpenAi => "openai",
            Family::Gemini => "gemini",
        }
    }
}

/// What a request asks for, as rules and the log tell requests apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// Text or a tool call.
    Generate,
    /// A count of prompt tokens.
    CountTokens,
    /// Vectors for texts.
    Embed,
    /// The list of models, or one of them.
    Models,
}

/// Everything that steers a mock provider. The default answers every request at once.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Script {
    /// Seeds the draws of rules that have a `probability`.
    pub seed: u64,
    /// The API keys that are accepted; `None` accepts any key that is not empty.
    pub keys: Option<Vec<Key>>,
    /// The models that are listed and served, others answer 404; `None` serves any name and lists a few.
    pub models: Option<Vec<String>>,
    /// How many of the newest request bodies the log keeps.
    pub keep_bodies: usize,
    /// Refuses what the real APIs refuse: unknown fields, turns out of order, lost signatures.
    pub strict: bool,
    /// Reads request bodies at this pace; 0 never reads them, so that such a request waits for ever.
    pub read_bytes_per_second: Option<u64>,
    /// What is done to every request for the list of models or one of them, before any rule: the switch for health
    /// probes. [`Behaviour::Answer`] leaves them to the rules.
    pub health: Behaviour,
    /// Tried in order; the first that fits decides alone. A request that fits none is answered at once.
    pub rules: Vec<Rule>,
}

/// An API key that the mock accepts, with the name under which rules and the log know it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// Shown in the log instead of the key.
    pub name: String,
    /// The key itself, as clients send it.
    pub key: String,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Says how to answer the requests that it fits. Conditions that are absent fit every request.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rule {
    /// A glob over model names, as `claude-*`.
    pub model: Option<String>,
    /// The name of a key, or the last four characters of one without a name.
    pub key: Option<String>,
    /// Only streamed requests, or only others.
    pub stream: Option<bool>,
    /// Only requests of this kind.
    pub operation: Option<Operation>,
    /// Serves this many requests, then never fits again.
    pub times: Option<u64>,
    /// Fits this share of the requests, 0 to 1, drawn from the script's seed.
    pub probability: Option<f64>,
    /// When things are sent.
    pub latency: Latency,
    /// What is said.
    pub reply: Reply,
    /// What is done.
    #[serde(rename = "do")]
    pub behaviour: Behaviour,
}

impl Rule {
    /// Starts a rule that fits every request.
    pub fn new(behaviour: Behaviour) -> Self {
        Self { behaviour, ..Self::default() }
    }

    /// Restricts the rule to models that match the glob `pattern`.
    pub fn for_model(mut self, pattern: impl Into<String>) -> Self {
        self.model = Some(pattern.into());
        self
    }

    /// Restricts the rule to the key of this name (or these last four characters).
    pub fn for_key(mut self, name: impl Into<String>) -> Self {
        self.key = Some(name.into());
        self
    }

    /// Restricts the rule to the next `times` requests that it fits.
    pub fn times(mut self, times: u64) -> Self {
        self.times = Some(times);
        self
    }

    /// Restricts the rule to a share of the requests, 0 to 1.
    pub fn probability(mut self, share: f64) -> Self {
        self.probability = Some(share);
        self
    }

    /// Restricts the rule to streamed requests, or to the others.
    pub fn streamed(mut self, stream: bool) -> Self {
        self.stream = Some(stream);
        self
    }

    /// Sets when things are sent.
    pub fn latency(mut self, latency: Latency) -> Self {
        self.latency = latency;
        self
    }

    /// Sets what is said.
    pub fn reply(mut self, reply: Reply) -> Self {
        self.reply = reply;
        self
    }
}

/// When an answer is sent, in milliseconds. An answer that is not streamed comes whole after
/// `headers_ms + time_to_first_token_ms + tokens × per_token_ms`; errors and given bytes come after
/// `headers_ms`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Latency {
    /// From the end of the request to the response's headers.
    pub headers_ms: u64,
    /// From the headers to the first event of a stream.
    pub time_to_first_token_ms: u64,
    /// From one token's event to the next.
    pub per_token_ms: u64,
}

impl Latency {
    pub(crate) fn headers(self) -> Duration {
        Duration::from_millis(self.headers_ms)
    }

    pub(crate) fn first_token(self) -> Duration {
        Duration::from_millis(self.time_to_first_token_ms)
    }

    pub(crate) fn tokens(self, count: u64) -> Duration {
        Duration::from_millis(self.per_token_ms.saturating_mul(count))
    }
}

/// What an answer says and how it is cut. Without any field: a short sentence that names the mock and
/// the request's size and hash.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Reply {
    /// The text; a token is a word with the space after it.
    pub text: Option<String>,
    /// The number of tokens of filler text; `text` goes first.
    pub tokens: Option<u64>,
    /// The size of one token of filler text, 8 by default, at most 65536.
    pub token_bytes: Option<u64>,
    /// The size of the whole filler text in bytes, in place of `tokens`; tokens are then 16384 bytes
    /// unless `token_bytes` says otherwise. It is never held in memory at once.
    pub total_bytes: Option<u64>,
    /// Sends a stream in pieces of this many bytes whatever its events, each piece by itself.
    pub chunk_bytes: Option<usize>,
    /// What the model thinks before it speaks; given to requests that have it think.
    pub thinking: Option<String>,
    /// The tool calls to make in place of the text, unless the request's last turn holds tool results.
    pub calls: Vec<Call>,
    /// Text said before the calls.
    pub preamble: Option<String>,
    /// Declines with these words in place of the text.
    pub refusal: Option<String>,
    /// Why the answer ends, when not by itself.
    pub finish: Option<Finish>,
    /// Reports this usage in place of the counted one.
    pub usage: Option<Usage>,
    /// Reports these parts of the usage in place of the counted ones.
    pub usage_details: Option<UsageDetails>,
    /// Adds headers to the answer, on success and error alike.
    pub headers: BTreeMap<String, String>,
}

/// Token counts as an answer reports them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Usage {
    /// Tokens of the request: its body's bytes divided by four, rounded up.
    pub input_tokens: u64,
    /// Tokens of the answer: words of a text, `tokens` of filler, pieces of a tool call's arguments.
    pub output_tokens: u64,
}

/// What the counts of [`Usage`] are made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct UsageDetails {
    /// The part of the input tokens that came from a cache.
    pub cached_tokens: u64,
    /// The part of the input tokens that was written to a cache (not told by Gemini).
    pub cache_write_tokens: u64,
    /// The part of the output tokens that was thought.
    pub reasoning_tokens: u64,
}

/// A tool call that a reply makes when the request declares the tool.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Call {
    /// The tool; the first function declared when absent.
    pub name: Option<String>,
    /// The arguments, a JSON object; what the tool's schema requires when absent.
    pub arguments: Option<serde_json::Value>,
}

/// Why an answer ends, when not by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finish {
    /// The limit of output tokens is reached.
    Length,
    /// A filter stopped the answer.
    ContentFilter,
}

impl From<Behaviour> for Script {
    /// Makes a script that does one thing to every request.
    fn from(behaviour: Behaviour) -> Self {
        Rule::new(behaviour).into()
    }
}

impl From<Rule> for Script {
    fn from(rule: Rule) -> Self {
        vec![rule].into()
    }
}

impl From<Vec<Rule>> for Script {
    fn from(rules: Vec<Rule>) -> Self {
        Self { rules, ..Self::default() }
    }
}

#[cfg(test)]
mod tests;

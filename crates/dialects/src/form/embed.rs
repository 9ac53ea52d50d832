//! A request for embeddings, and its answer.

use cliproxy_domain::Dialect;

/// A request for embeddings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmbedRequest {
    /// The dialect that it came in.
    pub from: Dialect,
    /// The model as asked for.
    pub model: String,
    /// What to embed.
    pub input: Vec<EmbedInput>,
    /// How many numbers a vector should have.
    pub dimensions: Option<u64>,
    /// How the client wants the numbers (OpenAI).
    pub format: VectorFormat,
    /// Whether a Gemini client asked with `embedContent` and gets one vector, not a list.
    pub single: bool,
    /// What the vectors are for (Gemini's `taskType`).
    pub task: Option<String>,
    /// Names of fields that are not known.
    pub unknown: Vec<String>,
}

/// One thing to embed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EmbedInput {
    /// A text.
    Text(String),
    /// A text as token numbers, which only their own model family understands.
    Tokens(Vec<u64>),
}

/// How numbers are written for OpenAI clients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum VectorFormat {
    /// As a JSON array.
    #[default]
    Float,
    /// As base64 of little-endian 32-bit floats, which the official SDKs ask for.
    Base64,
}

/// An answer with embeddings.
#[derive(Clone, Debug, PartialEq)]
pub struct EmbedReply {
    /// One vector for each input, in order.
    pub vectors: Vec<Vec<f32>>,
    /// The tokens of the input, where the provider reported them.
    pub input_tokens: Option<u64>,
}

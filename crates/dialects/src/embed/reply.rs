//! Vectors.

use crate::{
    form::{EmbedReply, EmbedRequest, VectorFormat},
    json::Object,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use cliproxy_domain::{AttemptError, Dialect, Failure};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

#[derive(Deserialize)]
struct OpenAiReply<'a> {
    #[serde(borrow)]
    data: Vec<OpenAiVector<'a>>,
    usage: Option<OpenAiUsage>,
}

#[derive(Deserialize)]
struct OpenAiVector<'a> {
    index: Option<usize>,
    #[serde(borrow)]
    embedding: &'a RawValue,
}

#[derive(Deserialize)]
struct OpenAiUsage {
    prompt_tokens: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GeminiReply {
    embeddings: Option<Vec<GeminiVector>>,
    embedding: Option<GeminiVector>,
    usage_metadata: Option<GeminiUsage>,
}

#[derive(Deserialize)]
struct GeminiVector {
    values: Vec<f32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GeminiUsage {
    prompt_token_count: Option<u64>,
}

/// Reads a provider's answer to a request of so many `inputs`.
pub(crate) fn decode_reply(dialect: Dialect, body: &[u8], inputs: usize) -> Result<EmbedReply, AttemptError> {
    let reply = match dialect {
        Dialect::OpenAiChat | Dialect::OpenAiResponses => decode_openai(body),
        Dialect::Gemini => decode_gemini(body),
        Dialect::Anthropic => None,
    };
    let reply = reply.ok_or_else(|| malformed("the provider's answer holds no embeddings".into()))?;
    if reply.vectors.len() != inputs {
        let message =
            format!("the provider answered {inputs} inputs with {} embeddings", reply.vectors.len());
        return Err(malformed(message));
    }
    if !reply.vectors.iter().flatten().all(|number| number.is_finite()) {
        return Err(malformed("the provider's embeddings hold what is no number".into()));
    }
    Ok(reply)
}

fn malformed(message: String) -> AttemptError {
    AttemptError::new(Failure::MalformedReply, message)
}

fn decode_openai(body: &[u8]) -> Option<EmbedReply> {
    let OpenAiReply { mut data, usage } = serde_json::from_slice(body).ok()?;
    data.sort_by_key(|vector| vector.index);
    let vectors = data.iter().map(|vector| numbers(vector.embedding)).collect::<Option<Vec<_>>>()?;
    Some(EmbedReply { vectors, input_tokens: usage.and_then(|usage| usage.prompt_tokens) })
}

/// Reads a vector as an array of numbers, or as base64 of little-endian 32-bit floats.
fn numbers(raw: &RawValue) -> Option<Vec<f32>> {
    if !raw.get().starts_with('"') {
        return serde_json::from_str(raw.get()).ok();
    }
    let text: Cow<'_, str> = serde_json::from_str(raw.get()).ok()?;
    let bytes = STANDARD.decode(text.as_bytes()).ok()?;
    let (numbers, rest) = bytes.as_chunks::<4>();
    rest.is_empty().then(|| numbers.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
}

fn decode_gemini(body: &[u8]) -> Option<EmbedReply> {
    let reply: GeminiReply = serde_json::from_slice(body).ok()?;
    let vectors = match (reply.embeddings, reply.embedding) {
        (Some(list), _) => list,
        (None, Some(one)) => vec![one],
        (None, None) => return None,
    };
    Some(EmbedReply {
        vectors: vectors.into_iter().map(|vector| vector.values).collect(),
        input_tokens: reply.usage_metadata.and_then(|usage| usage.prompt_token_count),
    })
}

/// Writes an answer as the client that sent `request` wants it.
pub(crate) fn encode_reply(reply: &EmbedReply, request: &EmbedRequest) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    match request.from {
        Dialect::Gemini => encode_gemini(reply, request, &mut out),
        Dialect::OpenAiChat | Dialect::OpenAiResponses | Dialect::Anthropic => {
            encode_openai(reply, request, &mut out);
        }
    }
    out
}

fn encode_gemini(reply: &EmbedReply, request: &EmbedRequest, out: &mut Vec<u8>) {
    let mut body = Object::new(out);
    match reply.vectors.as_slice() {
        [one] if request.single => _ = body.object("embedding").field("values", one),
        all => {
            let mut list = body.array("embeddings");
            for vector in all {
                list.object().field("values", vector);
            }
        }
    }
}

fn encode_openai(reply: &EmbedReply, request: &EmbedRequest, out: &mut Vec<u8>) {
    let mut body = Object::new(out);
    body.field("object", "list");
    {
        let mut list = body.array("data");
        for (index, vector) in reply.vectors.iter().enumerate() {
            let mut one = list.object();
            one.field("object", "embedding").field("index", &index);
            match request.format {
                VectorFormat::Float => one.field("embedding", vector),
                VectorFormat::Base64 => one.field("embedding", &base64(vector)),
            };
        }
    }
    body.field("model", &request.model);
    // Required in the SDK's type; Gemini does not count.
    let tokens = reply.input_tokens.unwrap_or(0);
    body.object("usage").field("prompt_tokens", &tokens).field("total_tokens", &tokens);
}

fn base64(vector: &[f32]) -> String {
    let bytes: Vec<u8> = vector.iter().flat_map(|number| number.to_le_bytes()).collect();
    STANDARD.encode(bytes)
}

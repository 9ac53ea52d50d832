//! Embeddings of OpenAI and Gemini. A text's vector depends on the model, the text and the dimensions
//! alone, and usage adds up over texts, so that a joined call can be compared with single ones.

use super::{BadRequest, gemini::field, required, tools::content_text};
use crate::{answer::tokens_of, script::Usage};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;
use std::fmt::Write as _;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Dimensions when the request does not say.
const DIMENSIONS: usize = 16;
/// The most dimensions that a request may ask for.
const MOST_DIMENSIONS: usize = 8_192;

/// A request for embeddings.
#[derive(Debug)]
pub(crate) struct Embed {
    /// The model asked for.
    pub(crate) model: String,
    /// The texts (or the JSON of their token lists), each with its dimensions.
    inputs: Vec<(String, usize)>,
    shape: Shape,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    OpenAiFloat,
    OpenAiBase64,
    GeminiOne,
    GeminiBatch,
}

#[derive(Deserialize)]
struct OpenAiRequest {
    model: Option<String>,
    input: Option<Value>,
    dimensions: Option<usize>,
    encoding_format: Option<String>,
}

impl Embed {
    /// Reads a request to `/v1/embeddings`.
    pub(crate) fn read_openai(body: &[u8]) -> Result<Self, BadRequest> {
        let request: OpenAiRequest = serde_json::from_slice(body)?;
        let dimensions = checked(request.dimensions)?;
        let texts = match required(request.input, "input")? {
            // One list of tokens is one text.
            Value::Array(list) if list.first().is_some_and(Value::is_number) => vec![Value::Array(list)],
            Value::Array(list) if list.is_empty() => return Err(BadRequest("input: is empty".into())),
            Value::Array(list) => list,
            one => vec![one],
        };
        let text = |value: Value| match value {
            Value::String(text) => text,
            tokens => tokens.to_string(),
        };
        let shape = match request.encoding_format.as_deref() {
            None | Some("float") => Shape::OpenAiFloat,
            Some("base64") => Shape::OpenAiBase64,
            Some(_) => return Err(BadRequest("encoding_format: must be float or base64".into())),
        };
        Ok(Self {
            model: required(request.model, "model")?,
            inputs: texts.into_iter().map(|value| (text(value), dimensions)).collect(),
            shape,
        })
    }

    /// Reads a request to `:embedContent`.
    pub(crate) fn read_gemini(body: &[u8], model: &str) -> Result<Self, BadRequest> {
        let request: Value = serde_json::from_slice(body)?;
        let inputs = vec![gemini_input(&request)?];
        Ok(Self { model: model.to_owned(), inputs, shape: Shape::GeminiOne })
    }

    /// Reads a request to `:batchEmbedContents`.
    pub(crate) fn read_gemini_batch(body: &[u8], model: &str) -> Result<Self, BadRequest> {
        let request: Value = serde_json::from_slice(body)?;
        let requests = required(request.get("requests").and_then(Value::as_array), "requests")?;
        let inputs = requests.iter().map(gemini_input).collect::<Result<_, _>>()?;
        Ok(Self { model: model.to_owned(), inputs, shape: Shape::GeminiBatch })
    }

    /// Counts the tokens of all texts.
    pub(crate) fn tokens(&self) -> u64 {
        self.inputs.iter().map(|(text, _)| tokens_of(text.len() as u64)).sum()
    }

    /// Gives the usage that the answer reports: Gemini's has none.
    pub(crate) fn reported(&self, usage: Usage) -> Option<Usage> {
        matches!(self.shape, Shape::OpenAiFloat | Shape::OpenAiBase64).then_some(usage)
    }

    /// Writes the answer, which reports `tokens`.
    pub(crate) fn answer(&self, tokens: u64) -> Bytes {
        let vectors = self.inputs.iter().map(|(text, dimensions)| vector(&self.model, text, *dimensions));
        match self.shape {
            Shape::OpenAiFloat | Shape::OpenAiBase64 => self.openai(vectors, tokens),
            Shape::GeminiOne => {
                let values = vectors.map(|vector| floats(&vector)).collect::<String>();
                format!(r#"{{"embedding":{{"values":{values}}}}}"#).into()
            }
            Shape::GeminiBatch => {
                let all = vectors.map(|vector| format!(r#"{{"values":{}}}"#, floats(&vector)));
                format!(r#"{{"embeddings":[{}]}}"#, all.collect::<Vec<_>>().join(",")).into()
            }
        }
    }

    fn openai(&self, vectors: impl Iterator<Item = Vec<f32>>, tokens: u64) -> Bytes {
        let mut data = String::new();
        for (index, vector) in vectors.enumerate() {
            let embedding = match self.shape {
                Shape::OpenAiBase64 => format!("\"{}\"", base64(&vector)),
                _ => floats(&vector),
            };
            let comma = if index == 0 { "" } else { "," };
            let _ =
                write!(data, r#"{comma}{{"object":"embedding","index":{index},"embedding":{embedding}}}"#);
        }
        let model = Value::from(self.model.as_str());
        let usage = format!(r#"{{"prompt_tokens":{tokens},"total_tokens":{tokens}}}"#);
        format!(r#"{{"object":"list","model":{model},"data":[{data}],"usage":{usage}}}"#).into()
    }
}

fn checked(dimensions: Option<usize>) -> Result<usize, BadRequest> {
    match dimensions.unwrap_or(DIMENSIONS) {
        0 => Err(BadRequest("dimensions: must be at least 1".into())),
        wanted if wanted > MOST_DIMENSIONS => {
            Err(BadRequest(format!("dimensions: must be at most {MOST_DIMENSIONS}")))
        }
        wanted => Ok(wanted),
    }
}

fn gemini_input(request: &Value) -> Result<(String, usize), BadRequest> {
    let content = required(request.get("content"), "content")?;
    let dimensions = field(request, "outputDimensionality", "output_dimensionality")
        .and_then(Value::as_u64)
        .and_then(|wanted| usize::try_from(wanted).ok());
    Ok((content.get("parts").map(content_text).unwrap_or_default(), checked(dimensions)?))
}

/// Makes the vector of a text: multiples of 1/128 from −1 to 1, exact in every spelling.
fn vector(model: &str, text: &str, dimensions: usize) -> Vec<f32> {
    let seed = xxh3_64_with_seed(model.as_bytes(), 0);
    let value = |at: usize| {
        let hash = xxh3_64_with_seed(text.as_bytes(), seed.wrapping_add(at as u64));
        f32::from((hash % 257) as i16 - 128) / 128.0
    };
    (0..dimensions).map(value).collect()
}

fn floats(vector: &[f32]) -> String {
    let numbers = vector.iter().map(|value| format!("{value:?}"));
    format!("[{}]", numbers.collect::<Vec<_>>().join(","))
}

/// Spells a vector as OpenAI does for base64: 32-bit floats, little-endian.
fn base64(vector: &[f32]) -> String {
    STANDARD.encode(vector.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(embed: &Embed) -> Value {
        serde_json::from_slice(&embed.answer(embed.tokens())).unwrap()
    }

    #[test]
    fn a_joined_call_gives_what_single_ones_give() {
        let both = json(&Embed::read_openai(br#"{"model":"e","input":["alpha","beta"]}"#).unwrap());
        let one = json(&Embed::read_openai(br#"{"model":"e","input":"alpha"}"#).unwrap());
        let other = json(&Embed::read_openai(br#"{"model":"e","input":["beta"]}"#).unwrap());
        assert_eq!(both["data"][0]["embedding"], one["data"][0]["embedding"]);
        assert_eq!(both["data"][1]["embedding"], other["data"][0]["embedding"]);
        assert_ne!(both["data"][0]["embedding"], both["data"][1]["embedding"]);
        let tokens = |answer: &Value| answer["usage"]["prompt_tokens"].as_u64().unwrap();
        assert_eq!(tokens(&both), tokens(&one) + tokens(&other));
    }

    #[test]
    fn base64_and_floats_are_the_same_numbers() {
        let body = br#"{"model":"e","input":"alpha","dimensions":5,"encoding_format":"base64"}"#;
        let packed = json(&Embed::read_openai(body).unwrap());
        let bytes = STANDARD.decode(packed["data"][0]["embedding"].as_str().unwrap()).unwrap();
        let unpacked = bytes.chunks(4).map(|four| f32::from_le_bytes(four.try_into().unwrap()));
        let body = br#"{"model":"e","input":"alpha","dimensions":5}"#;
        let plain = json(&Embed::read_openai(body).unwrap());
        let plain =
            plain["data"][0]["embedding"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap() as f32);
        assert_eq!(unpacked.collect::<Vec<_>>(), plain.collect::<Vec<_>>());
    }

    #[test]
    fn token_lists_are_texts_too() {
        let count = |body: &[u8]| json(&Embed::read_openai(body).unwrap())["data"].as_array().unwrap().len();
        assert_eq!(count(br#"{"model":"e","input":[1,2,3]}"#), 1);
        assert_eq!(count(br#"{"model":"e","input":[[1,2],[3]]}"#), 2);
        assert!(Embed::read_openai(br#"{"model":"e","input":[]}"#).is_err());
        assert!(Embed::read_openai(br#"{"model":"e","input":"x","dimensions":0}"#).is_err());
    }
}

//! Answers given as bytes.

use super::Usage;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::collections::BTreeMap;

/// An answer given byte for byte, as a recorded one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fixture {
    /// The status of the answer.
    #[serde(default = "ok")]
    pub status: u16,
    /// Its headers; `content-type` is not added by itself.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The body, sent with its `content-length`. Goes before `chunks`, which then must be empty.
    #[serde(default)]
    pub body: Option<Payload>,
    /// The body in pieces, each written by itself.
    #[serde(default)]
    pub chunks: Vec<Chunk>,
    /// What happens after the last chunk.
    #[serde(default)]
    pub ending: Ending,
    /// What the log counts as usage once everything is written; the bytes are not looked at.
    #[serde(default)]
    pub usage: Option<Usage>,
}

fn ok() -> u16 {
    200
}

impl Fixture {
    /// Makes an answer with a body in one piece.
    pub fn new(status: u16, content_type: &str, body: impl Into<Bytes>) -> Self {
        Self {
            status,
            headers: BTreeMap::from([("content-type".to_owned(), content_type.to_owned())]),
            body: Some(Payload(body.into())),
            chunks: Vec::new(),
            ending: Ending::Clean,
            usage: None,
        }
    }

    /// Makes an event stream that is written in pieces of `chunk_bytes` bytes (at least 1).
    pub fn stream(body: impl Into<Bytes>, chunk_bytes: usize) -> Self {
        let mut rest: Bytes = body.into();
        let mut chunks = Vec::new();
        while !rest.is_empty() {
            let payload = Payload(rest.split_to(chunk_bytes.clamp(1, rest.len())));
            chunks.push(Chunk { payload, pause_ms: 0 });
        }
        Self { body: None, chunks, ..Self::new(200, "text/event-stream", Bytes::new()) }
    }
}

/// One piece of a fixture's body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chunk {
    /// The bytes.
    #[serde(rename = "data")]
    pub payload: Payload,
    /// Waits this long before it is written.
    #[serde(default)]
    pub pause_ms: u64,
}

/// How a fixture's body ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// As HTTP wants it.
    #[default]
    Clean,
    /// Never; the connection stays open.
    Hang,
    /// With a reset connection.
    Reset,
    /// With a closed connection, before the body's end was told.
    Close,
}

/// Bytes: a string in JSON when they are UTF-8, else `{"base64": "…"}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload(pub Bytes);

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum PayloadJson {
    Text(String),
    Binary(Binary),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Binary {
    base64: String,
}

impl Serialize for Payload {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match std::str::from_utf8(&self.0) {
            Ok(text) => serializer.serialize_str(text),
            Err(_) => Binary { base64: STANDARD.encode(&self.0) }.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Payload {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = match PayloadJson::deserialize(deserializer)? {
            PayloadJson::Text(text) => text.into_bytes(),
            PayloadJson::Binary(binary) => STANDARD.decode(binary.base64).map_err(de::Error::custom)?,
        };
        Ok(Self(bytes.into()))
    }
}

//! Google Gemini: §5 of the wire formats.

mod decode;
mod encode;
mod fields;
mod json_text;
mod reply;
#[cfg(test)]
mod scene;
mod stream;

pub(crate) use decode::decode_request;
pub(crate) use encode::{encode_count, encode_request};
pub(crate) use reply::{decode_reply, encode_reply};
pub(crate) use stream::{StreamDecoder, StreamEncoder};

//! Google Gemini: §5 of the wire formats.

mod answer;
mod call_ids;
mod citations;
mod decode;
mod encode;
mod fields;
mod finish;
mod json_text;
mod logprobs;
#[cfg(test)]
mod pocket_tests;
mod reader;
mod reply;
mod stream;
#[cfg(test)]
mod testing;
mod wire;

pub(crate) use answer::usage as write_usage;
pub(crate) use decode::decode_request;
pub(crate) use encode::{encode_count, encode_request};
pub(crate) use reply::{decode_reply, encode_reply};
pub(crate) use stream::{StreamDecoder, StreamEncoder};

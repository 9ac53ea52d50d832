//! Anthropic Messages: §4 of the wire formats.

mod arguments;
mod citation;
mod decode;
mod encode;
mod finish;
mod pocket;
mod reply;
mod stream;
#[cfg(test)]
mod tests;
mod usage;

pub(crate) use decode::decode_request;
pub(crate) use encode::{encode_count, encode_request};
pub(crate) use reply::{decode_reply, encode_reply};
pub(crate) use stream::{StreamDecoder, StreamEncoder};

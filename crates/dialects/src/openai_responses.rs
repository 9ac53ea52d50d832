//! OpenAI Responses: §3 of the wire formats.

mod annotation;
mod decode;
mod encode;
mod item;
mod outcome;
mod reply;
mod response;
mod stream;
#[cfg(test)]
mod testing;
mod wire;

pub(crate) use decode::decode_request;
pub(crate) use encode::{encode_count, encode_request};
pub(crate) use reply::{decode_reply, encode_reply};
pub(crate) use response::echo;
pub(crate) use stream::{StreamDecoder, StreamEncoder};

//! OpenAI Chat Completions: §2 of the wire formats.

mod decode;
mod details;
mod encode;
mod nested;
mod pocket;
mod reply;
mod stream;
#[cfg(test)]
mod testing;
mod wire;
mod words;

pub(crate) use decode::decode_request;
pub(crate) use encode::encode_request;
pub(crate) use reply::{decode_reply, encode_reply};
pub(crate) use stream::{StreamDecoder, StreamEncoder};

use cliproxy_domain::Dialect;

/// The dialect of this module.
const CHAT: Dialect = Dialect::OpenAiChat;

//! Embeddings, between OpenAI and Gemini (§7 of the wire formats).

mod reply;
mod request;
#[cfg(test)]
mod tests;

pub(crate) use reply::{decode_reply, encode_reply};
pub(crate) use request::{decode, encode};

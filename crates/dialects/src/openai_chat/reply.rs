//! Reading a provider's whole answer, and writing one for a client (§2.4 of the wire formats).

mod decode;
mod encode;

pub(crate) use decode::decode_reply;
pub(crate) use encode::encode_reply;
pub(super) use encode::{shows_reasoning, write_citation, write_usage};

#[cfg(test)]
mod tests;

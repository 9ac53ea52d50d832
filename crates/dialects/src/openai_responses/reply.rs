//! Whole answers.

mod decode;
mod encode;

pub(crate) use decode::decode_reply;
pub(super) use decode::{encrypted, joined, nameless};
pub(crate) use encode::encode_reply;

#[cfg(test)]
mod tests;

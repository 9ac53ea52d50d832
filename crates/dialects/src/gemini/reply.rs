//! Reading a provider's whole answer, and writing one for a client (§5.4 of the wire formats).

mod decode;
mod encode;

pub(crate) use decode::decode_reply;
pub(crate) use encode::encode_reply;

#[cfg(test)]
mod tests;

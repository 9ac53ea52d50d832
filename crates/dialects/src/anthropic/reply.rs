//! Reading a provider's whole answer, and writing one for a client.

mod decode;
mod encode;

pub(crate) use decode::decode_reply;
pub(crate) use encode::encode_reply;

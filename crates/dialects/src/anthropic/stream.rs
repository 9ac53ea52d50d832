//! Reading a provider's stream, and writing one for a client: §4.5 and §12 of the wire formats.

mod blocks;
mod decode;
mod encode;
mod wire;

pub(crate) use decode::StreamDecoder;
pub(crate) use encode::StreamEncoder;

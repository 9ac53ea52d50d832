//! Reading a provider's stream, and writing one for a client (§5.5 of the wire formats).

mod decode;
mod encode;

pub(crate) use decode::StreamDecoder;
pub(crate) use encode::StreamEncoder;

#[cfg(test)]
mod tests;

//! Streams.

mod decode;
mod encode;

pub(crate) use decode::StreamDecoder;
pub(crate) use encode::StreamEncoder;

#[cfg(test)]
mod tests;

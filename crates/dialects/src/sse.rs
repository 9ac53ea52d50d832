//! Server-sent events: the framing of every dialect's streams.

pub mod reader;

pub use reader::{Event, EventTooLarge, Reader};

/// The size of an event beyond which a stream is given up: 16 MiB, as one event may hold a whole image.
pub const MAX_EVENT_BYTES: usize = 16 << 20;

#[cfg(test)]
mod tests;

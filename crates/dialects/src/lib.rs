//! The wire formats of the four client APIs: what a request asks for, what a passing answer tells, and how
//! errors and model lists are written in each.
//!
//! The map, in the order that a call meets it:
//!
//! | module | what it does |
//! |---|---|
//! | [`peek`] | reads what routing needs of a request body, and splices another model's name into it |
//! | [`classify`] | turns a provider's HTTP error into a [`cliproxy_domain::Failure`] and the wait it asks for |
//! | [`sse`], [`json_array`] | split a stream into its events, whatever the chunks it comes in |
//! | [`passthrough`] | watches a passing answer for its first content, its usage, its end and its errors |
//! | [`usage`] | reads token counts in every spelling into one |
//! | [`error`] | writes errors, keep-alives and in-stream errors in the client's dialect |
//! | [`models`] | writes model lists in the client's dialect |
//! | [`form`] | the one form that every dialect is read into and written from |
//! | [`translate`] | requests, answers and streams from one dialect into another |
//! | [`envelope`] | carries a provider's signatures through messages of another dialect |
//!
//! No sockets, no async and no clock here: bytes in, bytes and facts out. Bodies of the same dialect on both
//! sides are never serialised anew, so unknown fields, key order and number spellings survive.
#![deny(missing_docs)]

mod anthropic;
pub mod classify;
mod count;
mod data_url;
mod effort;
mod embed;
pub mod envelope;
pub mod error;
#[cfg(test)]
mod fixtures;
pub mod form;
pub mod framing;
mod free_input;
mod gemini;
mod json;
pub mod json_array;
pub mod models;
mod needs;
mod openai_chat;
mod openai_responses;
pub mod passthrough;
pub mod peek;
#[cfg(test)]
mod scene;
mod schema;
pub mod sse;
mod stop_watch;
mod tool_ids;
mod tool_names;
pub mod translate;
mod turns;
pub mod usage;
mod words;

pub use classify::classify;
pub use error::{EncodedError, ErrorReply, encode, encode_in_stream, keep_alive};
pub use framing::{ArrayPosition, Framing, StartedResponse, StreamState};
pub use models::ModelEntry;
pub use passthrough::{Observer, Progress, ReplyFacts, read_reply};
pub use peek::{ModelSpan, Peek, PeekError, peek, replace_models};

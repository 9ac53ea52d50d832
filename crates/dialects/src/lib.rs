//! The wire formats of the four client APIs: what a request asks for, what a passing answer tells, how one dialect
//! becomes another, and how errors and model lists are written in each.
//!
//! The map, in the order that a call meets it:
//!
//! | module | what it does |
//! |---|---|
//! | `peek` | reads what routing needs of a request body, and splices another model's name into it |
//! | [`form`] | the one form that every dialect is read into and written from |
//! | `needs` | tells what a request needs of its target, before anything is sent |
//! | [`translate`] | requests, answers and streams from one dialect into another |
//! | `openai_chat`, `openai_responses`, `anthropic`, `gemini` | a dialect each: `decode` and `encode` for requests, `reply` for whole answers, `stream` for streamed ones |
//! | `turns` | orders a conversation for dialects in which user and model take turns |
//! | `schema` | writes JSON schemas in the subsets that Anthropic and Gemini take |
//! | `effort` | turns efforts, levels and budgets of thinking into each other |
//! | `data_url` | reads and writes media within the body |
//! | `tool_names`, `tool_ids` | fit the names and ids of calls to a dialect, and name calls that have no id |
//! | `free_input` | wraps free-form input in a function's arguments and unwraps it, in pieces too |
//! | `stop_watch` | ends an answer at stop texts that its provider cannot be told |
//! | [`envelope`] | carries a provider's signatures through messages of another dialect |
//! | `words`, `places` | name fields and messages as the client does, for warnings and refusals |
//! | `count`, `embed` | counts of tokens, and embeddings |
//! | `classify()` | turns a provider's HTTP error into a [`cliproxy_domain::Failure`] and the wait it asks for |
//! | [`sse`], [`json_array`] | split a stream into its events, whatever the chunks it comes in |
//! | `passthrough` | watches a passing answer for its first content, its usage, its end and its errors |
//! | [`usage`] | reads token counts in every spelling into one |
//! | `weight` | tells what a request may cost before it is sent |
//! | `framing` | what separates the events of a stream, and where a stream stands |
//! | `error` | writes errors, keep-alives and in-stream errors in the client's dialect |
//! | [`models`] | writes model lists in the client's dialect |
//! | `json` | reads and writes JSON field by field |
//!
//! No sockets, no async and no clock here: bytes in, bytes and facts out. Bodies of the same dialect on both
//! sides are never serialised anew, so unknown fields, key order and number spellings survive.
//!
//! The data plane uses what is public; [`sse`] and [`json_array`] are for fuzzing too.
#![deny(missing_docs)]

mod anthropic;
mod classify;
mod count;
mod data_url;
mod effort;
mod embed;
pub mod envelope;
mod error;
#[cfg(test)]
mod fixtures;
pub mod form;
mod framing;
mod free_input;
mod gemini;
mod json;
pub mod json_array;
pub mod models;
mod needs;
mod openai_chat;
mod openai_responses;
mod passthrough;
mod peek;
mod places;
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
mod weight;
mod words;

pub use classify::{ToldLimits, classify, told_limits};
pub use error::{EncodedError, ErrorReply, encode, encode_in_stream, keep_alive};
pub use framing::{ArrayPosition, Framing, StartedResponse, StreamState};
pub use passthrough::{Observer, Progress, ReplyFacts, read_reply};
pub use peek::{ModelSpan, Peek, PeekError, SessionPlaces, peek, replace_models};
pub use weight::{Weight, prompt_bytes, weigh};

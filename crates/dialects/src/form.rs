//! The one form that every dialect is read into and written from.
//!
//! Three rules keep it faithful: state that only its maker understands is carried and not interpreted
//! ([`Opaque`]); fields that a dialect has alone ride in bags and come back only to that dialect ([`Bag`]);
//! and a request that goes on in its own dialect does not pass through it.

mod bag;
mod embed;
mod event;
mod loss;
mod opaque;
mod part;
mod reply;
mod request;

pub use bag::Bag;
pub use embed::{EmbedInput, EmbedReply, EmbedRequest, VectorFormat};
pub use event::{BlockKind, Event};
pub use loss::{Losses, Refused};
pub use opaque::{Opaque, Place, State};
pub use part::{
    Args, CacheMark, Citation, Detail, Media, Part, PartKind, ReasoningForm, ToolCall, ToolResult,
};
pub use reply::{Choice, Finish, Reply};
pub use request::{
    FreeFormat, OutputFormat, Reasoning, Request, Role, Sampling, Tier, Tool, ToolChoice, ToolKind, Turn,
};

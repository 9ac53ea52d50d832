//! From one dialect into another: requests on their way to a provider, answers on their way back.
//!
//! There is one reader and one writer a dialect, and what lies between them is the form. What a writer did that
//! its answer must be read by — names that it changed, tools that it emulated — it leaves in [`Notes`].

#[cfg(test)]
pub(crate) mod checks;
mod context;
mod dispatch;
mod joined;
#[cfg(test)]
mod losses;
#[cfg(test)]
mod matrix;
mod rework;
mod stream;
mod target;
mod vendor;

pub use context::{Ids, ReplyContext};
pub use dispatch::{
    decode_count, decode_count_reply, decode_embed, decode_embed_reply, decode_reply, decode_request, echo,
    encode_count, encode_count_reply, encode_embed, encode_embed_reply, encode_reply, encode_request,
    estimate_tokens,
};
pub use joined::{MAX_PARTS, continuation, continued, join};
pub use rework::rework_reply;
#[cfg(test)]
pub(crate) use stream::Decoder;
pub use stream::StreamTranslator;
pub(crate) use target::STRUCTURED_TOOL;
pub use target::{Notes, Target};

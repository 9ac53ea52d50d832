//! The one gateway of these tests: its models, its key for envelopes and its ids.

use crate::{
    envelope::Sealer,
    form::Request,
    framing::Framing,
    translate::{Ids, Notes, ReplyContext, Target},
};
use cliproxy_domain::{Dialect, ModelTraits, Profile, TranslationPolicy};
use serde_json::{Map, Value};
use std::sync::LazyLock;

/// The model as clients ask for it.
pub(super) const ASKED: &str = "asked-model";
/// The credential that is used for every provider.
const CREDENTIAL: &str = "key-1";

static SEALER: LazyLock<Sealer> = LazyLock::new(|| Sealer::new("upstream", b"secret"));
static PROFILE: LazyLock<Profile> = LazyLock::new(Profile::default);
static TRAITS: LazyLock<ModelTraits> = LazyLock::new(ModelTraits::default);
static CLAUDE: LazyLock<ModelTraits> = LazyLock::new(|| ModelTraits {
    max_output: Some(64_000),
    system_anywhere: true,
    prefill: false,
    ..ModelTraits::default()
});

pub(super) fn sealer() -> &'static Sealer {
    &SEALER
}

/// The model that stands for all of a provider's.
fn model(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::OpenAiChat | Dialect::OpenAiResponses => "gpt-6-astra",
        Dialect::Anthropic => "claude-fable-5",
        Dialect::Gemini => "gemini-4-pro",
    }
}

/// A provider of each dialect, whose model takes what its dialect has.
pub(super) fn target(dialect: Dialect) -> Target<'static> {
    Target {
        dialect,
        model: model(dialect),
        traits: if dialect == Dialect::Anthropic { &CLAUDE } else { &TRAITS },
        profile: &PROFILE,
        policy: TranslationPolicy::default(),
        sealer: &SEALER,
        credential: CREDENTIAL,
    }
}

/// An answer of a provider of `upstream` on its way to a client that asked for everything that can be shown.
pub(super) fn context(upstream: Dialect, client: Dialect) -> ReplyContext {
    ReplyContext {
        client,
        framing: Framing::Sse,
        upstream,
        model: ASKED.to_owned(),
        upstream_model: model(upstream).to_owned(),
        credential: CREDENTIAL.to_owned(),
        sealer: SEALER.clone(),
        ids: Ids::new([0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210]),
        created: 1_790_000_000,
        notes: Notes::default(),
        shows_reasoning: true,
        stream_usage: true,
        input_estimate: 11,
        echo: Map::new(),
    }
}

/// Reads a recorded request as the gateway does.
pub(super) fn request(dialect: Dialect, body: &[u8]) -> Result<Request, crate::form::Refused> {
    let stream = serde_json::from_slice::<Value>(body).is_ok_and(|body| body["stream"] == true);
    crate::translate::decode_request(dialect, body, ASKED, stream)
}

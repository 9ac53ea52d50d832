//! What requests are written for, and answers with: all dialects, with a model that takes everything and with one that
//! takes little.

use cliproxy_dialects::{
    Framing,
    envelope::Sealer,
    translate::{Ids, Notes, ReplyContext, Target, decode_request, encode_request},
};
use cliproxy_domain::{
    Dialect, Effort, MaxTokensName, ModelTraits, OnLoss, Profile, Thinking, TranslationPolicy,
    UnsupportedTools,
};
use serde_json::json;

pub const DIALECTS: [Dialect; 4] =
    [Dialect::OpenAiChat, Dialect::OpenAiResponses, Dialect::Anthropic, Dialect::Gemini];

pub fn sealer() -> Sealer {
    Sealer::new("upstream", b"secret")
}

/// Calls `each` with a target of every dialect: one that takes everything, one that takes little, and one for which
/// nothing may be lost.
pub fn each_target(mut each: impl FnMut(&Target<'_>)) {
    let sealer = sealer();
    let open = (ModelTraits::default(), Profile::default(), TranslationPolicy::default());
    let strict = TranslationPolicy { on_loss: OnLoss::Refuse, ..TranslationPolicy::default() };
    let narrow = TranslationPolicy {
        unsupported_tools: UnsupportedTools::Drop,
        default_max_tokens: 700,
        ..TranslationPolicy::default()
    };
    let settings =
        [open.clone(), (narrow_traits(), narrow_profile(), narrow), (open.0.clone(), open.1.clone(), strict)];
    for dialect in DIALECTS {
        for (traits, profile, policy) in &settings {
            each(&Target {
                dialect,
                model: "upstream-model",
                traits,
                profile,
                policy: *policy,
                sealer: &sealer,
                credential: "key-1",
            });
        }
    }
}

fn narrow_traits() -> ModelTraits {
    ModelTraits {
        max_output: Some(1_500),
        thinking: Thinking::Budget,
        efforts: vec![Effort::Low],
        thinking_optional: false,
        sampling: false,
        prefill: false,
        ..ModelTraits::default()
    }
}

fn narrow_profile() -> Profile {
    Profile {
        max_tokens: MaxTokensName::MaxTokens,
        stream_usage: false,
        developer_role: false,
        strict_schemas: false,
        parallel_tool_calls: false,
        max_tool_id: 40,
        ..Profile::default()
    }
}

/// Makes what an answer is written with. `variant` decides what its request left behind: nothing, tools and stop texts
/// that have to be undone, or a schema that was sent as a call.
pub fn context(upstream: Dialect, client: Dialect, framing: Framing, variant: usize) -> ReplyContext {
    let notes = match variant % 3 {
        0 => Notes::default(),
        1 => odd_notes(upstream),
        _ => Notes { structured_tool: true, ..Notes::default() },
    };
    ReplyContext {
        client,
        framing,
        upstream,
        model: "asked".to_owned(),
        upstream_model: "upstream-model".to_owned(),
        credential: "key-1".to_owned(),
        sealer: sealer(),
        ids: Ids::new([0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210]),
        created: 1_790_000_000,
        notes,
        shows_reasoning: variant % 2 == 0,
        stream_usage: variant % 5 != 0,
        input_estimate: 7,
        echo: serde_json::Map::new(),
    }
}

/// What a request leaves behind whose tools and stop texts the upstream cannot be told as they are.
fn odd_notes(upstream: Dialect) -> Notes {
    let body = json!({
        "model": "asked",
        "messages": [{"role": "user", "content": "hi"}],
        "stop": ["\n\n", "END", "Norway"],
        "tools": [
            {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}},
            {"type": "function", "function": {"name": "9 odd.name/with:all", "parameters": {"type": "object"}}},
            {"type": "custom", "custom": {"name": "run"}},
        ],
    });
    let body = body.to_string();
    let Ok(request) = decode_request(Dialect::OpenAiChat, body.as_bytes(), "asked", true) else {
        return Notes::default();
    };
    let (sealer, traits, profile) = (sealer(), ModelTraits::default(), Profile::default());
    let target = Target {
        dialect: upstream,
        model: "upstream-model",
        traits: &traits,
        profile: &profile,
        policy: TranslationPolicy::default(),
        sealer: &sealer,
        credential: "key-1",
    };
    encode_request(&request, &target).map_or_else(|_| Notes::default(), |(_, notes)| notes)
}

//! Whether a request goes to a target as it came or has to be written anew, and whether the target can take it.

use crate::decode::{Call, Delivery, UpstreamPath};
use cliproxy_dialects::{
    envelope::holds_envelope,
    form::{EmbedInput, EmbedRequest, PartKind, Refused, Request},
    translate::{decode_count, decode_embed, decode_request, estimate_tokens},
};
use cliproxy_domain::{
    Dialect, Effort, MaxTokensName, ModelTraits, Need, Needs, Operation, Profile, Provider,
};
use cliproxy_engine::{Asks, Candidate, speech};
use memchr::memmem;
use std::{
    borrow::Cow,
    sync::{Arc, OnceLock},
};

/// How a request goes to one target.
#[derive(Clone, Debug)]
pub enum Way {
    /// Its bytes go as they came.
    Pass,
    /// It is written in this dialect.
    Write(Dialect, Arc<Formed>),
}

/// A request in the form.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "it lives behind a shared pointer, one a request")]
pub enum Formed {
    /// For an answer, or for the number of its prompt's tokens.
    Generate(Request),
    /// For embeddings.
    Embed(EmbedRequest),
}

/// The form of one request: read when a target needs it, and once.
#[derive(Debug, Default)]
pub struct Forms(OnceLock<Result<Arc<Formed>, Refused>>);

impl Forms {
    /// Reads the request.
    ///
    /// # Errors
    /// When a field is not what the client's dialect says it must be.
    pub fn read(&self, call: &Call) -> Result<&Arc<Formed>, &Refused> {
        self.0.get_or_init(|| read(call).map(Arc::new)).as_ref()
    }

    /// Guesses the tokens of the prompt.
    ///
    /// # Errors
    /// When the request cannot be read.
    pub fn estimated_tokens(&self, call: &Call) -> Result<u64, Refused> {
        match self.read(call).map_err(Clone::clone)?.as_ref() {
            Formed::Generate(request) => Ok(estimate_tokens(request)),
            Formed::Embed(_) => Ok(0),
        }
    }

    /// Decides how `call` goes to `candidate`, a target of `provider`.
    ///
    /// # Errors
    /// When the request cannot be read, or when the target lacks what it needs; the field is the client's.
    pub fn way(&self, call: &Call, candidate: &Candidate, provider: &Provider) -> Result<Way, Refused> {
        let plain = candidate.plain && !(candidate.calls_by_responses && may_call_and_reason(call));
        let edited = provider.kind.speaks(call.dialect) && needs_edit(call, provider.profile.as_ref());
        if plain && !edited {
            return Ok(Way::Pass);
        }
        let formed = match self.read(call) {
            Ok(formed) => formed,
            // Its own provider knows best what is wrong with it.
            Err(_) if candidate.plain => return Ok(Way::Pass),
            Err(refused) => return Err(refused.clone()),
        };
        let traits = ModelTraits::of(candidate.target.model.as_str(), &provider.traits);
        let dialect = speech(provider.kind, call.dialect, call.operation, &formed.asks(), &traits)
            .map_err(|need| Refused::lacking(need, formed.field_of(need)))?;
        let passes = dialect == call.dialect && !edited;
        Ok(if passes { Way::Pass } else { Way::Write(dialect, Arc::clone(formed)) })
    }
}

fn read(call: &Call) -> Result<Formed, Refused> {
    let (dialect, body, model) = (call.dialect, &call.body, call.model.as_str());
    let stream = matches!(call.delivery, Delivery::Stream(_));
    match call.operation {
        Operation::Generate => decode_request(dialect, body, model, stream).map(Formed::Generate),
        Operation::CountTokens => decode_count(dialect, body, model).map(Formed::Generate),
        Operation::Embed => {
            let verb = match call.path {
                UpstreamPath::Gemini(gemini) => gemini.verb,
                UpstreamPath::Fixed(_) => "",
            };
            decode_embed(dialect, verb, body, model).map(Formed::Embed)
        }
    }
}

/// Tells whether a chat request may have both tools and an effort. The search is cheaper than reading the body, and the
/// body says for certain.
fn may_call_and_reason(call: &Call) -> bool {
    let has = |text: &str| memmem::find(&call.body, text.as_bytes()).is_some();
    has("\"reasoning_effort\"") && has("\"tools\"")
}

/// Tells whether a request cannot reach a provider of its own dialect byte for byte: it holds an envelope of ours, or
/// what the provider's server is known not to take. The searches may find more than there is, in texts: then the
/// body is written anew without need, and means the same.
fn needs_edit(call: &Call, profile: Option<&Profile>) -> bool {
    let has = |text: &str| memmem::find(&call.body, text.as_bytes()).is_some();
    let odd = profile.is_some_and(|profile| {
        (profile.max_tokens == MaxTokensName::MaxTokens && has("\"max_completion_tokens\""))
            || (!profile.developer_role && has("\"developer\""))
    });
    call.operation != Operation::Embed && (odd || holds_envelope(&call.body))
}

impl Formed {
    /// Gathers what routing must know.
    pub fn asks(&self) -> Asks {
        match self {
            Formed::Generate(request) => generate_asks(request),
            Formed::Embed(request) => {
                let tokens = request.input.iter().any(|input| matches!(input, EmbedInput::Tokens(_)));
                Asks::new(|_| if tokens { Needs::of(&[Need::TokenArrays]) } else { Needs::NONE })
            }
        }
    }

    fn field_of(&self, need: Need) -> Cow<'static, str> {
        match self {
            Formed::Generate(request) => request.field_of(need),
            Formed::Embed(_) if need == Need::TokenArrays => Cow::Borrowed("input"),
            Formed::Embed(_) => Cow::Borrowed("model"),
        }
    }
}

fn generate_asks(request: &Request) -> Asks {
    let sampling = &request.sampling;
    let wants = request.reasoning.effort.is_some_and(|effort| effort != Effort::None);
    let calls = |kind: &PartKind| matches!(kind, PartKind::ToolCall(_) | PartKind::ToolResult(_));
    let called = request.turns.iter().any(|turn| turn.parts.iter().any(|part| calls(&part.kind)));
    let mut asks = Asks::new(|dialect| request.needs(dialect));
    asks.reasons = wants || request.has_reasoning();
    asks.calls = called || !request.tools.is_empty();
    asks.chat_only = !request.stop.is_empty()
        || sampling.seed.is_some()
        || sampling.presence_penalty.is_some()
        || sampling.frequency_penalty.is_some();
    asks
}

//! What the tests of all dialects set up: a provider that requests are written for, and a client that answers are
//! written for.

use crate::{
    envelope::Sealer,
    form::{Refused, Request},
    framing::Framing,
    json::Fields,
    translate::{self, Ids, Notes, ReplyContext, Target},
};
use bytes::Bytes;
use cliproxy_domain::{Dialect, ModelTraits, OnLoss, Profile, TranslationPolicy};
use serde_json::{Map, Value};

/// The provider's key for envelopes.
pub(crate) fn sealer() -> Sealer {
    Sealer::new("upstream", b"secret")
}

/// Reads a recorded body.
pub(crate) fn fixture(path: &str) -> Value {
    serde_json::from_slice(&crate::fixtures::read(path)).unwrap()
}

/// Reads a request of `dialect`.
pub(crate) fn decoded(dialect: Dialect, body: &Value) -> Result<Request, Refused> {
    let fields = Fields::of(body.clone(), String::new())?;
    match dialect {
        Dialect::OpenAiChat => crate::openai_chat::decode_request(fields),
        Dialect::OpenAiResponses => crate::openai_responses::decode_request(fields),
        Dialect::Anthropic => crate::anthropic::decode_request(fields),
        Dialect::Gemini => crate::gemini::decode_request(fields),
    }
}

/// An answer of a provider of `upstream` on its way to a client that asked for all that can be shown.
pub(crate) fn context(upstream: Dialect, client: Dialect) -> ReplyContext {
    ReplyContext {
        client,
        framing: Framing::Sse,
        upstream,
        model: "asked".to_owned(),
        upstream_model: "upstream-model".to_owned(),
        credential: "key-1".to_owned(),
        sealer: sealer(),
        ids: Ids::new([1, 2]),
        created: 17,
        notes: Notes::default(),
        shows_reasoning: true,
        stream_usage: true,
        input_estimate: 9,
        echo: Map::new(),
    }
}

/// Where a request goes: a model of which nothing is known, unless its test says what.
pub(crate) struct To {
    pub(crate) dialect: Dialect,
    /// None for the one that is asked for.
    pub(crate) model: Option<&'static str>,
    pub(crate) traits: ModelTraits,
    pub(crate) profile: Profile,
    pub(crate) policy: TranslationPolicy,
    pub(crate) sealer: Sealer,
}

impl To {
    pub(crate) fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            model: match dialect {
                Dialect::OpenAiChat => None,
                Dialect::OpenAiResponses => Some("gpt-6-astra"),
                Dialect::Anthropic => Some("claude-opus-5-5"),
                Dialect::Gemini => Some("gemini-3"),
            },
            traits: ModelTraits::default(),
            profile: Profile::default(),
            policy: TranslationPolicy::default(),
            sealer: sealer(),
        }
    }

    /// A route on which nothing may be lost.
    pub(crate) fn refusing(dialect: Dialect) -> Self {
        let policy = TranslationPolicy { on_loss: OnLoss::Refuse, ..TranslationPolicy::default() };
        Self { policy, ..Self::new(dialect) }
    }

    /// Says what is known of the model.
    pub(crate) fn knowing(mut self, change: impl FnOnce(&mut ModelTraits)) -> Self {
        change(&mut self.traits);
        self
    }

    pub(crate) fn target<'t>(&'t self, asked: &'t str) -> Target<'t> {
        Target {
            dialect: self.dialect,
            model: self.model.unwrap_or(asked),
            traits: &self.traits,
            profile: &self.profile,
            policy: self.policy,
            sealer: &self.sealer,
            credential: "key-1",
        }
    }

    /// Writes a request by its dialect's writer alone, and fails unless the same request gives the same bytes again.
    pub(crate) fn encoded(&self, request: &Request) -> Result<(Value, Notes), Refused> {
        let encode = match self.dialect {
            Dialect::OpenAiChat => crate::openai_chat::encode_request,
            Dialect::OpenAiResponses => crate::openai_responses::encode_request,
            Dialect::Anthropic => crate::anthropic::encode_request,
            Dialect::Gemini => crate::gemini::encode_request,
        };
        self.written(request, |request, target| {
            let mut notes = Notes::new(target.policy);
            Ok((encode(request, target, &mut notes)?.into(), notes))
        })
    }

    /// The same for a request to count tokens.
    pub(crate) fn counted(&self, request: &Request) -> Result<(Value, Notes), Refused> {
        self.written(request, translate::encode_count)
    }

    /// Gives the body and what was lost, as the header says it.
    pub(crate) fn told(&self, request: &Request) -> (Value, String) {
        let (body, notes) = self.encoded(request).unwrap();
        (body, notes.losses.header().unwrap_or_default())
    }

    /// Gives the field for which a request is refused.
    pub(crate) fn refused(&self, request: &Request) -> String {
        self.encoded(request).unwrap_err().field.into_owned()
    }

    fn written(
        &self,
        request: &Request,
        write: impl Fn(&Request, &Target<'_>) -> Result<(Bytes, Notes), Refused>,
    ) -> Result<(Value, Notes), Refused> {
        let target = self.target(&request.model);
        let (body, notes) = write(request, &target)?;
        assert_eq!(write(request, &target).unwrap().0, body, "written twice");
        Ok((serde_json::from_slice(&body).unwrap(), notes))
    }
}

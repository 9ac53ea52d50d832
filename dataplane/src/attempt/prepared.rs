//! A choice that can be tried: the body for it is written, and it is known how its answer is read.

use crate::{
    decode::{Call, Delivery},
    route::{Formed, Way},
    upstream::{Upstream, Written},
};
use bytes::Bytes;
use cliproxy_dialects::{
    Framing,
    envelope::Sealer,
    form::{Losses, Refused},
    translate::{Ids, Notes, ReplyContext, Target, echo, encode_count, encode_embed, encode_request},
};
use cliproxy_domain::{Dialect, ModelTraits, Operation, TranslationPolicy, WallTime};
use cliproxy_engine::{Choice, Pick};
use http::Request as HttpRequest;
use http_body_util::Full;
use serde_json::Map;
use std::sync::Arc;

/// A choice with what is sent to it.
#[derive(Clone)]
pub(super) struct Prepared {
    pub(super) pick: Pick,
    /// The provider's place in the configuration.
    pub(super) slot: usize,
    pub(super) choice: Choice,
    pub(super) upstream: Arc<Upstream>,
    written: Option<Written>,
    pub(super) reading: Reading,
}

/// How the answer becomes the client's.
#[derive(Clone)]
pub(super) enum Reading {
    /// It passes as it is.
    Pass,
    /// It is translated.
    Translate(Arc<ReplyContext>),
    /// It is a count of tokens, with what the request lost.
    Count(Dialect, Losses),
    /// It is embeddings.
    Embed(Dialect, Arc<Formed>, Losses),
}

/// What a body is written with beside the form.
pub(super) struct Pen {
    pub(super) policy: TranslationPolicy,
    pub(super) random: [u64; 2],
    pub(super) now: WallTime,
}

impl Prepared {
    /// Writes the body for `choice`, which is `pick` by its name.
    ///
    /// # Errors
    /// When its target cannot be told what the meaning hangs on.
    pub(super) fn new(
        call: &Call,
        upstream: Arc<Upstream>,
        (pick, slot): (Pick, usize),
        choice: Choice,
        way: Way,
        pen: &Pen,
    ) -> Result<Self, Refused> {
        let Way::Write(dialect, formed) = way else {
            return Ok(Self { pick, slot, choice, upstream, written: None, reading: Reading::Pass });
        };
        let traits = ModelTraits::of(choice.target.model.as_str(), &upstream.provider.traits);
        // What one client was given in an envelope is of no use to another.
        let sealer = match call.caller.name() {
            Some(client) => upstream.sealer.of_client(client.as_str()),
            None => upstream.sealer.clone(),
        };
        let target = Target {
            dialect,
            model: choice.target.model.as_str(),
            traits: &traits,
            profile: &upstream.profile,
            policy: pen.policy,
            sealer: &sealer,
            credential: choice.credential.as_str(),
        };
        let (body, notes) = match (&*formed, call.operation) {
            (Formed::Embed(request), _) => encode_embed(request, &target)?,
            (Formed::Generate(request), Operation::CountTokens) => encode_count(request, &target)?,
            (Formed::Generate(request), _) => encode_request(request, &target)?,
        };
        let anthropic_version = notes.anthropic_version;
        let reading = reading(call, sealer, &choice, dialect, formed, notes, pen);
        let written = Written { dialect, body, anthropic_version };
        Ok(Self { pick, slot, choice, upstream, written: Some(written), reading })
    }

    /// Builds the request. It can be sent again.
    ///
    /// # Errors
    /// When the credential is not the provider's, or the model's name fits no path.
    pub(super) fn request(&self, call: &Call) -> Result<HttpRequest<Full<Bytes>>, http::Error> {
        let (model, credential) = (&self.choice.target.model, &self.choice.credential);
        match &self.written {
            None => self.upstream.request(call, model, credential),
            Some(written) => self.upstream.translated(call, written, model, credential),
        }
    }

    /// Changes a body that was written; one that passes stays as it is.
    pub(super) fn edit(&mut self, change: impl FnOnce(&Bytes) -> Bytes) {
        if let Some(written) = &mut self.written {
            written.body = change(&written.body);
        }
    }

    /// Gives the body that is sent with its dialect, where it is not the client's own.
    pub(super) fn written(&self) -> Option<(Dialect, &Bytes)> {
        self.written.as_ref().map(|written| (written.dialect, &written.body))
    }

    /// Tells whether the body is our own work: then a provider that finds fault with it may be wrong for it, and
    /// another right.
    pub(super) fn is_written(&self) -> bool {
        self.written.is_some()
    }

    /// Counts what the request lost.
    pub(super) fn lost(&self) -> usize {
        match &self.reading {
            Reading::Pass => 0,
            Reading::Translate(context) => context.notes.losses.len(),
            Reading::Count(_, losses) | Reading::Embed(_, _, losses) => losses.len(),
        }
    }

    /// Gives the dialect in which the provider answers.
    pub(super) fn dialect(&self, call: &Call) -> Dialect {
        match &self.reading {
            Reading::Pass => call.dialect,
            Reading::Translate(context) => context.upstream,
            Reading::Count(dialect, _) | Reading::Embed(dialect, ..) => *dialect,
        }
    }
}

fn reading(
    call: &Call,
    sealer: Sealer,
    choice: &Choice,
    dialect: Dialect,
    formed: Arc<Formed>,
    notes: Notes,
    pen: &Pen,
) -> Reading {
    // What was only edited is answered in the client's own words.
    if dialect == call.dialect {
        return Reading::Pass;
    }
    let request = match &*formed {
        Formed::Embed(_) => return Reading::Embed(dialect, formed, notes.losses),
        Formed::Generate(_) if call.operation == Operation::CountTokens => {
            return Reading::Count(dialect, notes.losses);
        }
        Formed::Generate(request) => request,
    };
    Reading::Translate(Arc::new(ReplyContext {
        client: call.dialect,
        framing: match call.delivery {
            Delivery::Stream(framing) => framing,
            Delivery::Whole => Framing::Sse,
        },
        upstream: dialect,
        model: call.model.as_str().to_owned(),
        upstream_model: choice.target.model.as_str().to_owned(),
        credential: choice.credential.as_str().to_owned(),
        sealer,
        ids: Ids::new(pen.random),
        created: pen.now.0.div_euclid(1_000),
        shows_reasoning: ReplyContext::shows_reasoning(request),
        stream_usage: request.stream_usage,
        input_estimate: (call.prompt_bytes() / 4) as u64,
        echo: if call.dialect == Dialect::OpenAiResponses { echo(&call.body) } else { Map::new() },
        notes,
    }))
}

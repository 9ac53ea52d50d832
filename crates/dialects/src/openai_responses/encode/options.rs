//! Writing how an answer is made, and what is lost of that.

use super::{OWN, Writer};
use crate::{
    effort,
    form::{OutputFormat, Refused, Tier},
    json::Object,
    openai_responses::decode::{INCLUDE_LOGPROBS, INCLUDE_STATE},
    words::{Word, word},
};
use cliproxy_domain::{Dialect, Effort, Thinking};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::borrow::Cow;

/// The least that `max_output_tokens` may be.
const MIN_OUTPUT: u64 = 16;
/// Characters of `safety_identifier` at most.
const MAX_USER: usize = 128;
/// Fields that chat spells and means as this dialect does.
const SHARED_WITH_CHAT: [&str; 2] = ["prompt_cache_options", "prompt_cache_retention"];

impl Writer<'_> {
    /// Writes how much to think, and what is shown of it.
    pub(super) fn reasoning(&mut self, object: &mut Object<'_>) -> Result<(), Refused> {
        let request = self.request;
        let effort = self.effort()?;
        let shown = !self.own && request.wants_thoughts() && effort != Some(Effort::None);
        let shown = shown && self.target.traits.thinking != Thinking::Never;
        let kept = [request.quiet.get("reasoning"), request.bag.get("reasoning")];
        let kept = kept.into_iter().flatten().filter_map(Value::as_object).filter(|_| self.own);
        if effort.is_none() && !shown && kept.clone().next().is_none() {
            return Ok(());
        }
        let mut reasoning = object.object("reasoning");
        reasoning.maybe("effort", effort.map(Effort::as_str));
        reasoning.maybe("summary", shown.then_some("auto"));
        kept.for_each(|fields| reasoning.bag(fields.iter().map(|(name, value)| (name.as_str(), value))));
        Ok(())
    }

    fn effort(&mut self) -> Result<Option<Effort>, Refused> {
        let Some(asked) = self.request.reasoning.effort else { return Ok(None) };
        if self.own {
            return Ok(Some(asked));
        }
        let field = word(Word::Effort, self.request);
        if self.target.traits.thinking == Thinking::Never {
            if asked != Effort::None {
                self.notes.losses.dropped(field)?;
            }
            return Ok(None);
        }
        let taken = effort::nearest(asked, &self.target.traits.efforts);
        if let Some(how) = effort::change(asked, taken) {
            self.notes.losses.changed(field, how)?;
        }
        Ok(Some(taken))
    }

    /// Writes how the answer is formed.
    pub(super) fn text(&mut self, object: &mut Object<'_>) -> Result<(), Refused> {
        let request = self.request;
        let kept = request.bag.get("text").and_then(Value::as_object).filter(|_| self.own);
        if request.format.is_none() && request.verbosity.is_none() && kept.is_none() {
            return Ok(());
        }
        let mut text = object.object("text");
        match &request.format {
            None => {}
            Some(OutputFormat::Text) => {
                text.object("format").field("type", "text");
            }
            Some(OutputFormat::Json) => {
                text.object("format").field("type", "json_object");
            }
            Some(OutputFormat::Schema { name, description, schema, strict }) => {
                let mut format = text.object("format");
                format.field("type", "json_schema");
                format.field("name", name.as_deref().unwrap_or("structured_output"));
                format.maybe("description", description.as_deref()).field("schema", schema);
                format.maybe("strict", *strict);
            }
        }
        text.maybe("verbosity", request.verbosity.as_deref());
        if let Some(kept) = kept {
            text.bag(kept.iter().map(|(name, value)| (name.as_str(), value)));
        }
        Ok(())
    }

    /// Writes how tokens are drawn, and how many.
    pub(super) fn sampling(&mut self, object: &mut Object<'_>) -> Result<(), Refused> {
        let request = self.request;
        let sampling = &request.sampling;
        self.drop_sampling()?;
        if self.own || self.target.traits.sampling {
            object.maybe("temperature", sampling.temperature.as_ref());
            object.maybe("top_p", sampling.top_p.as_ref());
        }
        object.maybe("top_logprobs", sampling.top_logprobs);
        if let Some(asked) = request.max_output {
            let most = if self.own { asked } else { asked.max(MIN_OUTPUT) };
            if most != asked {
                self.notes.losses.changed(word(Word::MaxOutput, request), "raised")?;
            }
            object.field("max_output_tokens", &most);
        }
        self.watch_for_stops()
    }

    fn drop_sampling(&mut self) -> Result<(), Refused> {
        let sampling = &self.request.sampling;
        let never = [
            (Word::TopK, sampling.top_k.is_some()),
            (Word::PresencePenalty, sampling.presence_penalty.is_some()),
            (Word::FrequencyPenalty, sampling.frequency_penalty.is_some()),
            (Word::Seed, sampling.seed.is_some()),
        ];
        let refused_by_model = !self.own && !self.target.traits.sampling;
        let by_model = [
            (Word::Temperature, refused_by_model && sampling.temperature.is_some()),
            (Word::TopP, refused_by_model && sampling.top_p.is_some()),
        ];
        for (field, lost) in never.into_iter().chain(by_model) {
            if lost {
                self.notes.losses.dropped(word(field, self.request))?;
            }
        }
        Ok(())
    }

    /// Leaves stop texts to the gateway: this dialect has none.
    fn watch_for_stops(&mut self) -> Result<(), Refused> {
        let stop: Vec<String> = self.request.stop.iter().filter(|text| !text.is_empty()).cloned().collect();
        if !stop.is_empty() {
            self.notes.losses.changed(word(Word::Stop, self.request), "emulated")?;
            self.notes.stop = stop;
        }
        Ok(())
    }

    /// Writes who asks, and for which service.
    pub(super) fn identity(&mut self, object: &mut Object<'_>) -> Result<(), Refused> {
        let request = self.request;
        let older = request.quiet.get("user").and_then(Value::as_str).filter(|_| self.own);
        object.maybe("user", older);
        if let Some(user) = request.user.as_deref().filter(|user| older != Some(*user)) {
            object.field("safety_identifier", &*self.fitted_user(user));
        }
        object.maybe("metadata", request.metadata.as_ref());
        object.maybe("prompt_cache_key", request.cache_key.as_deref());
        match &request.tier {
            None => {}
            Some(Tier::Auto) => _ = object.field("service_tier", "auto"),
            Some(Tier::Standard) => _ = object.field("service_tier", "default"),
            Some(Tier::Flex) => _ = object.field("service_tier", "flex"),
            Some(Tier::Priority) => _ = object.field("service_tier", "priority"),
            Some(Tier::Fast) => _ = object.field("service_tier", "fast"),
            Some(Tier::Other(name)) if self.own || request.from == Dialect::OpenAiChat => {
                object.field("service_tier", name);
            }
            Some(Tier::Other(_)) => {
                self.notes.losses.dropped(word(Word::Tier, request))?;
            }
        }
        Ok(())
    }

    /// Fits an identifier that is longer than this dialect takes. It is opaque, and its digest tells users apart
    /// as well.
    fn fitted_user<'u>(&self, user: &'u str) -> Cow<'u, str> {
        if self.own || user.chars().count() <= MAX_USER {
            return Cow::Borrowed(user);
        }
        Cow::Owned(hex::encode(Sha256::digest(user.as_bytes())))
    }

    /// Writes what is kept, and what comes back with the answer. Requests of other dialects hold their whole
    /// history: nothing is stored, and reasoning comes back to be sent again.
    pub(super) fn storage(&mut self, object: &mut Object<'_>) -> Result<(), Refused> {
        let request = self.request;
        if request.stream {
            object.field("stream", &true);
        }
        if self.own {
            let written = ["instructions", "reasoning", "user"];
            object.bag(request.quiet.of(OWN).filter(|(name, _)| !written.contains(name)));
            return Ok(());
        }
        object.field("store", &false);
        let mut include = object.array("include");
        // A model that does not reason refuses to be asked for its reasoning.
        if self.target.traits.thinking != Thinking::Never {
            include.element(INCLUDE_STATE);
        }
        if request.sampling.logprobs == Some(true) {
            include.element(INCLUDE_LOGPROBS);
        }
        drop(include);
        if request.stream {
            object.object("stream_options").field("include_obfuscation", &false);
        }
        Ok(())
    }

    /// Writes the fields that only this dialect has, and warns of those that only another has.
    pub(super) fn rest(&mut self, object: &mut Object<'_>) -> Result<(), Refused> {
        let bag = &self.request.bag;
        let read = |name: &str| name != "reasoning" && name != "text";
        object.bag(bag.of(OWN).filter(|(name, _)| read(name)));
        if blocks(bag.get("moderation")) && !self.own {
            return Err(Refused::new(
                "moderation",
                "`moderation` blocks answers, which the Responses API cannot be told: leave it out, or use a provider of Chat Completions",
            ));
        }
        for name in bag.foreign_to(OWN) {
            if self.request.from == Dialect::OpenAiChat && SHARED_WITH_CHAT.contains(&name) {
                object.maybe(name, bag.get(name));
            } else if name != "store" {
                // What is stored is the gateway's matter: `store` is accepted and not followed.
                self.notes.losses.dropped(name.to_owned())?;
            }
        }
        Ok(())
    }
}

/// Tells whether a moderation object has a policy of `block`.
fn blocks(moderation: Option<&Value>) -> bool {
    let fields = moderation.and_then(Value::as_object);
    fields.is_some_and(|fields| fields.values().any(|value| value == "block"))
}

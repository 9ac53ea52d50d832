//! What a request asks for, read from its body, and the good answer to it.

use crate::{
    answer::{Answer, Ask, tokens_of},
    provider::Server,
    rope::Rope,
    route::{Endpoint, Verb},
    rules::Rules,
    script::{Family, Reply, Usage},
    wire::{
        BadRequest, Transcript, chat,
        embeddings::Embed,
        gemini::{self, Framing},
        messages, models, responses,
    },
};
use bytes::Bytes;

/// A request that was read.
pub(super) enum Work {
    Generate { ask: Ask, api: Api },
    Count { ask: Ask, api: Api },
    Embed(Embed),
    Models(Family),
    Model(Family, String),
}

/// The APIs that generate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Api {
    Chat,
    Responses,
    Messages,
    Gemini(Framing),
}

/// A good answer, ready to be sent.
pub(super) enum Good {
    Whole { body: Rope, usage: Option<Usage>, tokens: u64 },
    Stream { transcript: Box<dyn Transcript>, content_type: &'static str },
}

impl Work {
    /// Reads the body of a request.
    pub(super) fn read(endpoint: &Endpoint, body: &[u8]) -> Result<Self, BadRequest> {
        Ok(match endpoint {
            Endpoint::Chat => Work::Generate { ask: chat::read(body)?, api: Api::Chat },
            Endpoint::Responses => Work::Generate { ask: responses::read(body)?, api: Api::Responses },
            Endpoint::Messages => Work::Generate { ask: messages::read(body, false)?, api: Api::Messages },
            Endpoint::InputTokens => {
                Work::Count { ask: Ask { stream: false, ..responses::read(body)? }, api: Api::Responses }
            }
            Endpoint::CountMessages => Work::Count { ask: messages::read(body, true)?, api: Api::Messages },
            Endpoint::Embeddings => Work::Embed(Embed::read_openai(body)?),
            Endpoint::Gemini { model, verb } => Self::read_gemini(model, *verb, body)?,
            Endpoint::Models(family) => Work::Models(*family),
            Endpoint::Model(family, name) => Work::Model(*family, name.clone()),
        })
    }

    fn read_gemini(model: &str, verb: Verb, body: &[u8]) -> Result<Self, BadRequest> {
        Ok(match verb {
            Verb::Generate => {
                Work::Generate { ask: gemini::read(body, model, false)?, api: Api::Gemini(Framing::Array) }
            }
            Verb::Stream(framing) => {
                Work::Generate { ask: gemini::read(body, model, true)?, api: Api::Gemini(framing) }
            }
            Verb::Count => {
                Work::Count { ask: gemini::read_count(body, model)?, api: Api::Gemini(Framing::Array) }
            }
            Verb::Embed => Work::Embed(Embed::read_gemini(body, model)?),
            Verb::BatchEmbed => Work::Embed(Embed::read_gemini_batch(body, model)?),
        })
    }

    /// Gives the model asked for (empty for a list of models) and whether a stream is wanted.
    pub(super) fn asks(&self) -> (&str, bool) {
        match self {
            Work::Generate { ask, .. } | Work::Count { ask, .. } => (&ask.model, ask.stream),
            Work::Embed(embed) => (&embed.model, false),
            Work::Models(_) => ("", false),
            Work::Model(_, name) => (name, false),
        }
    }

    /// Makes the good answer to a request of this size and hash.
    pub(super) fn answer(self, server: &Server, rules: &Rules, size: u64, hash: u128, reply: &Reply) -> Good {
        match self {
            Work::Generate { ask, api } => {
                let stream = ask.stream;
                let answer = Answer::new(&server.name, ask, size, hash, reply);
                if stream {
                    return stream_of(api, answer);
                }
                let tokens = answer.tokens();
                Good::Whole { body: whole_of(api, &answer), usage: Some(answer.usage), tokens }
            }
            Work::Count { api, .. } => plain(count_of(api, size), None),
            Work::Embed(embed) => {
                let counted = Usage { input_tokens: embed.tokens(), output_tokens: 0 };
                let usage = reply.usage.unwrap_or(counted);
                plain(embed.answer(usage.input_tokens), embed.reported(usage))
            }
            Work::Models(family) => {
                let body = match &rules.script().models {
                    Some(models) => models::list(family, models.iter().map(String::as_str)),
                    None => models::list(family, models::usual(family).iter().copied()),
                };
                plain(body, None)
            }
            Work::Model(family, name) => plain(models::one(family, &name), None),
        }
    }
}

/// An answer that is not generated token by token.
fn plain(body: Bytes, usage: Option<Usage>) -> Good {
    Good::Whole { body: body.into(), usage, tokens: 0 }
}

fn stream_of(api: Api, answer: Answer) -> Good {
    const SSE: &str = "text/event-stream; charset=utf-8";
    let (transcript, content_type): (Box<dyn Transcript>, _) = match api {
        Api::Chat => (Box::new(chat::Stream::new(answer)), SSE),
        Api::Responses => (Box::new(responses::Stream::new(answer)), SSE),
        Api::Messages => (Box::new(messages::Stream::new(answer)), SSE),
        Api::Gemini(framing) => {
            let content_type = if framing == Framing::Sse { "text/event-stream" } else { GEMINI_JSON };
            (Box::new(gemini::Stream::new(answer, framing)), content_type)
        }
    };
    Good::Stream { transcript, content_type }
}

/// The content type of Gemini's JSON.
pub(super) const GEMINI_JSON: &str = "application/json; charset=UTF-8";

fn whole_of(api: Api, answer: &Answer) -> Rope {
    match api {
        Api::Chat => chat::whole(answer),
        Api::Responses => responses::whole(answer),
        Api::Messages => messages::whole(answer),
        Api::Gemini(_) => gemini::whole(answer),
    }
}

fn count_of(api: Api, size: u64) -> Bytes {
    let tokens = tokens_of(size);
    match api {
        Api::Messages => messages::count(tokens),
        Api::Gemini(_) => gemini::count(tokens),
        Api::Chat | Api::Responses => responses::count(tokens),
    }
}

//! The path table: which API a path belongs to, and where it goes at a provider.

use super::Delivery;
use crate::refusal::Refusal;
use cliproxy_dialects::Framing;
use cliproxy_domain::{Dialect, ErrorClass, ModelName, Operation};
use http::{HeaderMap, Method, Uri};

/// What a path asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// Something that a provider does.
    Call(CallEndpoint),
    /// The gateway's own list of models, or one of it.
    Models {
        /// In whose shape.
        dialect: Dialect,
        /// Which one.
        id: Option<String>,
    },
}

/// A path that leads to a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallEndpoint {
    /// The client's API.
    pub dialect: Dialect,
    /// What it asks for.
    pub operation: Operation,
    /// How it wants the answer, where the path says so.
    pub delivery: Option<Delivery>,
    /// The model, where the path names it.
    pub model: Option<ModelName>,
    /// Where it goes at a provider.
    pub path: UpstreamPath,
}

/// Where a call goes at a provider, below its base URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UpstreamPath {
    /// A path below the API's version, as `/chat/completions`.
    Fixed(&'static str),
    /// A Gemini path, which names the model.
    Gemini(GeminiPath),
}

/// The parts of a Gemini path beside the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GeminiPath {
    /// `v1`, `v1beta` or `v1alpha`.
    pub version: &'static str,
    /// What follows the colon.
    pub verb: &'static str,
}

/// POST paths of the OpenAI and Anthropic APIs below `/v1`.
const POSTS: [(&str, Dialect, Operation); 6] = [
    ("/chat/completions", Dialect::OpenAiChat, Operation::Generate),
    ("/responses", Dialect::OpenAiResponses, Operation::Generate),
    ("/responses/input_tokens", Dialect::OpenAiResponses, Operation::CountTokens),
    ("/embeddings", Dialect::OpenAiChat, Operation::Embed),
    ("/messages", Dialect::Anthropic, Operation::Generate),
    ("/messages/count_tokens", Dialect::Anthropic, Operation::CountTokens),
];

/// Verbs of Gemini paths. The stream's framing hangs on the query.
const VERBS: [(&str, Operation); 5] = [
    ("generateContent", Operation::Generate),
    ("streamGenerateContent", Operation::Generate),
    ("countTokens", Operation::CountTokens),
    ("embedContent", Operation::Embed),
    ("batchEmbedContents", Operation::Embed),
];

const VERSIONS: [&str; 3] = ["v1", "v1beta", "v1alpha"];

/// Finds what a request asks for.
///
/// # Errors
/// 404 for a path that nobody knows, 405 with `allow` for a known one with another method.
pub fn endpoint(method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<Endpoint, Refusal> {
    let path = uri.path();
    let (version, rest) = split_version(path).ok_or_else(|| unknown_path(path))?;
    if version == "v1"
        && let Some((fixed, dialect, operation)) = POSTS.iter().find(|(fixed, ..)| *fixed == rest)
    {
        allow(method, &Method::POST, "POST")?;
        return Ok(Endpoint::Call(CallEndpoint {
            dialect: *dialect,
            operation: *operation,
            delivery: None,
            model: None,
            path: UpstreamPath::Fixed(fixed),
        }));
    }
    if let Some((model, verb, operation)) = gemini_call(rest) {
        allow(method, &Method::POST, "POST")?;
        let delivery = match verb {
            "streamGenerateContent" if has_query(uri, "alt", "sse") => Delivery::Stream(Framing::Sse),
            "streamGenerateContent" => Delivery::Stream(Framing::JsonArray),
            _ => Delivery::Whole,
        };
        return Ok(Endpoint::Call(CallEndpoint {
            dialect: Dialect::Gemini,
            operation,
            delivery: Some(delivery),
            model: Some(model),
            path: UpstreamPath::Gemini(GeminiPath { version, verb }),
        }));
    }
    let id = match rest.strip_prefix("/models") {
        Some("" | "/") => None,
        Some(id) if id.starts_with('/') => Some(percent_decoded(&id[1..])),
        _ => return Err(unknown_path(path)),
    };
    // A verb that nobody knows, not a model that cannot be posted to.
    if method == Method::POST && id.as_ref().is_some_and(|id| id.contains(':')) {
        return Err(unknown_path(path));
    }
    allow(method, &Method::GET, "GET")?;
    let dialect = if version == "v1" { dialect_of(uri, headers) } else { Dialect::Gemini };
    Ok(Endpoint::Models { dialect, id })
}

/// Tells the dialect of a request on a path that several APIs share, or that nobody knows, by what only one
/// vendor's clients send. `x-api-key` is no sign: Anthropic's current SDK does not send it.
pub fn dialect_of(uri: &Uri, headers: &HeaderMap) -> Dialect {
    let path = uri.path();
    // A path that only one API has says more than any header.
    let begins = |with: &str| path.starts_with(with);
    let gemini_header = headers.contains_key("x-goog-api-key") || headers.contains_key("x-goog-api-client");
    let gemini_key = || query_pairs(uri).any(|(name, _)| name == "key");
    if begins("/v1/messages") {
        Dialect::Anthropic
    } else if begins("/v1/responses") {
        Dialect::OpenAiResponses
    } else if begins("/v1/chat") || begins("/v1/embeddings") {
        Dialect::OpenAiChat
    } else if begins("/v1beta") || begins("/v1alpha") || gemini_header || gemini_key() {
        Dialect::Gemini
    } else if headers.contains_key("anthropic-version") {
        Dialect::Anthropic
    } else {
        Dialect::OpenAiChat
    }
}

/// Removes the client's key or token from a query; none when nothing is left.
pub(super) fn query_without_key(query: &str) -> Option<String> {
    let kept: Vec<_> = query.split('&').filter(|pair| !pair.is_empty() && !is_key(pair)).collect();
    (!kept.is_empty()).then(|| kept.join("&"))
}

fn is_key(pair: &str) -> bool {
    matches!(pair.split('=').next(), Some("key" | "access_token"))
}

fn split_version(path: &str) -> Option<(&'static str, &str)> {
    let (version, _) = path.strip_prefix('/')?.split_once('/')?;
    let known = VERSIONS.iter().find(|known| **known == version)?;
    Some((known, &path[1 + version.len()..]))
}

/// Reads `/models/{model}:{verb}`. The verb is what follows the last colon of the last segment; the model may
/// hold slashes.
fn gemini_call(rest: &str) -> Option<(ModelName, &'static str, Operation)> {
    let (resource, verb) = rest.strip_prefix('/')?.rsplit_once(':')?;
    let (verb, operation) = VERBS.iter().find(|(known, _)| *known == verb)?;
    let model = percent_decoded(resource.strip_prefix("models/").unwrap_or(resource));
    (!model.is_empty()).then(|| (model.into(), *verb, *operation))
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let code = (first == b'%' && tail.len() >= 2)
            .then(|| std::str::from_utf8(&tail[..2]).ok().and_then(|hex| u8::from_str_radix(hex, 16).ok()))
            .flatten();
        match code {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            None => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn query_pairs(uri: &Uri) -> impl Iterator<Item = (&str, &str)> {
    uri.query().unwrap_or_default().split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

fn has_query(uri: &Uri, name: &str, value: &str) -> bool {
    query_pairs(uri).any(|pair| pair == (name, value))
}

fn allow(method: &Method, wanted: &Method, allow: &'static str) -> Result<(), Refusal> {
    if method == wanted {
        return Ok(());
    }
    let message = format!("the method {} is not allowed here: use {allow}", cut(method.as_str()));
    Err(Refusal { allow: Some(allow), ..Refusal::new(ErrorClass::InvalidRequest, message).with_status(405) })
}

fn unknown_path(path: &str) -> Refusal {
    let message = format!("there is nothing at {}: the APIs are under /v1 and /v1beta", cut(path));
    Refusal::new(ErrorClass::NotFound, message).with_code("unknown_path")
}

fn cut(text: &str) -> String {
    text.chars().take(100).collect()
}

#[cfg(test)]
mod tests;

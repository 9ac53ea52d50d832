//! Turns an HTTP request into a [`Call`]: which API, which model, which bytes.
//!
//! The body is held as it came, since a failed attempt sends it again elsewhere, and only the fields that
//! routing needs are read.

mod body;
mod endpoint;
mod hop;
pub mod models;
mod session;

pub use body::BodyLimits;
pub use endpoint::{CallEndpoint, Endpoint, GeminiPath, UpstreamPath, dialect_of, endpoint};
pub use hop::Hop;

use crate::{authenticate::Caller, refusal::Refusal};
use bytes::Bytes;
use cliproxy_dialects::{Framing, Peek, Weight, peek, prompt_bytes, weigh};
use cliproxy_domain::{Dialect, ErrorClass, ModelName, Operation, RequestId, SessionAffinity};
use http::HeaderMap;
use hyper::body::Incoming;
use std::{ops::Range, sync::OnceLock, time::Instant};

/// How the client wants its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// In one piece.
    Whole,
    /// As a stream of events in this framing.
    Stream(Framing),
}

/// A request that can be routed.
#[derive(Clone, Debug)]
pub struct Call {
    /// Its id, the client's own when that is sane.
    pub id: RequestId,
    /// Who asks.
    pub caller: Caller,
    /// When its head was read.
    pub started: Instant,
    /// The API that the client speaks.
    pub dialect: Dialect,
    /// What it asks for.
    pub operation: Operation,
    /// How it wants the answer.
    pub delivery: Delivery,
    /// The model as asked for.
    pub model: ModelName,
    /// Where the body names the model, quotes included, ascending. A Gemini body may repeat what its path names.
    pub model_spans: Vec<Range<usize>>,
    /// What its session hashes to, when it has one that should stay on one credential.
    pub session: Option<u64>,
    /// Where it goes at a provider.
    pub path: UpstreamPath,
    /// The query without a key, if any is left.
    pub query: Option<String>,
    /// The client's headers.
    pub headers: HeaderMap,
    /// The body as it came.
    pub body: Bytes,
    /// What was found out about the body, once somebody asked.
    pub(crate) size: BodySize,
}

/// What a body comes to. Looking through it takes time, and nobody asks where nothing is limited.
#[derive(Clone, Debug, Default)]
pub(crate) struct BodySize {
    prompt_bytes: OnceLock<usize>,
    weight: OnceLock<Weight>,
}

impl Call {
    /// Gives what it may cost at most, as far as its body tells.
    pub fn weight(&self) -> Weight {
        *self.size.weight.get_or_init(|| weigh(self.dialect, &self.body))
    }

    /// Gives the bytes that stand for the prompt's tokens where the provider reports none: media cost less than they are
    /// long.
    pub fn prompt_bytes(&self) -> usize {
        *self.size.prompt_bytes.get_or_init(|| prompt_bytes(&self.body))
    }
}

/// Reads the body and the few fields that routing needs; `affinity` says what names its session.
///
/// # Errors
/// A refusal in the words of the client's mistake: encoded body 415, too large 413, too slow 408, malformed or
/// a model's name that is too long to keep or leads elsewhere in a path 400.
pub async fn decode(
    endpoint: CallEndpoint,
    head: http::request::Parts,
    body: Incoming,
    id: RequestId,
    caller: Caller,
    started: Instant,
    limits: &BodyLimits,
    affinity: SessionAffinity,
) -> Result<Call, Refusal> {
    refuse_encoded(&head.headers)?;
    let body = body::collect(body, limits).await?;
    let Peek { model, stream, model_spans, session } = peek(endpoint.dialect, endpoint.operation, &body)
        .map_err(|error| {
            Refusal::new(ErrorClass::InvalidRequest, error.to_string()).with_param(error.param())
        })?;
    let delivery = match endpoint.delivery {
        Some(delivery) => delivery,
        None if stream && endpoint.operation == Operation::Generate => Delivery::Stream(Framing::Sse),
        None => Delivery::Whole,
    };
    let model = match (endpoint.model, model) {
        (Some(in_path), _) => in_path,
        (None, Some(in_body)) => ModelName::from(in_body.name),
        (None, None) => {
            return Err(Refusal::new(
                ErrorClass::InvalidRequest,
                "`model` is missing: name the model to use",
            )
            .with_param(Some("model")));
        }
    };
    refuse_unfit(&model)?;
    let session = session::session(affinity, &head.headers, &session, &body);
    Ok(Call {
        id,
        caller,
        started,
        dialect: endpoint.dialect,
        operation: endpoint.operation,
        delivery,
        model,
        model_spans,
        session,
        path: endpoint.path,
        query: head.uri.query().and_then(endpoint::query_without_key),
        headers: head.headers,
        body,
        size: BodySize::default(),
    })
}

/// Bytes of a model's name at most. Names are kept: as keys of sums, in reports and in log lines. The longest real
/// ones, resources of cloud platforms, have half of it.
const MAX_MODEL: usize = 256;

fn refuse_unfit(model: &ModelName) -> Result<(), Refusal> {
    let name = model.as_str();
    let message = if name.len() > MAX_MODEL {
        format!("`model` has {} bytes: name a model with at most {MAX_MODEL}", name.len())
    } else if name.split('/').any(|segment| matches!(segment, "." | "..")) {
        // The name may become a part of the provider's path, where dots lead elsewhere, with our key.
        "`model` has a segment of nothing but dots: name a model".to_owned()
    } else {
        return Ok(());
    };
    Err(Refusal::new(ErrorClass::InvalidRequest, message).with_param(Some("model")))
}

fn refuse_encoded(headers: &HeaderMap) -> Result<(), Refusal> {
    match headers.get(http::header::CONTENT_ENCODING) {
        Some(encoding) if encoding != "identity" => Err(Refusal::new(
            ErrorClass::InvalidRequest,
            "`content-encoding` must be identity: send the body uncompressed",
        )
        .with_status(415)),
        _ => Ok(()),
    }
}

/// Takes the client's own id when it is short and printable, else makes one of `random`.
pub fn request_id(headers: &HeaderMap, random: impl FnOnce() -> [u64; 2]) -> RequestId {
    let given = headers.get("x-request-id").and_then(|value| value.to_str().ok());
    match given {
        Some(id) if (1..=128).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic()) => id.into(),
        _ => {
            let [a, b] = random();
            RequestId::new(format!("req_{a:016x}{:08x}", b as u32))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn a_sane_request_id_of_the_client_is_kept_and_another_is_made() {
        let mut headers = HeaderMap::new();
        let made = |headers: &HeaderMap| request_id(headers, || [1, 2]).to_string();
        assert_eq!(made(&headers), "req_000000000000000100000002");
        headers.insert("x-request-id", HeaderValue::from_static("mine-1"));
        assert_eq!(made(&headers), "mine-1");
        for strange in ["", "with space", &"x".repeat(129)] {
            headers.insert("x-request-id", HeaderValue::from_str(strange).unwrap());
            assert_eq!(made(&headers), "req_000000000000000100000002", "{strange:?}");
        }
    }

    #[test]
    fn a_name_that_is_too_long_to_keep_is_refused() {
        assert!(refuse_unfit(&"x".repeat(MAX_MODEL).into()).is_ok());
        let refusal = refuse_unfit(&"x".repeat(MAX_MODEL + 1).into()).unwrap_err();
        assert_eq!((refusal.param.as_deref(), refusal.status), (Some("model"), None));
        assert!(refusal.message.len() < 100, "{}", refusal.message);
    }

    #[test]
    fn a_name_that_leads_out_of_its_place_in_a_path_is_refused() {
        for name in ["..", "a/../b", "models/../../files", "gem/.", "./a"] {
            let refusal = refuse_unfit(&name.into()).unwrap_err();
            assert_eq!(refusal.param.as_deref(), Some("model"), "{name}");
        }
        for name in ["gpt-5.4", "org/model.v2", "a..b", "...", "models/x"] {
            assert!(refuse_unfit(&name.into()).is_ok(), "{name}");
        }
    }

    #[test]
    fn a_compressed_body_is_refused() {
        let mut headers = HeaderMap::new();
        assert!(refuse_encoded(&headers).is_ok());
        headers.insert("content-encoding", HeaderValue::from_static("gzip"));
        assert_eq!(refuse_encoded(&headers).unwrap_err().status, Some(415));
    }
}

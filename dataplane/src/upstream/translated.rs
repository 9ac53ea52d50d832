//! The request as a provider gets it when its body was written by translation.

use super::{Upstream, request::ANTHROPIC_VERSION};
use crate::decode::{Call, Delivery, GeminiPath, UpstreamPath};
use bytes::Bytes;
use cliproxy_domain::{CredentialName, Dialect, ModelName, Operation};
use http::{HeaderMap, HeaderValue, Method, Request, Version, header};
use http_body_util::Full;

/// A body that was written for a provider.
#[derive(Clone, Debug)]
pub struct Written {
    /// In this dialect.
    pub dialect: Dialect,
    /// The body.
    pub body: Bytes,
    /// The version of Anthropic's API that it was written for.
    pub anthropic_version: Option<&'static str>,
}

/// What a translated request says it comes from: it is not the client's program that wrote it.
const USER_AGENT: HeaderValue = HeaderValue::from_static(concat!("cliproxy/", env!("CARGO_PKG_VERSION")));

impl Upstream {
    /// Builds the request of a call whose body was `written` for this provider. In the client's own dialect its
    /// headers go along as ever; in another one none does: they speak to another vendor.
    ///
    /// # Errors
    /// When the model's name fits no path.
    pub fn translated(
        &self,
        call: &Call,
        written: &Written,
        model: &ModelName,
        credential: &CredentialName,
    ) -> Result<Request<Full<Bytes>>, http::Error> {
        if written.dialect == call.dialect {
            return self.passing(call, written.body.clone(), model, credential);
        }
        let (path, query) = place(call, written.dialect);
        let mut headers = HeaderMap::with_capacity(8 + self.headers.len());
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        headers.insert(header::USER_AGENT, USER_AGENT);
        let accepted = match call.delivery {
            Delivery::Stream(_) => HeaderValue::from_static("text/event-stream"),
            Delivery::Whole => HeaderValue::from_static("application/json"),
        };
        headers.insert(header::ACCEPT, accepted);
        self.add_own(&mut headers, call, credential);
        if written.dialect == Dialect::Anthropic {
            let version = written.anthropic_version.unwrap_or("2023-06-01");
            headers.insert(ANTHROPIC_VERSION, HeaderValue::from_static(version));
        }
        let mut request = Request::new(Full::new(written.body.clone()));
        *request.method_mut() = Method::POST;
        *request.version_mut() = Version::HTTP_11;
        *request.uri_mut() = self.uri(&path, query, model)?;
        *request.headers_mut() = headers;
        Ok(request)
    }
}

/// Gives the path and the query of a call in a provider's dialect.
fn place(call: &Call, dialect: Dialect) -> (UpstreamPath, Option<&'static str>) {
    let gemini = |verb| UpstreamPath::Gemini(GeminiPath { version: "v1beta", verb });
    let stream = matches!(call.delivery, Delivery::Stream(_));
    match (dialect, call.operation) {
        (Dialect::OpenAiChat, Operation::Embed) => (UpstreamPath::Fixed("/embeddings"), None),
        (Dialect::OpenAiChat, _) => (UpstreamPath::Fixed("/chat/completions"), None),
        (Dialect::OpenAiResponses, Operation::CountTokens) => {
            (UpstreamPath::Fixed("/responses/input_tokens"), None)
        }
        (Dialect::OpenAiResponses, _) => (UpstreamPath::Fixed("/responses"), None),
        (Dialect::Anthropic, Operation::CountTokens) => (UpstreamPath::Fixed("/messages/count_tokens"), None),
        (Dialect::Anthropic, _) => (UpstreamPath::Fixed("/messages"), None),
        (Dialect::Gemini, Operation::CountTokens) => (gemini("countTokens"), None),
        (Dialect::Gemini, Operation::Embed) => (gemini("batchEmbedContents"), None),
        (Dialect::Gemini, Operation::Generate) if stream => {
            (gemini("streamGenerateContent"), Some("alt=sse"))
        }
        (Dialect::Gemini, Operation::Generate) => (gemini("generateContent"), None),
    }
}

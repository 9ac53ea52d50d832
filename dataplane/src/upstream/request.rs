//! The request as a provider gets it: path, headers, key, body.

use super::Upstream;
use crate::decode::{Call, GeminiPath, UpstreamPath};
use bytes::Bytes;
use cliproxy_dialects::replace_models;
use cliproxy_domain::{CredentialName, Dialect, ModelName, Profile, ProviderKind, Secret};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, Version,
    header::{self, GetAll, InvalidHeaderValue},
};
use http_body_util::Full;
use std::borrow::Cow;

/// Headers that concern one connection alone (RFC 9110 §7.6.1).
const OF_A_CONNECTION: [HeaderName; 12] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    HeaderName::from_static("proxy-connection"),
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::HOST,
    header::CONTENT_LENGTH,
    header::EXPECT,
];

/// Headers that the gateway sets itself for a provider, or that carry the client's own key.
const NOT_FORWARDED: [HeaderName; 5] = [
    header::COOKIE,
    header::AUTHORIZATION,
    header::ACCEPT_ENCODING,
    HeaderName::from_static("x-api-key"),
    HeaderName::from_static("x-goog-api-key"),
];

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
pub(super) const ANTHROPIC_VERSION: HeaderName = HeaderName::from_static("anthropic-version");

/// Tells whether a request's header speaks of the client's own account or network. The provider is called with our
/// key: with another's organisation, project or workspace it would refuse that key, or charge whom the client
/// chooses. Where our clients are is not the provider's to know.
fn concerns_the_client(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "api-key"
            | "openai-organization"
            | "openai-project"
            | "x-goog-user-project"
            | "anthropic-workspace-id"
            | "forwarded"
            | "x-forwarded-for"
            | "x-forwarded-host"
            | "x-forwarded-proto"
            | "x-real-ip"
    )
}

/// Tells whether a header stops between a client and a provider. `connection` are its message's own.
pub(crate) fn stops_here(name: &HeaderName, connection: &GetAll<'_, HeaderValue>) -> bool {
    NOT_FORWARDED.contains(name) || stops_at_a_gateway(name, connection)
}

/// Tells whether a header goes no further than to the next gateway, be it one of ours. `connection` are its message's own.
pub(crate) fn stops_at_a_gateway(name: &HeaderName, connection: &GetAll<'_, HeaderValue>) -> bool {
    OF_A_CONNECTION.contains(name)
        || name.as_str().starts_with("x-cliproxy-")
        || connection
            .iter()
            .filter_map(|value| value.to_str().ok())
            .any(|named| named.split(',').any(|named| named.trim().eq_ignore_ascii_case(name.as_str())))
}

/// Makes the value of the header that carries a key.
pub(super) fn key_header(
    kind: ProviderKind,
    profile: &Profile,
    key: &Secret,
) -> Result<HeaderValue, InvalidHeaderValue> {
    let mut value = match kind {
        ProviderKind::OpenAi | ProviderKind::OpenAiCompatible => {
            HeaderValue::from_str(&format!("{}{}", profile.auth_prefix, key.expose()))?
        }
        ProviderKind::Anthropic | ProviderKind::Gemini => HeaderValue::from_str(key.expose())?,
    };
    value.set_sensitive(true);
    Ok(value)
}

/// Gives the name of the header that carries a key, and the profile's own headers; none when one of them is none
/// that HTTP can carry.
pub(super) fn profile_headers(
    kind: ProviderKind,
    profile: &Profile,
) -> Option<(HeaderName, Vec<(HeaderName, HeaderValue)>)> {
    let key_name = match kind {
        ProviderKind::OpenAi | ProviderKind::OpenAiCompatible => {
            HeaderName::from_bytes(profile.auth_header.as_bytes()).ok()?
        }
        ProviderKind::Anthropic => HeaderName::from_static("x-api-key"),
        ProviderKind::Gemini => HeaderName::from_static("x-goog-api-key"),
    };
    let header = |(name, value): &(String, String)| {
        Some((HeaderName::from_bytes(name.as_bytes()).ok()?, HeaderValue::from_str(value).ok()?))
    };
    Some((key_name, profile.headers.iter().map(header).collect::<Option<_>>()?))
}

impl Upstream {
    /// Builds the upstream request of a call. The body's bytes are the client's but for the model's name when
    /// `model` is another.
    ///
    /// # Errors
    /// When the credential is not this provider's, or the model's name fits no path.
    pub fn request(
        &self,
        call: &Call,
        model: &ModelName,
        credential: &CredentialName,
    ) -> Result<Request<Full<Bytes>>, http::Error> {
        self.passing(call, self.body(call, model), model, credential)
    }

    /// Builds the same with another body in the client's own dialect.
    ///
    /// # Errors
    /// As [`Upstream::request`].
    pub(super) fn passing(
        &self,
        call: &Call,
        body: Bytes,
        model: &ModelName,
        credential: &CredentialName,
    ) -> Result<Request<Full<Bytes>>, http::Error> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.version_mut() = Version::HTTP_11;
        *request.uri_mut() = self.uri(&call.path, call.query.as_deref(), model)?;
        *request.headers_mut() = self.headers(call, credential);
        Ok(request)
    }

    /// Gives the address of `path`, with the profile's own path and query where it has them.
    pub(super) fn uri(
        &self,
        at: &UpstreamPath,
        query: Option<&str>,
        model: &ModelName,
    ) -> Result<Uri, http::Error> {
        let mut path = self.base.prefix.clone();
        let own = match at {
            UpstreamPath::Fixed("/chat/completions") => self.profile.chat_path.as_deref(),
            UpstreamPath::Fixed("/embeddings") => self.profile.embeddings_path.as_deref(),
            _ => None,
        };
        match (own, at) {
            (Some(own), _) => push_own(&mut path, own, model),
            (None, UpstreamPath::Fixed(fixed)) => {
                if !self.base.versioned {
                    path.push_str("/v1");
                }
                path.push_str(fixed);
            }
            (None, UpstreamPath::Gemini(gemini)) => {
                push_gemini(&mut path, gemini, model, self.base.versioned)
            }
        }
        self.base.uri(path, [query, self.profile.query.as_deref()])
    }

    fn headers(&self, call: &Call, credential: &CredentialName) -> HeaderMap {
        let connection = call.headers.get_all(header::CONNECTION);
        let mut headers = HeaderMap::with_capacity(call.headers.len() + 3);
        for (name, value) in &call.headers {
            if !stops_here(name, &connection) && !concerns_the_client(name) {
                headers.append(name.clone(), value.clone());
            }
        }
        // The bytes that pass must be readable, for usage and for the end of a stream.
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        self.add_own(&mut headers, call, credential);
        if call.dialect == Dialect::Anthropic && !headers.contains_key(&ANTHROPIC_VERSION) {
            headers.insert(ANTHROPIC_VERSION, HeaderValue::from_static("2023-06-01"));
        }
        headers
    }

    /// Adds what every request to this provider carries: its id, the key and the profile's headers.
    pub(super) fn add_own(&self, headers: &mut HeaderMap, call: &Call, credential: &CredentialName) {
        if let Ok(id) = HeaderValue::from_str(call.id.as_str()) {
            headers.insert(X_REQUEST_ID, id);
        }
        self.add_key(headers, credential);
    }

    /// Adds the key and the profile's headers.
    pub(super) fn add_key(&self, headers: &mut HeaderMap, credential: &CredentialName) {
        for (name, value) in &self.headers {
            headers.insert(name.clone(), value.clone());
        }
        if let Some(key) = self.keys.get(credential) {
            headers.insert(self.key_name.clone(), key.clone());
        }
    }

    fn body(&self, call: &Call, model: &ModelName) -> Bytes {
        if *model == call.model {
            return call.body.clone();
        }
        replace_models(&call.body, &call.model_spans, |old| name_in_body(call.dialect, model, old))
    }
}

/// Spells `model` as a body has it in place of `old`. Gemini's bodies name a model as a resource or bare, and the
/// new name keeps the form of the old.
fn name_in_body<'m>(dialect: Dialect, model: &'m ModelName, old: &str) -> Cow<'m, str> {
    let model = model.as_str();
    if dialect == Dialect::Gemini && is_gemini_resource(old) && !is_gemini_resource(model) {
        Cow::Owned(format!("models/{model}"))
    } else {
        Cow::Borrowed(model)
    }
}

/// Tells whether a Gemini model's name says itself where it is found.
fn is_gemini_resource(model: &str) -> bool {
    ["models/", "tunedModels/", "projects/", "publishers/"].iter().any(|prefix| model.starts_with(prefix))
}

/// Appends a profile's own path, with the model's name for `{model}`.
fn push_own(path: &mut String, own: &str, model: &ModelName) {
    let mut pieces = own.split("{model}");
    path.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        push_model(path, model);
        path.push_str(piece);
    }
}

fn push_gemini(path: &mut String, gemini: &GeminiPath, model: &ModelName, versioned: bool) {
    if !versioned {
        path.push('/');
        path.push_str(gemini.version);
    }
    path.push_str(if is_gemini_resource(model.as_str()) { "/" } else { "/models/" });
    push_model(path, model);
    path.push(':');
    path.push_str(gemini.verb);
}

/// Appends a model's name, with everything encoded that could end a path.
fn push_model(path: &mut String, model: &ModelName) {
    for byte in model.as_str().bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' | b':' | b'@' => {
                path.push(char::from(byte));
            }
            other => path.push_str(&format!("%{other:02X}")),
        }
    }
}

#[cfg(test)]
mod tests;

//! From method, path and headers to what is asked for.

use crate::{
    script::{Family, Operation},
    wire::gemini::Framing,
};
use http::{HeaderMap, Method, Uri, request::Parts};

/// An endpoint that the mock serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    Chat,
    Responses,
    InputTokens,
    Embeddings,
    Messages,
    CountMessages,
    Gemini { model: String, verb: Verb },
    Models(Family),
    Model(Family, String),
}

/// What stands after the colon of a Gemini path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Generate,
    Stream(Framing),
    Count,
    Embed,
    BatchEmbed,
}

/// Why a request has no endpoint: in the shape of this family, with this status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoEndpoint {
    pub(crate) family: Family,
    /// 404 or 405.
    pub(crate) status: u16,
}

impl Endpoint {
    /// Finds the endpoint of a request to a mock that plays `only` one family, or all.
    pub(crate) fn find(only: Option<Family>, head: &Parts) -> Result<Self, NoEndpoint> {
        let asking = asking_family(head);
        let missing = NoEndpoint { family: only.unwrap_or(asking), status: 404 };
        let (endpoint, method) = by_path(&head.uri, only.unwrap_or(asking)).ok_or(missing)?;
        let family = endpoint.family();
        if only.is_some_and(|only| only != family) {
            return Err(missing);
        }
        if head.method != method {
            return Err(NoEndpoint { family, status: 405 });
        }
        Ok(endpoint)
    }

    /// Gives the family whose API this is.
    pub(crate) fn family(&self) -> Family {
        match self {
            Endpoint::Chat | Endpoint::Responses | Endpoint::InputTokens | Endpoint::Embeddings => {
                Family::OpenAi
            }
            Endpoint::Messages | Endpoint::CountMessages => Family::Anthropic,
            Endpoint::Gemini { .. } => Family::Gemini,
            Endpoint::Models(family) | Endpoint::Model(family, _) => *family,
        }
    }

    /// Gives what is asked for.
    pub(crate) fn operation(&self) -> Operation {
        match self {
            Endpoint::Chat | Endpoint::Responses | Endpoint::Messages => Operation::Generate,
            Endpoint::InputTokens | Endpoint::CountMessages => Operation::CountTokens,
            Endpoint::Embeddings => Operation::Embed,
            Endpoint::Models(_) | Endpoint::Model(..) => Operation::Models,
            Endpoint::Gemini { verb, .. } => match verb {
                Verb::Generate | Verb::Stream(_) => Operation::Generate,
                Verb::Count => Operation::CountTokens,
                Verb::Embed | Verb::BatchEmbed => Operation::Embed,
            },
        }
    }
}

/// Tells which family's client asks, for the paths that all three have in common.
fn asking_family(head: &Parts) -> Family {
    let has = |name: &str| head.headers.contains_key(name);
    let path = head.uri.path();
    if has("x-goog-api-key") || has("x-goog-api-client") || query_value(&head.uri, "key").is_some() {
        return Family::Gemini;
    }
    if has("anthropic-version") || path.starts_with("/v1/messages") {
        return Family::Anthropic;
    }
    if path.starts_with("/v1beta/") || path.starts_with("/v1alpha/") || path.contains(':') {
        return Family::Gemini;
    }
    Family::OpenAi
}

fn by_path(uri: &Uri, asking: Family) -> Option<(Endpoint, Method)> {
    let post = |endpoint| Some((endpoint, Method::POST));
    match uri.path() {
        "/v1/chat/completions" => return post(Endpoint::Chat),
        "/v1/responses" => return post(Endpoint::Responses),
        "/v1/responses/input_tokens" => return post(Endpoint::InputTokens),
        "/v1/embeddings" => return post(Endpoint::Embeddings),
        "/v1/messages" => return post(Endpoint::Messages),
        "/v1/messages/count_tokens" => return post(Endpoint::CountMessages),
        "/v1/models" => return Some((Endpoint::Models(asking), Method::GET)),
        "/v1beta/models" | "/v1alpha/models" => return Some((Endpoint::Models(Family::Gemini), Method::GET)),
        _ => {}
    }
    let (version, name) = uri.path().strip_prefix('/')?.split_once("/models/")?;
    let family = match version {
        "v1" => asking,
        "v1beta" | "v1alpha" => Family::Gemini,
        _ => return None,
    };
    if let Some((model, verb)) =
        name.rsplit_once(':').and_then(|(model, verb)| Some((model, verb_of(verb, uri)?)))
    {
        return post(Endpoint::Gemini { model: model.to_owned(), verb });
    }
    (!name.is_empty()).then(|| (Endpoint::Model(family, name.to_owned()), Method::GET))
}

fn verb_of(verb: &str, uri: &Uri) -> Option<Verb> {
    Some(match verb {
        "generateContent" => Verb::Generate,
        "streamGenerateContent" if query_value(uri, "alt") == Some("sse") => Verb::Stream(Framing::Sse),
        "streamGenerateContent" => Verb::Stream(Framing::Array),
        "countTokens" => Verb::Count,
        "embedContent" => Verb::Embed,
        "batchEmbedContents" => Verb::BatchEmbed,
        _ => return None,
    })
}

/// Gives the value of a query parameter, as it stands.
pub(crate) fn query_value<'a>(uri: &'a Uri, name: &str) -> Option<&'a str> {
    let mut pairs = uri.query()?.split('&');
    pairs.find_map(|pair| pair.split_once('=').filter(|(key, _)| *key == name).map(|(_, value)| value))
}

/// Gives the API key of a request, from wherever `family` takes it.
pub(crate) fn api_key<'a>(family: Family, headers: &'a HeaderMap, uri: &'a Uri) -> Option<&'a str> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let bearer = || text("authorization").and_then(|value| value.strip_prefix("Bearer "));
    let key = match family {
        Family::OpenAi => bearer(),
        Family::Anthropic => text("x-api-key").or_else(bearer),
        Family::Gemini => text("x-goog-api-key").or_else(|| query_value(uri, "key")).or_else(bearer),
    };
    key.map(str::trim).filter(|key| !key.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(
        only: Option<Family>,
        method: &str,
        uri: &str,
        headers: &[(&str, &str)],
    ) -> Result<Endpoint, u16> {
        let mut request = http::Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (head, ()) = request.body(()).unwrap().into_parts();
        Endpoint::find(only, &head).map_err(|missing| missing.status)
    }

    #[test]
    fn gemini_paths_are_known_under_every_version() {
        for version in ["v1", "v1beta", "v1alpha"] {
            let path = format!("/{version}/models/gemini-x:generateContent");
            let expected = Endpoint::Gemini { model: "gemini-x".into(), verb: Verb::Generate };
            assert_eq!(find(None, "POST", &path, &[]), Ok(expected));
        }
        let stream =
            |query| find(None, "POST", &format!("/v1beta/models/m:streamGenerateContent{query}"), &[]);
        let expected = |framing| Endpoint::Gemini { model: "m".into(), verb: Verb::Stream(framing) };
        assert_eq!(stream("?alt=sse"), Ok(expected(Framing::Sse)));
        assert_eq!(stream(""), Ok(expected(Framing::Array)));
    }

    #[test]
    fn the_shared_models_path_answers_the_asking_family() {
        let list = |headers: &[_]| find(None, "GET", "/v1/models", headers);
        assert_eq!(list(&[("x-goog-api-key", "k")]), Ok(Endpoint::Models(Family::Gemini)));
        assert_eq!(list(&[("anthropic-version", "2023-06-01")]), Ok(Endpoint::Models(Family::Anthropic)));
        assert_eq!(list(&[("authorization", "Bearer k")]), Ok(Endpoint::Models(Family::OpenAi)));
        let one = find(None, "GET", "/v1/models/gpt-x", &[]);
        assert_eq!(one, Ok(Endpoint::Model(Family::OpenAi, "gpt-x".into())));
    }

    #[test]
    fn other_paths_methods_and_families_are_refused() {
        assert_eq!(find(None, "GET", "/v1/chat/completions", &[]), Err(405));
        assert_eq!(find(None, "POST", "/v1/completions", &[]), Err(404));
        assert_eq!(find(Some(Family::Gemini), "POST", "/v1/messages", &[]), Err(404));
        assert_eq!(
            find(Some(Family::Anthropic), "GET", "/v1/models", &[]),
            Ok(Endpoint::Models(Family::Anthropic))
        );
    }
}

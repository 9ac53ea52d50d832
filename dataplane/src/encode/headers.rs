//! The headers of an answer on its way to the client.

use crate::upstream::{stops_at_a_gateway, stops_here};
use cliproxy_dialects::Framing;
use http::{HeaderMap, HeaderName, HeaderValue, header};

/// Headers that say something of the provider's connection, not of its answer: cookies of its load balancer, and
/// advice to go elsewhere.
const NOT_PASSED: [HeaderName; 5] =
    [header::SET_COOKIE, header::ALT_SVC, header::STRICT_TRANSPORT_SECURITY, header::DATE, header::SERVER];

/// Takes over what concerns the client. The provider's own `x-request-id` becomes `x-upstream-request-id`.
pub(super) fn answer_headers(upstream: &HeaderMap) -> HeaderMap {
    let connection = upstream.get_all(header::CONNECTION);
    let mut headers = HeaderMap::with_capacity(upstream.len() + 8);
    for (name, value) in upstream {
        if name == "x-request-id" {
            headers.insert("x-upstream-request-id", value.clone());
        } else if !NOT_PASSED.contains(name) && !stops_here(name, &connection) {
            headers.append(name.clone(), value.clone());
        }
    }
    headers
}

/// Takes over the headers of another gateway's answer: all that is not of the connection to it. What it says of itself, as
/// its name and its configuration, is true of the answer.
pub(super) fn relayed_headers(other: &HeaderMap) -> HeaderMap {
    let connection = other.get_all(header::CONNECTION);
    let mut headers = HeaderMap::with_capacity(other.len() + 2);
    for (name, value) in other {
        let own = name.as_str().starts_with("x-cliproxy-");
        if own || !stops_at_a_gateway(name, &connection) && *name != header::DATE {
            headers.append(name.clone(), value.clone());
        }
    }
    headers
}

/// Says what a stream is, where the provider did not, and tells everything between us and the client to pass each
/// event on at once.
pub(super) fn stream_headers(headers: &mut HeaderMap, framing: Framing) {
    let kind = match framing {
        Framing::Sse => "text/event-stream",
        Framing::JsonArray => "application/json",
    };
    let said =
        headers.get(header::CONTENT_TYPE).is_some_and(|said| said.as_bytes().starts_with(kind.as_bytes()));
    if !said {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-cache"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
}

/// Sets a header whose value may hold anything; what no header can carry is left out.
pub(super) fn set(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(HeaderName::from_static(name), value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_the_providers_connection_do_not_reach_the_client() {
        let mut upstream = HeaderMap::new();
        for (name, value) in [
            ("content-type", "application/json"),
            ("retry-after", "3"),
            ("x-request-id", "up-1"),
            ("connection", "keep-alive, x-hop"),
            ("x-hop", "1"),
            ("transfer-encoding", "chunked"),
            ("content-length", "7"),
            ("set-cookie", "lb=1"),
            ("alt-svc", "h3=\":443\""),
        ] {
            upstream.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        let passed = answer_headers(&upstream);
        let mut names: Vec<_> = passed.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["content-type", "retry-after", "x-upstream-request-id"]);
    }
}

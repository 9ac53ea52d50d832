//! The way of a request that this node cannot serve: once to its backup, before the first byte of an answer.

use super::{Failover, Way, metrics::Forwarding};
use crate::{
    decode::{Call, Hop},
    upstream::{Place, stops_at_a_gateway},
};
use cliproxy_engine::role::Part;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use http_body_util::Full;
use hyper::body::Incoming;
use std::time::Duration;

/// Carries the request's own id, so that it has the same on both nodes.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// A request's line as it came: what the backup is asked.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The method.
    pub method: Method,
    /// The path and the query, with whatever key is in it.
    pub uri: Uri,
}

/// The backup's answer, whose body is still to come.
pub struct Forwarded {
    /// What it answered.
    pub answer: Response<Incoming>,
    /// The connection's place: hold it until the body has ended.
    pub place: Place,
}

impl Failover {
    /// Tells whether a request could be handed to a backup, should this node not be able to serve it: where there is one,
    /// and the request was not handed on before. Decided before the request is read, so that its line need not be kept
    /// otherwise.
    pub fn may_forward(&self, hop: Option<&Hop>) -> bool {
        let is_primary = self
            .settings
            .as_ref()
            .is_some_and(|settings| matches!(&settings.way, Way::Pair { part: Part::Primary, .. }));
        is_primary && hop.is_none() && !self.others.is_empty()
    }

    /// Hands a request to the backup, which has `left` to begin its answer. None when the backup is away or cannot serve
    /// it either: then the client is told what this node has to say. Dropping the future takes the request back.
    pub async fn forward(&self, asked: &Asked, call: &Call, left: Duration) -> Option<Forwarded> {
        let backup = self.others.first()?;
        if !backup.was_well() {
            self.metrics.forwarded(Forwarding::Unhealthy);
            return None;
        }
        let request = self.request(asked, call)?;
        let (result, why) = match tokio::time::timeout(left, self.pool.send(request)).await {
            Ok(Ok((answer, place))) if serves(answer.status()) => {
                self.metrics.forwarded(Forwarding::Answered);
                tracing::info!(request_id = %call.id, backup = backup.url, status = answer.status().as_u16(),
                    "the backup answers a request that this node could not serve");
                return Some(Forwarded { answer, place });
            }
            Ok(Ok((answer, _))) => (Forwarding::Refused, format!("it answered {}", answer.status())),
            Ok(Err(error)) => {
                if let Some(settings) = &self.settings {
                    backup.missed(self.now(), settings.timeout);
                }
                (Forwarding::Unreachable, error.between("the node"))
            }
            Err(_) => (Forwarding::Unreachable, "no answer within the time of the request".to_owned()),
        };
        self.metrics.forwarded(result);
        tracing::warn!(request_id = %call.id, backup = backup.url, error = why,
            "the backup did not serve a request either");
        None
    }

    /// Makes the backup's request: as the client sent it, but for what concerns the connection alone.
    fn request(&self, asked: &Asked, call: &Call) -> Option<Request<Full<bytes::Bytes>>> {
        let uri = self.others.first()?.uri(asked.uri.path_and_query()?.clone()).ok()?;
        let mut request = Request::new(Full::new(call.body.clone()));
        *request.method_mut() = asked.method.clone();
        *request.uri_mut() = uri;
        let headers = request.headers_mut();
        headers.reserve(call.headers.len() + 4);
        copy(&call.headers, headers);
        if let Ok(id) = HeaderValue::from_str(call.id.as_str()) {
            headers.insert(REQUEST_ID, id);
        }
        Hop::mark(headers, self.clock.now().saturating_duration_since(call.started));
        Some(request)
    }
}

/// Takes over a message's headers, but for those that end at each gateway.
fn copy(from: &HeaderMap, to: &mut HeaderMap) {
    let connection = from.get_all(header::CONNECTION);
    for (name, value) in from {
        if !stops_at_a_gateway(name, &connection) {
            to.append(name.clone(), value.clone());
        }
    }
}

/// Tells whether an answer is of more use than this node's own refusal: the backup served the request, or found a mistake
/// in it that is the client's.
fn serves(status: StatusCode) -> bool {
    let cannot = status.is_server_error()
        || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
    !cannot
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_answers_that_are_of_use_are_taken() {
        for status in [200, 206, 400, 404, 413, 422] {
            assert!(serves(StatusCode::from_u16(status).unwrap()), "{status}");
        }
        for status in [401, 403, 429, 500, 502, 503, 504, 529] {
            assert!(!serves(StatusCode::from_u16(status).unwrap()), "{status}");
        }
    }

    #[test]
    fn keys_go_along_and_what_concerns_the_connection_does_not() {
        let mut from = HeaderMap::new();
        for (name, value) in [
            ("authorization", "Bearer k"),
            ("x-api-key", "k"),
            ("idempotency-key", "i"),
            ("x-session-id", "s"),
            ("cookie", "c"),
            ("host", "here"),
            ("connection", "close, x-mine"),
            ("x-mine", "1"),
            ("content-length", "5"),
            ("expect", "100-continue"),
            ("x-cliproxy-hop", "0"),
        ] {
            from.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        let mut to = HeaderMap::new();
        copy(&from, &mut to);
        let mut names: Vec<&str> = to.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["authorization", "cookie", "idempotency-key", "x-api-key", "x-session-id"]);
    }
}

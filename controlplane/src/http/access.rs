//! Who may ask: holders of a token; where none is set, whoever is on this machine.

use super::error::{ApiError, is_grpc};
use crate::{
    operations::{Actor, LOOPBACK},
    settings::AdminToken,
};
use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use cliproxy_host::{Origin, Peer};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use subtle::ConstantTimeEq;
use tonic::Status;

/// What tells only that this process lives; probes carry no token.
const OPEN_PATHS: [&str; 3] = ["/health", "/ready", "/grpc.health.v1.Health/Check"];

/// The operators' tokens.
pub(crate) struct Access {
    tokens: Vec<AdminToken>,
}

/// Why somebody is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Denied {
    NoTokenSet,
    NoTokenShown,
    WrongToken,
}

impl Access {
    pub(crate) fn new(tokens: Vec<AdminToken>) -> Self {
        Self { tokens }
    }

    /// Decides on one caller, and names him. Every token is compared, in constant time, whichever matches.
    ///
    /// There is one role, the operator's: who may ask may also change.
    fn check(&self, loopback: bool, headers: &HeaderMap) -> Result<&str, Denied> {
        if self.tokens.is_empty() {
            return if loopback { Ok(LOOPBACK) } else { Err(Denied::NoTokenSet) };
        }
        let shown = bearer(headers).ok_or(Denied::NoTokenShown)?;
        let hash: [u8; 32] = Sha256::digest(shown).into();
        let mut found = None;
        for token in &self.tokens {
            if token.sha256.ct_eq(&hash).into() {
                found = Some(token.name.as_str());
            }
        }
        found.ok_or(Denied::WrongToken)
    }
}

/// Takes the token out of `authorization: Bearer …`.
fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let value = headers.get(header::AUTHORIZATION)?.as_bytes();
    let (scheme, token) = value.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then_some(token.trim_ascii())
}

/// Lets through who may ask, on REST and gRPC alike; the request then carries its [`Actor`].
pub(crate) async fn check(State(access): State<Arc<Access>>, mut request: Request, next: Next) -> Response {
    if OPEN_PATHS.contains(&request.uri().path()) {
        return next.run(request).await;
    }
    let peer = request.extensions().get::<Peer>().copied();
    let is_here = peer.is_some_and(|peer| Origin::of(peer, request.headers()).is_here);
    match access.check(is_here, request.headers()) {
        Ok(name) => {
            let from = peer.map(|peer| peer.address.ip().to_canonical().to_string()).unwrap_or_default();
            let actor = Actor { name: name.to_owned(), from };
            request.extensions_mut().insert(actor);
            next.run(request).await
        }
        Err(denied) if is_grpc(&request) => denied.status().into_http::<axum::body::Body>(),
        Err(denied) => denied.into_response(),
    }
}

impl Denied {
    fn message(self) -> &'static str {
        match self {
            Denied::NoTokenSet => {
                "no token is set, so only callers on this machine are answered; set server.operations.admin_tokens \
                 to [{name, role, sha256}], where sha256 is the hash of a token, and send the token as bearer"
            }
            Denied::NoTokenShown => {
                "a token is needed; send authorization: Bearer and one of the admin tokens"
            }
            Denied::WrongToken => {
                "the token is not among server.operations.admin_tokens; check it or add its sha256"
            }
        }
    }

    fn status(self) -> Status {
        match self {
            Denied::NoTokenSet => Status::permission_denied(self.message()),
            Denied::NoTokenShown | Denied::WrongToken => Status::unauthenticated(self.message()),
        }
    }

    fn into_response(self) -> Response {
        let (status, kind) = match self {
            Denied::NoTokenSet => (StatusCode::FORBIDDEN, "permission"),
            Denied::NoTokenShown | Denied::WrongToken => (StatusCode::UNAUTHORIZED, "authentication"),
        };
        let mut response = ApiError { status, kind, message: self.message().to_owned() }.into_response();
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Role;

    fn with(token: &str) -> Access {
        let sha256 = Sha256::digest(token).into();
        Access::new(vec![AdminToken { name: "ops".into(), role: Role::Operator, sha256 }])
    }

    fn headers(value: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::AUTHORIZATION, HeaderValue::from_str(value).unwrap())])
    }

    #[test]
    fn without_tokens_only_this_machine_is_answered() {
        let access = Access::new(vec![]);
        assert_eq!(access.check(true, &HeaderMap::new()), Ok("loopback"));
        assert_eq!(access.check(false, &headers("Bearer anything")), Err(Denied::NoTokenSet));
    }

    #[test]
    fn with_tokens_even_this_machine_must_show_one() {
        let access = with("open sesame");
        assert_eq!(access.check(true, &HeaderMap::new()), Err(Denied::NoTokenShown));
        assert_eq!(access.check(true, &headers("Basic b3Blbg==")), Err(Denied::NoTokenShown));
        assert_eq!(access.check(true, &headers("Bearer open")), Err(Denied::WrongToken));
        assert_eq!(access.check(false, &headers("bearer open sesame")), Ok("ops"));
    }
}

//! Who may ask for operations.

use super::answer::ApiError;
use cliproxy_host::{Origin, Peer};
use http::{HeaderMap, StatusCode, header};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// A bearer token that operators use, as its hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdminToken {
    /// Whose it is.
    pub name: String,
    /// SHA-256 of the token.
    pub sha256: [u8; 32],
}

/// Checks callers: a token where any is configured, else the caller must be on this machine.
pub(super) struct Access {
    tokens: Vec<AdminToken>,
}

/// The name of a caller on this machine where no token is set.
const LOOPBACK: &str = "loopback";

impl Access {
    pub(super) fn new(tokens: Vec<AdminToken>) -> Self {
        Self { tokens }
    }

    /// Gives the name of the caller: his token's, or `loopback`.
    ///
    /// # Errors
    /// When he may not ask; says what he lacks.
    pub(super) fn check(&self, peer: Peer, headers: &HeaderMap) -> Result<&str, ApiError> {
        if self.tokens.is_empty() {
            if Origin::of(peer, headers).is_here {
                return Ok(LOOPBACK);
            }
            return Err(ApiError::new(
                StatusCode::FORBIDDEN,
                "permission",
                "no token is set, so only callers on this machine are answered; set server.operations.admin_tokens \
                 to [{name, role, sha256}], where sha256 is the hash of a token, and send the token as bearer",
            ));
        }
        let denied = |message| ApiError::new(StatusCode::UNAUTHORIZED, "authentication", message);
        let shown = bearer(headers).ok_or_else(|| {
            denied("a token is needed; send authorization: Bearer and one of the admin tokens")
        })?;
        let hash: [u8; 32] = Sha256::digest(shown).into();
        // Every token is compared, each in constant time: the answer's time tells nothing.
        let mut found = None;
        for token in &self.tokens {
            if token.sha256.ct_eq(&hash).into() {
                found = Some(token.name.as_str());
            }
        }
        found.ok_or_else(|| {
            denied("the token is not among server.operations.admin_tokens; check it or add its sha256")
        })
    }
}

/// Takes the token out of `authorization: Bearer …`.
fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let value = headers.get(header::AUTHORIZATION)?.as_bytes();
    let (scheme, token) = value.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then_some(token.trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    /// Gives the name of the caller, or the status that he gets.
    fn check(tokens: &[&str], peer: &str, bearer: Option<&str>) -> Result<String, u16> {
        let token = |token: &&str| AdminToken {
            name: format!("the holder of {token}"),
            sha256: Sha256::digest(token).into(),
        };
        let mut headers = HeaderMap::new();
        if let Some(bearer) = bearer {
            headers.insert("authorization", HeaderValue::from_str(&format!("Bearer {bearer}")).unwrap());
        }
        let peer = Peer { address: peer.parse().unwrap() };
        let access = Access::new(tokens.iter().map(token).collect());
        access.check(peer, &headers).map(str::to_owned).map_err(|denied| denied.status.as_u16())
    }

    #[test]
    fn without_tokens_only_callers_on_this_machine_are_answered() {
        assert_eq!(check(&[], "127.0.0.1:1", None), Ok("loopback".to_owned()));
        assert_eq!(check(&[], "192.0.2.1:1", Some("a")), Err(403));
        let relayed = HeaderMap::from_iter([(
            http::HeaderName::from_static("x-forwarded-for"),
            HeaderValue::from_static("192.0.2.1"),
        )]);
        let here = Peer { address: "127.0.0.1:1".parse().unwrap() };
        assert!(
            Access::new(Vec::new()).check(here, &relayed).is_err(),
            "a proxy here asks for somebody elsewhere"
        );
    }

    #[test]
    fn with_tokens_every_caller_needs_one_and_goes_by_its_name() {
        assert_eq!(check(&["a", "b"], "127.0.0.1:1", None), Err(401));
        assert_eq!(check(&["a", "b"], "192.0.2.1:1", Some("b")), Ok("the holder of b".to_owned()));
        assert_eq!(check(&["a", "b"], "192.0.2.1:1", Some("c")), Err(401));
    }
}

//! Who may ask for operations.

use cliproxy_host::Peer;
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

/// Why a caller was sent away.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Denied {
    pub(super) status: StatusCode,
    pub(super) code: &'static str,
    pub(super) message: &'static str,
}

impl Access {
    pub(super) fn new(tokens: Vec<AdminToken>) -> Self {
        Self { tokens }
    }

    pub(super) fn check(&self, peer: Peer, headers: &HeaderMap) -> Result<(), Denied> {
        if self.tokens.is_empty() {
            if peer.is_loopback() {
                return Ok(());
            }
            return Err(Denied {
                status: StatusCode::FORBIDDEN,
                code: "admin_token_needed",
                message: "operations are answered to callers on this machine only; to ask from elsewhere, set \
                          server.operations.admin_tokens and send the token as a bearer token",
            });
        }
        let given = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.as_bytes().split_at_checked(7))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case(b"bearer "))
            .map(|(_, token)| token.trim_ascii())
            .map(|token| <[u8; 32]>::from(Sha256::digest(token)));
        // Every token is compared, each in constant time: the answer's time tells nothing.
        let matches = given.is_some_and(|given| {
            self.tokens
                .iter()
                .fold(subtle::Choice::from(0), |found, token| found | token.sha256.ct_eq(&given))
                .into()
        });
        if matches {
            return Ok(());
        }
        Err(Denied {
            status: StatusCode::UNAUTHORIZED,
            code: "admin_token_wrong",
            message: "send one of server.operations.admin_tokens as a bearer token",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn check(tokens: &[&str], peer: &str, bearer: Option<&str>) -> Option<u16> {
        let tokens =
            tokens.iter().map(|t| AdminToken { name: "ops".into(), sha256: Sha256::digest(t).into() });
        let mut headers = HeaderMap::new();
        if let Some(bearer) = bearer {
            headers.insert("authorization", HeaderValue::from_str(&format!("Bearer {bearer}")).unwrap());
        }
        let peer = Peer { address: peer.parse().unwrap() };
        Access::new(tokens.collect()).check(peer, &headers).err().map(|denied| denied.status.as_u16())
    }

    #[test]
    fn without_tokens_only_callers_on_this_machine_are_answered() {
        assert_eq!(check(&[], "127.0.0.1:1", None), None);
        assert_eq!(check(&[], "192.0.2.1:1", None), Some(403));
    }

    #[test]
    fn with_tokens_every_caller_needs_one() {
        assert_eq!(check(&["a", "b"], "127.0.0.1:1", None), Some(401));
        assert_eq!(check(&["a", "b"], "192.0.2.1:1", Some("b")), None);
        assert_eq!(check(&["a", "b"], "192.0.2.1:1", Some("c")), Some(401));
    }
}

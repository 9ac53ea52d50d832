//! Whether a node lives and is the one to be used, and what other nodes tell it.

use super::{
    Ops,
    answer::{Answer, ApiError, document},
    path::parameters,
    read,
};
use crate::failover::{Denied, Failover, MAX_HINTS};
use bytes::Bytes;
use cliproxy_host::Peer;
use http::{Method, Response, StatusCode, request::Parts};
use http_body::Body;
use http_body_util::Full;
use serde::Serialize;

/// The answer of `/health`.
#[derive(Serialize)]
struct Health<'a> {
    status: &'static str,
    control_plane: String,
    config: u64,
    node: &'a str,
    /// `active` or `passive` on a node of a pair; others have no role to give to one another.
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    draining: bool,
}

impl Ops {
    /// Answers whether the node lives, which costs next to nothing. With `?role=active`, 503 on a node that should not be
    /// sent requests: the one of a pair that waits, and one that drains.
    pub(super) fn health(&self, query: &str) -> Answer {
        let wanted = match wanted_role(query) {
            Ok(wanted) => wanted,
            Err(error) => return error.into_answer(),
        };
        let is_active = self.failover.is_active();
        let (status, code) = if wanted && !is_active {
            ("passive", StatusCode::SERVICE_UNAVAILABLE)
        } else {
            ("ok", StatusCode::OK)
        };
        let body = Health {
            status,
            control_plane: self.link.describe(self.clock.now()),
            config: self.live.known().map_or(0, |known| known.config.0),
            node: self.node.as_str(),
            role: self.failover.is_of_a_pair().then_some(if is_active { "active" } else { "passive" }),
            draining: self.failover.is_draining(),
        };
        document(code, &body)
    }
}

/// Tells whether a caller asks for the active node. Other parameters mean nothing here, as those that keep caches away.
fn wanted_role(query: &str) -> Result<bool, ApiError> {
    let mut wanted = false;
    for (name, value) in parameters(query).unwrap_or_default() {
        if name == "role" && value != "active" {
            return Err(ApiError::invalid("role must be active: only that can be asked for"));
        }
        wanted |= name == "role";
    }
    Ok(wanted)
}

/// Takes in what another node tells.
pub(super) async fn told<B>(
    failover: &Failover,
    peer: Peer,
    head: &Parts,
    body: B,
) -> Result<Answer, ApiError>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    if head.method != Method::POST {
        return Ok(super::answer::method_not_allowed(head.uri.path(), &head.method, "POST"));
    }
    let denied = |denied| match denied {
        Denied::NotHere => ApiError::not_found(
            "this node takes no word on rests from others: server.failover is not set here, or the nodes have a \
             control plane in common",
        ),
        Denied::Stranger => ApiError::new(
            StatusCode::FORBIDDEN,
            "permission",
            "words on rests are taken from the addresses of server.failover alone; name the node there by an address \
             that it calls from",
        ),
        Denied::Malformed => {
            ApiError::invalid("the body is no message of another node; send PeerHints in protobuf")
        }
    };
    // Before the body is read: strangers send us nothing.
    failover.admit(peer.address.ip()).map_err(denied)?;
    let body = read(body, MAX_HINTS).await?;
    failover.take(&body).map_err(denied)?;
    let mut answer = Response::new(Full::default());
    *answer.status_mut() = StatusCode::NO_CONTENT;
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_active_role_can_be_asked_for() {
        assert_eq!(wanted_role(""), Ok(false));
        assert_eq!(wanted_role("t=1"), Ok(false));
        assert_eq!(wanted_role("t=1&role=active"), Ok(true));
        assert!(wanted_role("role=passive").is_err());
        assert!(wanted_role("role").is_err());
    }
}

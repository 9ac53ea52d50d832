//! Asks another node for its health.

use super::others::Other;
use crate::upstream::Pool;
use bytes::Bytes;
use cliproxy_engine::role;
use http::{Request, StatusCode, uri::PathAndQuery};
use http_body_util::{BodyExt as _, Full, Limited};
use serde::Deserialize;
use std::time::Duration;

/// The most that an answer may hold.
const MOST: usize = 64 * 1024;

/// What a node says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Health {
    /// Its name; none from something that answers and is no node of ours.
    pub(super) node: Option<String>,
    /// Whether it serves, waits or leaves, as roles go by it.
    pub(super) said: role::Other,
    /// Whether it names a role. Who has none serves whoever comes.
    pub(super) has_role: bool,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Body {
    node: Option<String>,
    role: String,
    draining: bool,
}

/// Asks `other`; says what is wrong when it does not answer `within` the time, or not with 200.
pub(super) async fn check(pool: &Pool, other: &Other, within: Duration) -> Result<Health, String> {
    match tokio::time::timeout(within, ask(pool, other)).await {
        Ok(answer) => answer,
        Err(_) => Err(format!("no answer within {within:?}")),
    }
}

async fn ask(pool: &Pool, other: &Other) -> Result<Health, String> {
    let uri = other.uri(PathAndQuery::from_static("/health")).map_err(|error| error.to_string())?;
    let request = Request::get(uri).body(Full::<Bytes>::default()).map_err(|error| error.to_string())?;
    let (answer, place) = pool.send(request).await.map_err(|error| error.between("the node"))?;
    let status = answer.status();
    if status != StatusCode::OK {
        return Err(format!("it answered {status}"));
    }
    let body = Limited::new(answer.into_body(), MOST).collect().await;
    drop(place);
    let body = body.map_err(|error| format!("its answer broke off: {error}"))?.to_bytes();
    Ok(read(&body))
}

/// Reads what a node says of itself. One without a role, and something else that answers 200, as a load balancer before
/// it, is taken to be well and to wait: it will not step back for anyone.
fn read(body: &[u8]) -> Health {
    let Body { node, role, draining } = serde_json::from_slice(body).unwrap_or_default();
    let said = match (draining, role.as_str()) {
        (true, _) => role::Other::Leaving,
        (false, "active") => role::Other::Serves,
        (false, _) => role::Other::Waits,
    };
    Health { node, said, has_role: !role.is_empty() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_says_whether_it_serves_waits_or_leaves() {
        let said = |body: &str| read(body.as_bytes()).said;
        assert_eq!(
            said(r#"{"status":"ok","node":"a","role":"active","draining":false}"#),
            role::Other::Serves
        );
        assert_eq!(said(r#"{"status":"ok","node":"a","role":"passive"}"#), role::Other::Waits);
        assert!(read(br#"{"node":"a","role":"passive"}"#).has_role);
        assert!(!read(br#"{"node":"a","draining":false}"#).has_role);
        assert_eq!(said(r#"{"node":"a","role":"active","draining":true}"#), role::Other::Leaving);
        for other in ["OK", "", "[]", r#"{"status":"up"}"#, r#"{"role":7}"#] {
            assert_eq!(
                read(other.as_bytes()),
                Health { node: None, said: role::Other::Waits, has_role: false },
                "{other}"
            );
        }
    }
}

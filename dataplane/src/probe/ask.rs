//! One probe: a request whose answer shows whether a provider is well.

use crate::upstream::Upstream;
use cliproxy_domain::CredentialName;
use cliproxy_host::Clock;
use http_body_util::{BodyExt as _, Limited};
use std::time::Duration;

/// What a probe found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// Whether it counts as healthy.
    pub(super) healthy: bool,
    /// The status; 0 when there was none.
    pub(super) http_status: u16,
    /// The failure in the words of the metrics; empty when it is healthy.
    pub(super) error_type: &'static str,
    /// How long the head of the answer took.
    pub(super) took: Duration,
}

/// Keys that are tried at most when one after the other is refused.
const MOST_KEYS: usize = 4;
/// How much of an answer is read, and for how long at most, so that its connection can be used again. What is longer
/// closes it.
const MOST_READ: usize = 256 * 1024;
const LONGEST_READ: Duration = Duration::from_secs(2);

/// Asks a provider within `timeout`. The first of `credentials` goes along; where its key is refused, the next does:
/// a key that is wrong says nothing of a provider that takes another.
pub(super) async fn ask(
    upstream: &Upstream,
    credentials: &[CredentialName],
    timeout: Duration,
    clock: &dyn Clock,
) -> Found {
    let started = clock.now();
    let took = || clock.now().saturating_duration_since(started);
    let mut refused = None;
    let asking = async {
        for credential in credentials.iter().take(MOST_KEYS) {
            let status = send(upstream, credential).await?;
            let found = read(status, took());
            if found.healthy || !upstream.probe_takes_key() || !is_refusal(status) {
                return Ok(found);
            }
            refused = Some(found);
        }
        Err("no_credential")
    };
    let asked = tokio::time::timeout(timeout, asking).await;
    match (asked, refused) {
        (Ok(Ok(found)), _) => found,
        (_, Some(refused)) => refused,
        (Ok(Err(error_type)), None) => Found::failed(error_type, took()),
        (Err(_), None) => Found::failed("timeout", took()),
    }
}

/// Sends one request; gives the status of its answer, or the failure in the words of the metrics.
async fn send(upstream: &Upstream, credential: &CredentialName) -> Result<u16, &'static str> {
    let sent = upstream.probe_pool().send(upstream.probe(credential)).await;
    let (response, place) = sent.map_err(|error| error.describe().failure.error_type())?;
    let status = response.status().as_u16();
    // The status is the finding; nobody waits for what comes after it.
    tokio::spawn(async move {
        let rest = Limited::new(response.into_body(), MOST_READ).collect();
        let _ = tokio::time::timeout(LONGEST_READ, rest).await;
        drop(place);
    });
    Ok(status)
}

fn read(status: u16, took: Duration) -> Found {
    let healthy = cliproxy_engine::probes::is_healthy(Some(status));
    let error_type = match status {
        _ if healthy => "",
        401 => "credential_rejected",
        403 => "permission",
        503 | 529 => "overloaded",
        504 => "timeout",
        _ => "upstream_error",
    };
    Found { healthy, http_status: status, error_type, took }
}

fn is_refusal(status: u16) -> bool {
    matches!(status, 401 | 403)
}

impl Found {
    /// Says that no answer came.
    pub(super) fn failed(error_type: &'static str, took: Duration) -> Self {
        Self { healthy: false, http_status: 0, error_type, took }
    }
}

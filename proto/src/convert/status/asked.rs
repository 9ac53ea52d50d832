//! What is asked of a provider.

use crate::v1;
use cliproxy_domain::operate::{OrderError, Wait, Wanted};
use std::time::Duration;

/// Reads which provider should rest, and how.
///
/// # Errors
/// [`OrderError`] when `wait` is none of its words.
pub fn force_from_wire(wire: v1::ForceCooldownRequest) -> Result<(String, Wanted), OrderError> {
    let key = wire.key.unwrap_or_default();
    let wanted = Wanted {
        duration: wire.duration_ms.map(Duration::from_millis),
        reason: Some(wire.reason),
        credential: key.credential,
        model: key.model,
        request_id: wire.request_id,
        dry_run: wire.dry_run,
        wait: wait(&wire.wait)?,
        timeout: wire.timeout_ms.map(Duration::from_millis),
    };
    Ok((key.provider, wanted))
}

/// Reads which provider should rest no longer.
///
/// # Errors
/// [`OrderError`] when `wait` is none of its words.
pub fn recover_from_wire(wire: v1::RecoverRequest) -> Result<(String, Wanted), OrderError> {
    let key = wire.key.unwrap_or_default();
    let wanted = Wanted {
        duration: None,
        reason: Some(wire.reason),
        credential: key.credential,
        model: key.model,
        request_id: wire.request_id,
        dry_run: wire.dry_run,
        wait: wait(&wire.wait)?,
        timeout: wire.timeout_ms.map(Duration::from_millis),
    };
    Ok((key.provider, wanted))
}

fn wait(word: &str) -> Result<Wait, OrderError> {
    if word.is_empty() { Ok(Wait::default()) } else { Wait::read(word) }
}

//! What is asked.

use crate::v1;
use cliproxy_domain::{
    AuditQuery, Incarnation, WallTime,
    operate::{KeyWanted, Lifetime, OrderError, Question, ReleaseAsked, Wait, Wanted},
};
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

/// Reads what is asked of a request that might come, as the parameters of REST are read.
///
/// # Errors
/// [`OrderError`] when the model has no name, and when a word is none of those there are.
pub fn question_from_wire(wire: v1::ExplainRouteRequest) -> Result<Question, OrderError> {
    let mut parameters = vec![("model".to_owned(), wire.model)];
    for (name, word) in [("api", wire.api), ("operation", wire.operation)] {
        if !word.is_empty() {
            parameters.push((name.to_owned(), word));
        }
    }
    parameters.extend(wire.session.map(|session| ("session".to_owned(), session)));
    parameters.extend(wire.client.map(|client| ("client".to_owned(), client)));
    Ok(Question { stream: wire.stream, ..Question::read(&parameters)? })
}

/// Reads which entries of the audit log are asked for.
pub fn audit_query_from_wire(wire: v1::ListAuditRequest) -> AuditQuery {
    AuditQuery {
        provider: wire.provider.map(Into::into),
        action: wire.action,
        before: wire.before_ms.map(WallTime),
        limit: wire.limit.unwrap_or(AuditQuery::default().limit),
    }
}

/// Reads for which client a key should be made, and how.
///
/// # Errors
/// [`OrderError`] when `wait` is none of its words.
pub fn create_key_from_wire(wire: v1::CreateClientKeyRequest) -> Result<(String, KeyWanted), OrderError> {
    let wanted = KeyWanted {
        expires_in: lifetime(wire.expires_in_ms),
        overlap: None,
        reason: Some(wire.reason),
        request_id: wire.request_id,
        wait: said(&wire.wait)?,
        timeout: wire.timeout_ms.map(Duration::from_millis),
    };
    Ok((wire.client, wanted))
}

/// Reads which key of which client should be replaced, and how.
///
/// # Errors
/// [`OrderError`] when `wait` is none of its words.
pub fn rotate_key_from_wire(
    wire: v1::RotateClientKeyRequest,
) -> Result<(String, String, KeyWanted), OrderError> {
    let wanted = KeyWanted {
        expires_in: lifetime(wire.expires_in_ms),
        overlap: wire.overlap_ms.map(Duration::from_millis),
        reason: Some(wire.reason),
        request_id: wire.request_id,
        wait: said(&wire.wait)?,
        timeout: wire.timeout_ms.map(Duration::from_millis),
    };
    Ok((wire.client, wire.id, wanted))
}

/// Reads which key of which client should be refused.
///
/// # Errors
/// [`OrderError`] when `wait` is none of its words.
pub fn revoke_key_from_wire(
    wire: v1::RevokeClientKeyRequest,
) -> Result<(String, String, KeyWanted), OrderError> {
    let wanted = KeyWanted {
        reason: Some(wire.reason),
        request_id: wire.request_id,
        wait: said(&wire.wait)?,
        timeout: wire.timeout_ms.map(Duration::from_millis),
        ..KeyWanted::default()
    };
    Ok((wire.client, wire.id, wanted))
}

/// Reads what is taken back of a budget.
///
/// # Errors
/// [`OrderError`] when nothing is named, or the reason is too long.
pub fn release_from_wire(wire: v1::ReleaseQuotaRequest) -> Result<ReleaseAsked, OrderError> {
    let v1::ReleaseQuotaRequest { subject, unit, node, incarnation, reason } = wire;
    ReleaseAsked { subject, unit, node, incarnation: incarnation.map(Incarnation), reason }.checked()
}

fn said(word: &str) -> Result<Option<Wait>, OrderError> {
    if word.is_empty() { Ok(None) } else { Wait::read(word).map(Some) }
}

fn lifetime(ms: Option<u64>) -> Lifetime {
    match ms {
        None => Lifetime::Usual,
        Some(0) => Lifetime::Unending,
        Some(ms) => Lifetime::Of(Duration::from_millis(ms)),
    }
}

//! The ledger's batches and the urgent events.

use super::{ConvertError, http_status, millis, required};
use crate::v1;
use cliproxy_domain::{
    AttemptCounts, Batch, ClientName, CooldownKey, CredentialName, Incarnation, LedgerKey, LedgerRow,
    ModelName, NodeId, PriceVersion, ProbeReport, ProviderName, Seq, TokenUsage, UrgentEvent, UrgentKind,
    UsageKey, WallTime,
};
use std::time::Duration;

/// Turns a batch into its message. The incarnation is not in it: the stream's hello said it.
pub fn batch_to_wire(batch: &Batch) -> v1::Batch {
    v1::Batch {
        seq: batch.seq.0,
        window_start_ms: batch.window_start.0,
        window_ms: u32::try_from(batch.window.as_millis()).unwrap_or(u32::MAX),
        rows: batch.rows.iter().map(row_to_wire).collect(),
    }
}

/// Reads a batch of the incarnation that said hello on this stream.
///
/// # Errors
///
/// Fails on a sequence number of 0, and on rows without a name, out of order or with a key that comes twice.
pub fn batch_from_wire(wire: &v1::Batch, incarnation: Incarnation) -> Result<Batch, ConvertError> {
    if wire.seq == 0 {
        return Err(ConvertError::OutOfRange { field: "Batch.seq", value: 0, expected: "at least 1" });
    }
    let rows = wire.rows.iter().map(row_from_wire).collect::<Result<Vec<_>, _>>()?;
    if let Some(pair) = rows.windows(2).find(|pair| pair[0].key >= pair[1].key) {
        let key = &pair[1].key;
        return Err(ConvertError::Unsorted { field: "Batch.rows", value: shown(key) });
    }
    Ok(Batch {
        incarnation,
        seq: Seq(wire.seq),
        window_start: WallTime(wire.window_start_ms),
        window: Duration::from_millis(wire.window_ms.into()),
        rows,
    })
}

/// Shows a key as `claude/main/m`, with client and price where it has them.
fn shown(key: &UsageKey) -> String {
    let mut shown = format!("{}/{}/{}", key.provider, key.credential, key.model);
    if let Some(client) = &key.client {
        shown.push_str(&format!(" for {client}"));
    }
    if let Some(price) = &key.price {
        shown.push_str(&format!(" at {price}"));
    }
    shown
}

pub(super) fn row_to_wire(row: &LedgerRow) -> v1::Row {
    let LedgerRow { key, attempts, tokens, cost_nanos } = row;
    v1::Row {
        provider: key.provider.to_string(),
        credential: key.credential.to_string(),
        model: key.model.to_string(),
        ok: attempts.ok,
        err_4xx: attempts.err_4xx,
        rate_limited: attempts.rate_limited,
        err_5xx: attempts.err_5xx,
        timeout: attempts.timeout,
        connect_err: attempts.connect,
        cancelled: attempts.cancelled,
        retried: attempts.retried,
        latency_us: attempts.latency_us,
        streams: attempts.streams,
        stream_us: attempts.stream_us,
        first_event_us: attempts.first_event_us,
        tok_in: tokens.input,
        tok_out: tokens.output,
        tok_cache_read: tokens.cache_read,
        tok_cache_write: tokens.cache_write,
        tok_reasoning: tokens.reasoning,
        tok_estimated: tokens.estimated,
        client: key.client.as_ref().map(ToString::to_string).unwrap_or_default(),
        price_version: key.price.as_ref().map(ToString::to_string).unwrap_or_default(),
        cost_nanos: *cost_nanos,
    }
}

pub(super) fn row_from_wire(wire: &v1::Row) -> Result<LedgerRow, ConvertError> {
    Ok(LedgerRow {
        key: UsageKey {
            provider: ProviderName::from(required("Row.provider", &wire.provider)?),
            credential: CredentialName::from(required("Row.credential", &wire.credential)?),
            model: ModelName::from(required("Row.model", &wire.model)?),
            client: said(&wire.client).map(ClientName::from),
            price: said(&wire.price_version).map(PriceVersion::from),
        },
        attempts: AttemptCounts {
            ok: wire.ok,
            err_4xx: wire.err_4xx,
            rate_limited: wire.rate_limited,
            err_5xx: wire.err_5xx,
            timeout: wire.timeout,
            connect: wire.connect_err,
            cancelled: wire.cancelled,
            retried: wire.retried,
            latency_us: wire.latency_us,
            streams: wire.streams,
            stream_us: wire.stream_us,
            first_event_us: wire.first_event_us,
        },
        tokens: TokenUsage {
            input: wire.tok_in,
            output: wire.tok_out,
            cache_read: wire.tok_cache_read,
            cache_write: wire.tok_cache_write,
            reasoning: wire.tok_reasoning,
            estimated: wire.tok_estimated,
        },
        cost_nanos: wire.cost_nanos,
    })
}

/// Gives a name that may be left out.
fn said(name: &str) -> Option<&str> {
    (!name.is_empty()).then_some(name)
}

/// Turns an urgent event into its message.
pub fn event_to_wire(event: &UrgentEvent) -> v1::UrgentEvent {
    let kind = match event.kind {
        UrgentKind::RateLimited => v1::UrgentKind::RateLimited,
        UrgentKind::QuotaExhausted => v1::UrgentKind::QuotaExhausted,
        UrgentKind::CredentialRejected => v1::UrgentKind::CredentialRejected,
        UrgentKind::Failed => v1::UrgentKind::Failed,
        UrgentKind::Recovered => v1::UrgentKind::Recovered,
        UrgentKind::PermitWanted => v1::UrgentKind::PermitWanted,
    };
    v1::UrgentEvent {
        event_id: event.id.clone(),
        node_id: event.node.to_string(),
        kind: kind.into(),
        provider: event.subject.provider.to_string(),
        credential: event.subject.credential.to_string(),
        model: event.subject.model.to_string(),
        about_model: event.about_model,
        http_status: event.http_status.into(),
        error_type: event.error_type.clone(),
        hint_ms: event.hint.map(millis),
        seen_epoch: event.seen_epoch,
        age_ms: millis(event.age),
        rest: event
            .rest
            .as_ref()
            .map(|(key, round)| v1::RestName { scope: key.scope.as_str().to_owned(), round: *round }),
    }
}

/// Reads an urgent event.
///
/// # Errors
///
/// Fails on an unknown kind, on an empty id, node, provider, credential or model, on a rest of unknown scope, and on
/// a status above 65535.
pub fn event_from_wire(wire: &v1::UrgentEvent) -> Result<UrgentEvent, ConvertError> {
    let kind = match wire.kind() {
        v1::UrgentKind::RateLimited => UrgentKind::RateLimited,
        v1::UrgentKind::QuotaExhausted => UrgentKind::QuotaExhausted,
        v1::UrgentKind::CredentialRejected => UrgentKind::CredentialRejected,
        v1::UrgentKind::Failed => UrgentKind::Failed,
        v1::UrgentKind::Recovered => UrgentKind::Recovered,
        v1::UrgentKind::PermitWanted => UrgentKind::PermitWanted,
        v1::UrgentKind::Unspecified => {
            return Err(ConvertError::OutOfRange {
                field: "UrgentEvent.kind",
                value: wire.kind.into(),
                expected: "1 to 6",
            });
        }
    };
    let subject = LedgerKey {
        provider: ProviderName::from(required("UrgentEvent.provider", &wire.provider)?),
        credential: CredentialName::from(required("UrgentEvent.credential", &wire.credential)?),
        model: ModelName::from(required("UrgentEvent.model", &wire.model)?),
    };
    let rest =
        wire.rest.as_ref().map(|rest| Ok((rest_key(&subject, &rest.scope)?, rest.round))).transpose()?;
    Ok(UrgentEvent {
        id: required("UrgentEvent.event_id", &wire.event_id)?.to_owned(),
        node: NodeId::from(required("UrgentEvent.node_id", &wire.node_id)?),
        kind,
        subject,
        about_model: wire.about_model,
        rest,
        http_status: http_status("UrgentEvent.http_status", wire.http_status)?,
        error_type: wire.error_type.clone(),
        hint: wire.hint_ms.map(Duration::from_millis),
        seen_epoch: wire.seen_epoch,
        age: Duration::from_millis(wire.age_ms),
    })
}

/// Names the rest of `scope` that a call of `subject` met.
fn rest_key(subject: &LedgerKey, scope: &str) -> Result<CooldownKey, ConvertError> {
    let LedgerKey { provider, credential, model } = subject.clone();
    match scope {
        "provider" => Ok(CooldownKey::provider(provider)),
        "credential" => Ok(CooldownKey::credential(provider, credential)),
        "model" => Ok(CooldownKey::model(provider, credential, model)),
        other => Err(ConvertError::UnknownWord {
            field: "RestName.scope",
            value: other.to_owned(),
            expected: "provider, credential, model".to_owned(),
        }),
    }
}

/// Turns a probe's result into its message.
pub fn probe_to_wire(report: &ProbeReport) -> v1::ProbeReport {
    v1::ProbeReport {
        provider: report.provider.to_string(),
        healthy: report.healthy,
        http_status: report.http_status.into(),
        error_type: report.error_type.clone(),
        took_ms: millis(report.took),
        age_ms: millis(report.age),
    }
}

/// Reads the result of a probe that `node` sent.
///
/// # Errors
///
/// Fails when no provider is named, and on a status above 65535.
pub fn probe_from_wire(wire: &v1::ProbeReport, node: NodeId) -> Result<ProbeReport, ConvertError> {
    Ok(ProbeReport {
        node,
        provider: ProviderName::from(required("ProbeReport.provider", &wire.provider)?),
        healthy: wire.healthy,
        http_status: http_status("ProbeReport.http_status", wire.http_status)?,
        error_type: wire.error_type.clone(),
        took: Duration::from_millis(wire.took_ms),
        age: Duration::from_millis(wire.age_ms),
    })
}

#[cfg(test)]
mod tests;

//! The ledger's batches and the urgent events.

use super::{ConvertError, millis, required};
use crate::v1;
use cliproxy_domain::{
    AttemptCounts, Batch, CooldownKey, CredentialName, Incarnation, LedgerKey, LedgerRow, ModelName, NodeId,
    ProviderName, Seq, TokenUsage, UrgentEvent, UrgentKind, WallTime,
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
        return Err(ConvertError::Unsorted {
            field: "Batch.rows",
            value: format!("{}/{}/{}", key.provider, key.credential, key.model),
        });
    }
    Ok(Batch {
        incarnation,
        seq: Seq(wire.seq),
        window_start: WallTime(wire.window_start_ms),
        window: Duration::from_millis(wire.window_ms.into()),
        rows,
    })
}

fn row_to_wire(row: &LedgerRow) -> v1::Row {
    let LedgerRow { key, attempts, tokens } = row;
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
        tok_in: tokens.input,
        tok_out: tokens.output,
        tok_cache_read: tokens.cache_read,
        tok_cache_write: tokens.cache_write,
        tok_reasoning: tokens.reasoning,
        tok_estimated: tokens.estimated,
    }
}

fn row_from_wire(wire: &v1::Row) -> Result<LedgerRow, ConvertError> {
    Ok(LedgerRow {
        key: LedgerKey {
            provider: ProviderName::from(required("Row.provider", &wire.provider)?),
            credential: CredentialName::from(required("Row.credential", &wire.credential)?),
            model: ModelName::from(required("Row.model", &wire.model)?),
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
        },
        tokens: TokenUsage {
            input: wire.tok_in,
            output: wire.tok_out,
            cache_read: wire.tok_cache_read,
            cache_write: wire.tok_cache_write,
            reasoning: wire.tok_reasoning,
            estimated: wire.tok_estimated,
        },
    })
}

/// Turns an urgent event into its message.
pub fn event_to_wire(event: &UrgentEvent) -> v1::UrgentEvent {
    let kind = match event.kind {
        UrgentKind::RateLimited => v1::UrgentKind::RateLimited,
        UrgentKind::QuotaExhausted => v1::UrgentKind::QuotaExhausted,
        UrgentKind::CredentialRejected => v1::UrgentKind::CredentialRejected,
    };
    v1::UrgentEvent {
        event_id: event.id.clone(),
        node_id: event.node.to_string(),
        kind: kind.into(),
        provider: event.key.provider.to_string(),
        credential: event.key.credential.to_string(),
        http_status: event.http_status.into(),
        rest_ms: millis(event.rest),
        seen_epoch: event.seen_epoch,
    }
}

/// Reads an urgent event.
///
/// # Errors
///
/// Fails on an empty name or id, an unknown kind and a status above 65535.
pub fn event_from_wire(wire: &v1::UrgentEvent) -> Result<UrgentEvent, ConvertError> {
    let kind = match wire.kind() {
        v1::UrgentKind::RateLimited => UrgentKind::RateLimited,
        v1::UrgentKind::QuotaExhausted => UrgentKind::QuotaExhausted,
        v1::UrgentKind::CredentialRejected => UrgentKind::CredentialRejected,
        v1::UrgentKind::Unspecified => {
            return Err(ConvertError::OutOfRange {
                field: "UrgentEvent.kind",
                value: wire.kind.into(),
                expected: "a kind from 1 to 3",
            });
        }
    };
    let http_status = u16::try_from(wire.http_status).map_err(|_| ConvertError::OutOfRange {
        field: "UrgentEvent.http_status",
        value: wire.http_status.into(),
        expected: "at most 65535",
    })?;
    Ok(UrgentEvent {
        id: required("UrgentEvent.event_id", &wire.event_id)?.to_owned(),
        node: NodeId::from(required("UrgentEvent.node_id", &wire.node_id)?),
        kind,
        key: CooldownKey {
            provider: ProviderName::from(required("UrgentEvent.provider", &wire.provider)?),
            credential: CredentialName::from(required("UrgentEvent.credential", &wire.credential)?),
        },
        http_status,
        rest: Duration::from_millis(wire.rest_ms),
        seen_epoch: wire.seen_epoch,
    })
}

#[cfg(test)]
mod tests;

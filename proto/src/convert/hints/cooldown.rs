//! Cooldowns, field by field.

use super::super::{
    ConvertError, http_status, millis, required,
    word::{self, Word},
};
use crate::v1;
use cliproxy_domain::{
    Cooldown, CooldownKey, CredentialName, Evidence, ModelName, NodeId, Permit, ProviderName, Scope, WallTime,
};
use std::time::Duration;

pub(super) fn to_wire(cooldown: &Cooldown, now: WallTime) -> v1::Cooldown {
    let Cooldown { key, evidence, .. } = cooldown;
    v1::Cooldown {
        provider: key.provider.to_string(),
        credential: key.scope.credential().map(ToString::to_string),
        model: key.scope.model().map(ToString::to_string),
        epoch: cooldown.epoch,
        round: cooldown.round,
        remaining_ms: millis(cooldown.until.since(now)),
        ended_ms_ago: millis(now.since(cooldown.until)),
        cleared: cooldown.cleared,
        cause: cooldown.cause.word().to_owned(),
        source_node: cooldown.source.to_string(),
        started_at_ms: cooldown.started_at.0,
        permit_number: cooldown.permit.number,
        permit_node: cooldown.permit.node.as_ref().map(ToString::to_string),
        streak: cooldown.streak,
        evidence: Some(v1::Evidence {
            http_status: evidence.http_status.into(),
            error_type: evidence.error_type.clone(),
            hint_ms: evidence.hint.map(millis),
            clamped: evidence.clamped,
            errors: evidence.errors,
            window_ms: millis(evidence.window),
            by: evidence.by.clone(),
            note: evidence.note.clone(),
        }),
    }
}

pub(super) fn from_wire(wire: v1::Cooldown, now: WallTime) -> Result<Cooldown, ConvertError> {
    let provider = ProviderName::from(required("Cooldown.provider", &wire.provider)?);
    let scope = match (wire.credential, wire.model) {
        (None, None) => Scope::Provider,
        (Some(credential), None) => Scope::Credential(CredentialName::from(credential)),
        (Some(credential), Some(model)) => {
            Scope::Model { credential: CredentialName::from(credential), model: ModelName::from(model) }
        }
        (None, Some(_)) => return Err(ConvertError::Missing { field: "Cooldown.credential" }),
    };
    let until = now.plus(Duration::from_millis(wire.remaining_ms));
    let evidence = wire.evidence.unwrap_or_default();
    Ok(Cooldown {
        key: CooldownKey { provider, scope },
        epoch: wire.epoch,
        round: wire.round,
        started_at: WallTime(wire.started_at_ms),
        until: until.minus(Duration::from_millis(wire.ended_ms_ago)),
        cleared: wire.cleared,
        cause: word::read("Cooldown.cause", &wire.cause)?,
        source: NodeId::from(wire.source_node),
        permit: Permit { number: wire.permit_number, node: wire.permit_node.map(NodeId::from) },
        streak: wire.streak,
        evidence: Evidence {
            http_status: http_status("Evidence.http_status", evidence.http_status)?,
            error_type: evidence.error_type,
            hint: evidence.hint_ms.map(Duration::from_millis),
            clamped: evidence.clamped,
            errors: evidence.errors,
            window: Duration::from_millis(evidence.window_ms),
            by: evidence.by,
            note: evidence.note,
        },
    })
}

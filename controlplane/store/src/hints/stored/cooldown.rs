//! The body of a cooldown. The last version wrote of it: provider, credential, epoch, started, until, cause, source.

use super::millis;
use crate::StoreError;
use cliproxy_domain::{
    Cooldown, CooldownCause, CooldownKey, CredentialName, Evidence, ModelName, NodeId, Permit, ProviderName,
    Scope, WallTime,
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

#[derive(Serialize, Deserialize)]
pub(super) struct Body {
    provider: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    credential: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    epoch: u64,
    #[serde(default)]
    round: u32,
    started_ms: i64,
    until_ms: i64,
    #[serde(default)]
    cleared: bool,
    cause: CooldownCause,
    source_node: String,
    #[serde(default)]
    permit_number: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    permit_node: Option<String>,
    #[serde(default = "first")]
    streak: u32,
    #[serde(default)]
    evidence: EvidenceBody,
}

/// Rests were not counted before: each was the first.
fn first() -> u32 {
    1
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct EvidenceBody {
    http_status: u16,
    error_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint_ms: Option<u64>,
    clamped: bool,
    errors: u32,
    window_ms: u64,
    by: String,
    note: String,
}

impl Body {
    pub(super) fn of(rest: &Cooldown) -> Self {
        Self {
            provider: rest.key.provider.to_string(),
            credential: rest.key.scope.credential().map(ToString::to_string),
            model: rest.key.scope.model().map(ToString::to_string),
            epoch: rest.epoch,
            round: rest.round,
            started_ms: rest.started_at.0,
            until_ms: rest.until.0,
            cleared: rest.cleared,
            cause: rest.cause,
            source_node: rest.source.to_string(),
            permit_number: rest.permit.number,
            permit_node: rest.permit.node.as_ref().map(ToString::to_string),
            streak: rest.streak,
            evidence: EvidenceBody::of(&rest.evidence),
        }
    }

    pub(super) fn into_cooldown(self) -> Result<Cooldown, StoreError> {
        let scope = match (self.credential, self.model) {
            (None, None) => Scope::Provider,
            (Some(credential), None) => Scope::Credential(CredentialName::from(credential)),
            (Some(credential), Some(model)) => {
                Scope::Model { credential: CredentialName::from(credential), model: ModelName::from(model) }
            }
            (None, Some(model)) => {
                let what = format!("a cooldown of the model `{model}` names no credential");
                return Err(StoreError::Corrupt(what));
            }
        };
        Ok(Cooldown {
            key: CooldownKey { provider: ProviderName::from(self.provider), scope },
            epoch: self.epoch,
            round: self.round,
            started_at: WallTime(self.started_ms),
            until: WallTime(self.until_ms),
            cleared: self.cleared,
            cause: self.cause,
            source: NodeId::from(self.source_node),
            permit: Permit { number: self.permit_number, node: self.permit_node.map(NodeId::from) },
            streak: self.streak,
            evidence: self.evidence.into_evidence(),
        })
    }
}

impl EvidenceBody {
    fn of(evidence: &Evidence) -> Self {
        Self {
            http_status: evidence.http_status,
            error_type: evidence.error_type.clone(),
            hint_ms: evidence.hint.map(millis),
            clamped: evidence.clamped,
            errors: evidence.errors,
            window_ms: millis(evidence.window),
            by: evidence.by.clone(),
            note: evidence.note.clone(),
        }
    }

    fn into_evidence(self) -> Evidence {
        Evidence {
            http_status: self.http_status,
            error_type: self.error_type,
            hint: self.hint_ms.map(Duration::from_millis),
            clamped: self.clamped,
            errors: self.errors,
            window: Duration::from_millis(self.window_ms),
            by: self.by,
            note: self.note,
        }
    }
}

//! Entries of the audit log, as the control plane writes them itself.

use cliproxy_domain::{AuditEntry, Cooldown, ProviderName, WallTime, audit::SYSTEM, status::RestStatus};
use cliproxy_engine::{cooldown::stage, status::stage_name};
use cliproxy_host::{Clock, Entropy};
use std::sync::Arc;

/// Makes ids. Clones share the sequence.
#[derive(Clone)]
pub(crate) struct Ids {
    clock: Arc<dyn Clock>,
    entropy: Entropy,
}

impl Ids {
    pub(crate) fn new(clock: Arc<dyn Clock>, entropy: Entropy) -> Self {
        Self { clock, entropy }
    }

    /// Gives a UUID v7 of now.
    pub(crate) fn next(&self) -> String {
        let mut random = [0; 10];
        random[..8].copy_from_slice(&self.entropy.next_u64().to_be_bytes());
        random[8..].copy_from_slice(&self.entropy.next_u64().to_be_bytes()[..2]);
        let ms = u64::try_from(self.clock.wall().0).unwrap_or(0);
        uuid::Builder::from_unix_timestamp_millis(ms, &random).into_uuid().to_string()
    }

    /// Begins an entry of the control plane's own about a provider.
    pub(crate) fn entry(
        &self,
        action: &str,
        provider: &ProviderName,
        reason: impl Into<String>,
    ) -> AuditEntry {
        AuditEntry {
            id: self.next(),
            at: self.clock.wall(),
            actor: SYSTEM.to_owned(),
            from: String::new(),
            action: action.to_owned(),
            provider: Some(provider.clone()),
            subject: provider.to_string(),
            reason: reason.into(),
            before: String::new(),
            after: String::new(),
        }
    }

    /// Writes that a word on a rest was replaced by another. Both are shown as they are at `now`.
    pub(crate) fn of_rest(
        &self,
        action: &str,
        before: Option<&Cooldown>,
        after: &Cooldown,
        reason: impl Into<String>,
    ) -> AuditEntry {
        let entry = self.entry(action, &after.key.provider, reason);
        let now = entry.at;
        AuditEntry {
            from: after.source.to_string(),
            subject: after.key.to_string(),
            before: before.map(|rest| rest_as_json(rest, now)).unwrap_or_default(),
            after: rest_as_json(after, now),
            ..entry
        }
    }
}

/// Shows a rest as operations show it.
pub(crate) fn rest_as_json(rest: &Cooldown, now: WallTime) -> String {
    // Its keys are texts, so that this does not fail.
    serde_json::to_string(&RestStatus::of(rest, stage_name(&stage(rest, now)), now)).unwrap_or_default()
}

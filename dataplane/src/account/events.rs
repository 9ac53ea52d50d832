//! What the control plane must learn at once: a failure as it was seen, a rest that is over, a permit that is wanted.

use super::{Accounts, subject};
use crate::attempt::Attempted;
use cliproxy_domain::{AttemptError, Cooldown, LedgerKey, UrgentEvent, UrgentKind};
use cliproxy_engine::cooldown::{Report, blame};
use std::time::Duration;

impl Accounts {
    /// Lets rest what a failure speaks against, here at once, and tells the control plane what was seen. Tells whether
    /// the rest goes on that the attempt was to find out about.
    pub(super) fn report(&self, attempted: &Attempted, error: &AttemptError) -> bool {
        let Some(blame) = blame(error.failure, attempted.translated) else { return false };
        let report = Report {
            blame,
            subject: subject(attempted),
            about_model: error.about_model,
            hint: error.failure.retry_after(),
            http_status: error.status.unwrap_or(0),
            error_type: error.failure.error_type().to_owned(),
            seen_epoch: attempted.seen_epoch,
            node: self.node.clone(),
            at: self.clock.wall(),
        };
        let probed = attempted.probes.as_ref().map(|(key, _)| key);
        let rests = self.live.failed(&report, probed);
        let goes_on = probed.is_some_and(|key| rests.iter().any(|rest| rest.key == *key));
        self.tell(UrgentEvent {
            id: self.event_id(),
            node: report.node,
            kind: blame.kind(),
            subject: report.subject,
            about_model: report.about_model,
            rest: attempted.probes.clone(),
            http_status: report.http_status,
            error_type: report.error_type,
            hint: report.hint,
            seen_epoch: report.seen_epoch,
            age: Duration::ZERO,
        });
        goes_on
    }

    /// Makes an event about a rest that a request found past its end.
    pub(super) fn about_rest(&self, kind: UrgentKind, rest: &Cooldown, subject: LedgerKey) -> UrgentEvent {
        UrgentEvent {
            id: self.event_id(),
            node: self.node.clone(),
            kind,
            subject,
            about_model: false,
            rest: Some((rest.key.clone(), rest.round)),
            http_status: 0,
            error_type: String::new(),
            hint: None,
            seen_epoch: rest.epoch,
            age: Duration::ZERO,
        }
    }

    /// Sends an event to the control plane. A full queue means that it is away: what follows holds here, and the
    /// ledger has the count.
    pub(super) fn tell(&self, event: UrgentEvent) {
        if self.urgent.try_send(event).is_err() {
            tracing::debug!("an urgent event was dropped as too many wait for the control plane");
        }
    }

    fn event_id(&self) -> String {
        let ms = u64::try_from(self.clock.wall().0).unwrap_or(0);
        let mut random = [0; 10];
        random[..8].copy_from_slice(&self.entropy.next_u64().to_be_bytes());
        random[8..].copy_from_slice(&self.entropy.next_u64().to_be_bytes()[..2]);
        uuid::Builder::from_unix_timestamp_millis(ms, &random).into_uuid().to_string()
    }
}

#[cfg(test)]
mod tests;

//! Entries of the audit log, as the control plane writes them itself.

use cliproxy_domain::{AuditEntry, Cooldown, ProviderName, WallTime, audit::SYSTEM, status::RestStatus};
use cliproxy_engine::{cooldown::stage, status::stage_name};
use cliproxy_host::{Clock, Entropy};
use parking_lot::Mutex;
use std::sync::Arc;

/// Makes ids. Clones share the sequence.
#[derive(Clone)]
pub(crate) struct Ids {
    clock: Arc<dyn Clock>,
    entropy: Entropy,
    /// The millisecond of the last id, and its place within it.
    last: Arc<Mutex<(u64, u16)>>,
}

/// The places within one millisecond: the 12 bits that RFC 9562 §6.2 has for a counter.
const PLACES: u16 = 1 << 12;

impl Ids {
    pub(crate) fn new(clock: Arc<dyn Clock>, entropy: Entropy) -> Self {
        Self { clock, entropy, last: Arc::default() }
    }

    /// Gives a UUID v7 of now. Each is greater than the one before, so that entries of one moment keep their order.
    pub(crate) fn next(&self) -> String {
        let now = u64::try_from(self.clock.wall().0).unwrap_or(0);
        let (ms, place) = {
            let mut last = self.last.lock();
            *last = match *last {
                (ms, _) if now > ms => (now, 0),
                (ms, place) if place + 1 < PLACES => (ms, place + 1),
                (ms, _) => (ms + 1, 0),
            };
            *last
        };
        let mut bytes = [0; 10];
        bytes[..2].copy_from_slice(&place.to_be_bytes());
        bytes[2..].copy_from_slice(&self.entropy.next_u64().to_be_bytes());
        uuid::Builder::from_unix_timestamp_millis(ms, &bytes).into_uuid().to_string()
    }

    /// Begins an entry of the control plane's own about a provider.
    pub(crate) fn entry(
        &self,
        action: &str,
        provider: &ProviderName,
        reason: impl Into<String>,
    ) -> AuditEntry {
        self.about(action, Some(provider.clone()), provider.to_string(), reason)
    }

    /// Begins an entry of the control plane's own about anything else.
    pub(crate) fn about(
        &self,
        action: &str,
        provider: Option<ProviderName>,
        subject: String,
        reason: impl Into<String>,
    ) -> AuditEntry {
        AuditEntry {
            id: self.next(),
            at: self.clock.wall(),
            actor: SYSTEM.to_owned(),
            from: String::new(),
            action: action.to_owned(),
            provider,
            subject,
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    struct Still;

    impl Clock for Still {
        fn now(&self) -> Instant {
            cliproxy_host::SystemClock.now()
        }

        fn wall(&self) -> WallTime {
            WallTime(1_771_541_430_000)
        }
    }

    #[test]
    fn ids_of_one_moment_keep_their_order() {
        let ids = Ids::new(Arc::new(Still), Entropy::seeded(7));
        let made: Vec<String> = (0..2 * usize::from(PLACES)).map(|_| ids.next()).collect();
        assert!(made.windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!(&made[0][14..15], "7", "{} is no UUID v7", made[0]);
    }
}

//! Clients' keys that expire soon.

use super::WARNING;
use crate::operations::keys::KnownKeys;
use cliproxy_domain::{
    ClientName, Snapshot, WallTime,
    status::{Alert, ClientKeyStatus, KeyState},
};
use std::time::Duration;

/// From when on before its end a key is told of.
const SOON: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// Keys at most that are told of, those that expire first.
const MOST_TOLD: usize = 100;

/// Tells of keys that are valid and expire within a week. Not of those that were made for no longer than that, and not of
/// those in whose place a newer one was made that outlasts them: their end is wanted.
pub(super) fn expiring(snapshot: &Snapshot, known: &KnownKeys, now: WallTime) -> Vec<Alert> {
    let mut ends: Vec<(WallTime, Alert)> = Vec::new();
    for (name, client) in &snapshot.clients {
        let keys = known.of(name, Some(client), now);
        let keys: Vec<_> = keys.iter().map(|key| key.status(now)).collect();
        ends.extend(keys.iter().filter_map(|key| {
            let end = end_of(key, now)?;
            let is_replaced = keys.iter().any(|other| replaces(other, key, end));
            (!is_replaced).then(|| (end, of_key(name, key, end, now)))
        }));
    }
    ends.sort_by_key(|(end, _)| *end);
    ends.into_iter().take(MOST_TOLD).map(|(_, alert)| alert).collect()
}

/// Gives when a key that is valid expires, where that is soon and was not from its beginning.
fn end_of(key: &ClientKeyStatus, now: WallTime) -> Option<WallTime> {
    let end = key.expires_at.filter(|end| key.state == KeyState::Active && end.since(now) <= SOON)?;
    let is_short = key.created_at.is_some_and(|created| end.since(created) <= SOON);
    (!is_short).then_some(end)
}

/// Tells whether `other` was made after `key`, and goes on after its `end`.
fn replaces(other: &ClientKeyStatus, key: &ClientKeyStatus, end: WallTime) -> bool {
    other.state == KeyState::Active
        && other.created_at > key.created_at
        && other.expires_at.is_none_or(|later| later > end)
}

fn of_key(client: &ClientName, key: &ClientKeyStatus, end: WallTime, now: WallTime) -> Alert {
    let (id, hours) = (&key.id, end.since(now).as_secs() / 3600);
    let message = format!(
        "key {id} of client {client} expires in {hours} h, at {end}, and is refused from then on; replace it by `cliproxy \
         ctl clients rotate-key {client} {id}`, or revoke it if nobody uses it"
    );
    Alert { name: "key_expiring", severity: WARNING, provider: None, since: None, budget: None, message }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cliproxy_domain::{Client, ClientKey, KeyHash, KeyRecord, Priority, RateLimits};

    const NOW: WallTime = WallTime(1_771_541_430_000);
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    /// The client `ci`, with a key of the configuration that expires then.
    fn ci(configured: Option<WallTime>) -> Snapshot {
        let key = ClientKey { hash: KeyHash([9; 32]), expires_at: configured };
        let ci = Client {
            name: "ci".into(),
            keys: vec![key],
            models: Vec::new(),
            providers: Vec::new(),
            tags: Default::default(),
            rate_limit: RateLimits::default(),
            budgets: Vec::new(),
            priority: Priority::Normal,
        };
        Snapshot { clients: [(ci.name.clone(), ci)].into(), ..Snapshot::default() }
    }

    /// A key that was made so long ago and lasts so much longer.
    fn made(number: u8, ago: Duration, lasts: Option<Duration>) -> KeyRecord {
        let hash = KeyHash([number; 32]);
        KeyRecord {
            revision: 1,
            id: hash.id(),
            client: "ci".into(),
            hash,
            created_at: Some(NOW.minus(ago)),
            expires_at: lasts.map(|lasts| NOW.plus(lasts)),
            revoked_at: None,
            said_by: "cp".into(),
        }
    }

    fn told(configured: Option<WallTime>, records: Vec<KeyRecord>) -> Vec<String> {
        let alerts = expiring(&ci(configured), &KnownKeys::new(records), NOW);
        alerts.into_iter().map(|alert| alert.message).collect()
    }

    #[test]
    fn a_key_is_told_of_in_the_week_before_it_expires() {
        let ends_in = |lasts| told(None, vec![made(1, 90 * DAY, Some(lasts))]);
        assert_eq!(ends_in(7 * DAY + Duration::from_millis(1)), [""; 0]);
        assert_eq!(
            ends_in(2 * DAY),
            [
                "key 010101010101 of client ci expires in 48 h, at 2026-02-21T22:50:30Z, and is refused from then on; \
              replace it by `cliproxy ctl clients rotate-key ci 010101010101`, or revoke it if nobody uses it"
            ]
        );
        assert_eq!(ends_in(Duration::ZERO), [""; 0], "it has expired");
        assert_eq!(told(Some(NOW.plus(DAY)), Vec::new()).len(), 1, "one of the configuration");
        assert_eq!(told(None, vec![made(1, 90 * DAY, None)]), [""; 0]);
    }

    #[test]
    fn a_key_that_was_made_for_a_week_or_was_replaced_or_revoked_alarms_nobody() {
        assert_eq!(told(None, vec![made(1, DAY, Some(6 * DAY))]), [""; 0], "made for a week");
        let old = made(1, 90 * DAY, Some(DAY));
        let revoked = KeyRecord { revoked_at: Some(NOW), ..old.clone() };
        assert_eq!(told(None, vec![revoked]), [""; 0]);
        assert_eq!(told(None, vec![old.clone(), made(2, DAY, None)]), [""; 0], "replaced");
        assert_eq!(told(None, vec![old.clone(), made(2, 100 * DAY, None)]).len(), 1, "by an older one");
        let both = told(None, vec![old, made(2, 30 * DAY, Some(DAY / 2))]);
        assert_eq!(both.len(), 2, "the newer one expires first: {both:?}");
    }
}

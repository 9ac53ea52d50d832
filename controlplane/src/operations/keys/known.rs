//! The keys that are known of clients: by the configuration, by records, or by both.

use cliproxy_domain::{
    Client, ClientName, KeyHash, KeyId, KeyRecord, ReplicaId, Snapshot, WallTime,
    operate::OrderError,
    status::{ClientKeyStatus, KeyState},
};
use std::{cmp::Reverse, collections::BTreeMap};

/// One key of a client.
#[derive(Clone, Debug)]
pub(in crate::operations) struct KnownKey {
    /// What is said of it; of a key that only the configuration names, nothing.
    pub(super) record: KeyRecord,
    /// Until when the configuration has it taken.
    pub(super) configured_end: Option<WallTime>,
}

impl KnownKey {
    pub(in crate::operations) fn status(&self, now: WallTime) -> ClientKeyStatus {
        ClientKeyStatus::of(&self.record, self.configured_end, now)
    }
}

/// The records of all keys.
pub(in crate::operations) struct KnownKeys {
    by_id: BTreeMap<KeyId, KeyRecord>,
    of: BTreeMap<ClientName, Vec<KeyId>>,
}

impl KnownKeys {
    pub(in crate::operations) fn new(records: Vec<KeyRecord>) -> Self {
        let mut of: BTreeMap<ClientName, Vec<KeyId>> = BTreeMap::new();
        for record in &records {
            of.entry(record.client.clone()).or_default().push(record.id.clone());
        }
        Self { by_id: records.into_iter().map(|record| (record.id.clone(), record)).collect(), of }
    }

    pub(super) fn has(&self, id: &KeyId) -> bool {
        self.by_id.contains_key(id)
    }

    pub(super) fn count(&self) -> usize {
        self.by_id.len()
    }

    /// Gives the keys of a client: those that are valid first, of these the newest first.
    pub(in crate::operations) fn of(
        &self,
        name: &ClientName,
        client: Option<&Client>,
        now: WallTime,
    ) -> Vec<KnownKey> {
        let configured = client.into_iter().flat_map(|client| &client.keys);
        let mut keys: Vec<KnownKey> = configured
            .map(|key| KnownKey { record: self.record_of(name, key.hash), configured_end: key.expires_at })
            .collect();
        let is_configured = |record: &KeyRecord| {
            client.is_some_and(|client| client.keys.iter().any(|key| key.hash == record.hash))
        };
        let others = self.of.get(name).into_iter().flatten().filter_map(|id| self.by_id.get(id));
        let others = others.filter(|record| !is_configured(record));
        keys.extend(others.map(|record| KnownKey { record: record.clone(), configured_end: None }));
        keys.sort_by_cached_key(|key| {
            let is_active = key.status(now).state == KeyState::Active;
            (!is_active, Reverse(key.record.created_at), key.record.id.0.clone())
        });
        keys
    }

    /// Gives all clients that have a record and are not configured.
    pub(in crate::operations) fn strangers<'a>(
        &'a self,
        snapshot: &'a Snapshot,
    ) -> impl Iterator<Item = &'a ClientName> {
        self.of.keys().filter(|name| !snapshot.clients.contains_key(*name))
    }

    /// Gives what is said of a key that the configuration names.
    fn record_of(&self, client: &ClientName, hash: KeyHash) -> KeyRecord {
        let known = self.by_id.get(&hash.id()).filter(|record| record.hash == hash);
        known.cloned().unwrap_or_else(|| KeyRecord {
            revision: 0,
            id: hash.id(),
            client: client.clone(),
            hash,
            created_at: None,
            expires_at: None,
            revoked_at: None,
            said_by: ReplicaId::from(""),
        })
    }
}

/// Says that there is no such client.
pub(in crate::operations) fn unknown_client(name: &ClientName, snapshot: &Snapshot) -> OrderError {
    OrderError::UnknownClient { name: name.to_string(), known: snapshot.clients.keys().cloned().collect() }
}

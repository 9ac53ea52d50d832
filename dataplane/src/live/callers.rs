//! Who may ask: the clients of the configuration in force, found by the hashes of their keys.
//!
//! Built anew with each configuration and each word on a key, and read without locks. What the configuration says of a
//! key and what was said of it since are held together here: the earlier end of the two counts.

use cliproxy_domain::{Client, ClientName, KeyHash, KeyId, KeyRecord, WallTime};
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};
use subtle::ConstantTimeEq as _;

/// The clients in force, by their keys.
#[derive(Default)]
pub struct Callers {
    clients: BTreeMap<ClientName, Arc<Client>>,
    /// By the first bytes of the hash; whether the rest is right takes the same time wherever it differs.
    keys: HashMap<[u8; 8], Vec<Key>>,
}

struct Key {
    hash: KeyHash,
    client: Arc<Client>,
    expires_at: Option<WallTime>,
    revoked_at: Option<WallTime>,
}

/// Why a key proves nobody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyFault {
    /// Nobody has it.
    Unknown,
    /// It was good until then.
    Expired {
        /// Whose.
        client: ClientName,
        /// Which.
        key: KeyId,
        /// When it ended.
        at: WallTime,
    },
    /// It was taken back.
    Revoked {
        /// Whose.
        client: ClientName,
        /// Which.
        key: KeyId,
    },
}

impl Callers {
    /// Takes the clients of a configuration, and what was said of keys beside it. A record of a client that is not
    /// configured gives nobody access.
    pub fn of<'r>(
        clients: &BTreeMap<ClientName, Client>,
        records: impl IntoIterator<Item = &'r KeyRecord>,
    ) -> Self {
        let shared = |(name, client): (&ClientName, &Client)| (name.clone(), Arc::new(client.clone()));
        let clients: BTreeMap<_, _> = clients.iter().map(shared).collect();
        let mut callers = Self { clients, keys: HashMap::new() };
        for client in callers.clients.values().cloned().collect::<Vec<_>>() {
            for key in &client.keys {
                callers.add(Key {
                    hash: key.hash,
                    client: Arc::clone(&client),
                    expires_at: key.expires_at,
                    revoked_at: None,
                });
            }
        }
        for record in records {
            callers.note(record);
        }
        callers
    }

    /// Tells whether there are clients, so that callers have to say who they are.
    pub fn are_named(&self) -> bool {
        !self.clients.is_empty()
    }

    /// Finds whose key this is.
    ///
    /// # Errors
    /// When it is nobody's, or is not good any more.
    pub fn find(&self, hash: &KeyHash, now: WallTime) -> Result<&Arc<Client>, KeyFault> {
        let key = self.key(hash).ok_or(KeyFault::Unknown)?;
        let named = || (key.client.name.clone(), hash.id());
        if key.revoked_at.is_some() {
            let (client, key) = named();
            return Err(KeyFault::Revoked { client, key });
        }
        let Some(at) = key.expires_at.filter(|at| *at <= now) else { return Ok(&key.client) };
        let (client, key) = named();
        Err(KeyFault::Expired { client, key, at })
    }

    fn key(&self, hash: &KeyHash) -> Option<&Key> {
        self.keys.get(&begin(hash))?.iter().find(|key| key.hash.0.ct_eq(&hash.0).into())
    }

    fn add(&mut self, key: Key) {
        self.keys.entry(begin(&key.hash)).or_default().push(key);
    }

    /// Adds a key that was made since, or holds what is said of a known one against it.
    fn note(&mut self, record: &KeyRecord) {
        let known = self.keys.get_mut(&begin(&record.hash)).into_iter().flatten();
        if let Some(key) = known.into_iter().find(|key| key.hash == record.hash) {
            key.expires_at = match (key.expires_at, record.expires_at) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            };
            key.revoked_at = key.revoked_at.or(record.revoked_at);
        } else if let Some(client) = self.clients.get(&record.client).cloned() {
            let (hash, expires_at, revoked_at) = (record.hash, record.expires_at, record.revoked_at);
            self.add(Key { hash, client, expires_at, revoked_at });
        }
    }
}

fn begin(hash: &KeyHash) -> [u8; 8] {
    let mut begin = [0; 8];
    begin.copy_from_slice(&hash.0[..8]);
    begin
}

#[cfg(test)]
mod tests;

//! The configuration line: a snapshot as a set of named resources, whose hash tells whether two sets are equal.

mod body;
mod client;
mod limit;
mod operations;
mod price;
mod profile;
mod set;
#[cfg(test)]
mod tests;
mod traits;

pub use set::{EntrySet, Hashes, diff};

use super::ConvertError;
use crate::v1;
use cliproxy_domain::Snapshot;
use prost::{Message, bytes::Bytes};
use std::fmt;
use xxhash_rust::xxh3::Xxh3Default;

/// One resource of a configuration, encoded. Its `Debug` does not show the body, which may hold keys.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// The number of its kind: one of [`v1::Kind`], or of a kind that a newer program knows.
    pub kind: i32,
    /// Its name within its kind.
    pub key: String,
    /// The message of its kind, encoded. The same content has the same bytes.
    pub body: Bytes,
    /// The hash of kind, key and body.
    pub hash: u64,
}

impl Entry {
    /// Makes an entry and hashes it.
    pub fn new(kind: i32, key: impl Into<String>, body: impl Into<Bytes>) -> Self {
        let (key, body) = (key.into(), body.into());
        let hash = entry_hash(kind, &key, &body);
        Self { kind, key, body, hash }
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("kind", &self.kind)
            .field("key", &self.key)
            .field("body", &format_args!("[{} bytes]", self.body.len()))
            .field("hash", &self.hash)
            .finish()
    }
}

/// Hashes one entry. The key's length is hashed as well, so that key and body cannot trade bytes.
fn entry_hash(kind: i32, key: &str, body: &[u8]) -> u64 {
    let mut hash = Xxh3Default::new();
    hash.update(&kind.to_le_bytes());
    hash.update(&(key.len() as u64).to_le_bytes());
    hash.update(key.as_bytes());
    hash.update(body);
    hash.digest()
}

/// Gives the hash of a whole set: the wrapping sum of its entries' hashes, so that order does not matter and a
/// change costs only what changed.
pub fn set_hash<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> u64 {
    entries.into_iter().fold(0, |sum, entry| sum.wrapping_add(entry.hash))
}

/// Encodes a configuration: its policy, providers, aliases and clients, sorted by kind and key.
pub fn entries(snapshot: &Snapshot) -> Vec<Entry> {
    let policy = body::policy_to_wire(&snapshot.policy).encode_to_vec();
    let mut entries = vec![Entry::new(v1::Kind::Policy.into(), "", policy)];
    entries.extend(snapshot.providers.values().map(|provider| {
        let message = body::provider_to_wire(provider).encode_to_vec();
        Entry::new(v1::Kind::Provider.into(), provider.name.as_str(), message)
    }));
    entries.extend(snapshot.models.values().map(|alias| {
        let message = body::alias_to_wire(alias).encode_to_vec();
        Entry::new(v1::Kind::Alias.into(), alias.name.as_str(), message)
    }));
    entries.extend(snapshot.clients.values().map(|client| {
        let message = client::to_wire(client).encode_to_vec();
        Entry::new(v1::Kind::Client.into(), client.name.as_str(), message)
    }));
    entries.sort();
    entries
}

/// Decodes and checks a configuration. Kinds that this program does not know are skipped;
/// [`EntrySet::unsupported`] lists them.
///
/// # Errors
///
/// Fails when a body does not decode, a field is missing or out of range, an alias names a provider that is not
/// there, two clients have one key, or the policy is missing: a configuration is taken whole or not at all.
pub fn snapshot<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Result<Snapshot, ConvertError> {
    let mut snapshot = Snapshot::default();
    let mut policy = None;
    for entry in entries {
        match v1::Kind::try_from(entry.kind) {
            Ok(v1::Kind::Provider) => {
                let provider = body::provider_from_wire(&body::decode(entry, "provider")?)?;
                body::check_name(entry, "provider", provider.name.as_str())?;
                snapshot.providers.insert(provider.name.clone(), provider);
            }
            Ok(v1::Kind::Alias) => {
                let alias = body::alias_from_wire(&body::decode(entry, "alias")?)?;
                body::check_name(entry, "alias", alias.name.as_str())?;
                snapshot.models.insert(alias.name.clone(), alias);
            }
            Ok(v1::Kind::Client) => {
                let client = client::from_wire(&body::decode(entry, "client")?)?;
                body::check_name(entry, "client", client.name.as_str())?;
                snapshot.clients.insert(client.name.clone(), client);
            }
            Ok(v1::Kind::Policy) => policy = Some(body::policy_from_wire(&body::decode(entry, "policy")?)?),
            // Of the hint line, or of a newer program.
            Ok(_) | Err(_) => {}
        }
    }
    snapshot.policy = policy.ok_or(ConvertError::Missing { field: "policy" })?;
    check_targets(&snapshot)?;
    client::check_keys(&snapshot)?;
    Ok(snapshot)
}

/// Refuses aliases whose targets no provider serves.
fn check_targets(snapshot: &Snapshot) -> Result<(), ConvertError> {
    for alias in snapshot.models.values() {
        for target in &alias.targets {
            if !snapshot.providers.contains_key(&target.target.provider) {
                return Err(ConvertError::UnknownProvider {
                    alias: alias.name.to_string(),
                    provider: target.target.provider.to_string(),
                });
            }
        }
    }
    Ok(())
}

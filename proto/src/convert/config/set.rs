//! A configuration as both ends keep it: entries by kind and key, cheap to clone, changed by deltas.

use super::{super::ConvertError, Entry, entries, set_hash, snapshot};
use crate::v1;
use cliproxy_domain::Snapshot;
use std::{collections::BTreeMap, fmt};

/// The hashes of a set's entries by kind and key: all that the store keeps of a configuration.
pub type Hashes = BTreeMap<(i32, String), u64>;

/// A configuration's entries by kind and key.
///
/// Bodies are shared, so a clone costs the keys. A receiver clones its set, applies a delta to the clone,
/// compares [`EntrySet::hash`] with the delta's and only then takes the clone.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct EntrySet {
    entries: BTreeMap<(i32, String), Entry>,
    hash: u64,
}

impl EntrySet {
    /// Encodes a snapshot as a set.
    pub fn from_snapshot(snapshot: &Snapshot) -> Self {
        entries(snapshot).into_iter().collect()
    }

    /// Decodes and checks the whole set.
    ///
    /// # Errors
    ///
    /// As [`super::snapshot`].
    pub fn to_snapshot(&self) -> Result<Snapshot, ConvertError> {
        snapshot(self.entries.values())
    }

    /// Puts and deletes entries. What is deleted and not there is passed over: the hash tells.
    ///
    /// # Errors
    ///
    /// Fails on an operation that is neither; the set is then half changed and must be dropped.
    pub fn apply(&mut self, changes: &[v1::Change]) -> Result<(), ConvertError> {
        for change in changes {
            match change.op() {
                v1::Op::Put => self.insert(Entry::new(change.kind, change.key.clone(), change.body.clone())),
                v1::Op::Delete => self.remove(change.kind, &change.key),
                v1::Op::Unspecified => {
                    return Err(ConvertError::OutOfRange {
                        field: "Change.op",
                        value: change.op.into(),
                        expected: "OP_PUT (1) or OP_DELETE (2)",
                    });
                }
            }
        }
        Ok(())
    }

    /// Puts one entry in place of the one of its kind and key.
    pub fn insert(&mut self, entry: Entry) {
        self.hash = self.hash.wrapping_add(entry.hash);
        if let Some(old) = self.entries.insert((entry.kind, entry.key.clone()), entry) {
            self.hash = self.hash.wrapping_sub(old.hash);
        }
    }

    fn remove(&mut self, kind: i32, key: &str) {
        if let Some(old) = self.entries.remove(&(kind, key.to_owned())) {
            self.hash = self.hash.wrapping_sub(old.hash);
        }
    }

    /// Gives the hash of the whole set, kept up to date with each change.
    pub fn hash(&self) -> u64 {
        debug_assert_eq!(self.hash, set_hash(self.entries.values()));
        self.hash
    }

    /// Gives the hash of each entry.
    pub fn hashes(&self) -> Hashes {
        self.entries.iter().map(|(name, entry)| (name.clone(), entry.hash)).collect()
    }

    /// Walks the entries, sorted by kind and key.
    pub fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    /// Counts the entries.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Tells whether there is no entry at all, which no configuration has: the policy is always there.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Lists the kinds in the set that this program does not know, sorted, each once.
    pub fn unsupported(&self) -> Vec<i32> {
        let mut kinds: Vec<i32> = self
            .entries
            .keys()
            .map(|(kind, _)| *kind)
            .filter(|kind| {
                !matches!(
                    v1::Kind::try_from(*kind),
                    Ok(v1::Kind::Provider | v1::Kind::Alias | v1::Kind::Policy | v1::Kind::Client)
                )
            })
            .collect();
        kinds.dedup();
        kinds
    }

    /// Gives every entry as a change that puts it: a whole set for somebody who has nothing.
    pub fn to_changes(&self) -> Vec<v1::Change> {
        self.entries.values().map(put).collect()
    }

    /// Gives the changes that turn a set with the hashes `from` into this one. Sorted by kind and key.
    pub fn changes_from(&self, from: &Hashes) -> Vec<v1::Change> {
        let gone = from.keys().filter(|name| !self.entries.contains_key(*name)).map(|(kind, key)| {
            v1::Change { kind: *kind, key: key.clone(), op: v1::Op::Delete.into(), body: Default::default() }
        });
        let new = self.entries.iter().filter(|(name, entry)| from.get(*name) != Some(&entry.hash));
        let mut changes: Vec<v1::Change> = gone.chain(new.map(|(_, entry)| put(entry))).collect();
        changes.sort_by(|a, b| (a.kind, &a.key).cmp(&(b.kind, &b.key)));
        changes
    }
}

fn put(entry: &Entry) -> v1::Change {
    v1::Change { kind: entry.kind, key: entry.key.clone(), op: v1::Op::Put.into(), body: entry.body.clone() }
}

impl FromIterator<Entry> for EntrySet {
    fn from_iter<I: IntoIterator<Item = Entry>>(entries: I) -> Self {
        let mut set = EntrySet::default();
        for entry in entries {
            set.insert(entry);
        }
        set
    }
}

impl fmt::Debug for EntrySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.entries.values()).finish()
    }
}

/// Gives the changes that turn `from` into `to`. Sorted by kind and key.
pub fn diff(from: &EntrySet, to: &EntrySet) -> Vec<v1::Change> {
    to.changes_from(&from.hashes())
}

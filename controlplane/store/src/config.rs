//! Numbered configurations.

use cliproxy_domain::{ConfigId, WallTime};
use std::collections::BTreeMap;

/// One resource of a configuration, by content. The content itself, which holds keys, stays out of the database.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConfigEntry {
    /// What it is, as the number of its kind on the wire.
    pub kind: i32,
    /// Its name within its kind.
    pub key: String,
    /// The hash of its content.
    pub hash: u64,
}

/// A numbered configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredConfig {
    /// Its number.
    pub id: ConfigId,
    /// The hash of the whole set.
    pub hash: u64,
    /// Its resources, sorted.
    pub entries: Vec<ConfigEntry>,
}

/// A configuration to be numbered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewConfig {
    /// The hash of the whole set.
    pub hash: u64,
    /// Its resources, in any order.
    pub entries: Vec<ConfigEntry>,
    /// Who made it, as `file` or an operator's name.
    pub author: String,
    /// Why, for people.
    pub reason: String,
    /// When, by the control plane's clock.
    pub at: WallTime,
    /// The text that it was made of, for the other replicas. `None` where a text may hold keys.
    pub text: Option<String>,
    /// The configuration that it must follow: another newest one is [`StoreError::Superseded`]. `None`: whichever is
    /// the newest.
    pub follows: Option<ConfigId>,
    /// Numbers up to this are taken, though the store may have lost them: whoever numbers again what was lost gets a
    /// higher one than any that he knows, so that of two who do it the later one is known by its number.
    pub above: ConfigId,
}

impl NewConfig {
    /// Tells whether the newest, of that number and hash, is what this one says already.
    pub fn is_numbered(&self, newest: ConfigId, hash: u64) -> bool {
        hash == self.hash && newest >= self.above
    }

    /// Gives its number where `newest` is the highest.
    pub fn number_after(&self, newest: ConfigId) -> ConfigId {
        newest.max(self.above).next()
    }

    /// Gives the text that is to stand in the place of the one kept, where the configuration is `active` already. One
    /// that was to follow another is asked for a second time, or comes late.
    pub fn text_in_place_of(&self, active: ConfigId) -> Option<&str> {
        self.text.as_deref().filter(|_| self.follows.is_none_or(|follows| follows == active))
    }

    /// Gives the entries sorted, one for each kind and key: of several the last.
    pub fn into_sorted_entries(self) -> Vec<ConfigEntry> {
        let by_name: BTreeMap<(i32, String), u64> =
            self.entries.into_iter().map(|entry| ((entry.kind, entry.key), entry.hash)).collect();
        by_name.into_iter().map(|((kind, key), hash)| ConfigEntry { kind, key, hash }).collect()
    }
}

/// A numbered configuration as the list of them shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigSummary {
    /// Its number.
    pub id: ConfigId,
    /// The hash of the whole set.
    pub hash: u64,
    /// Who made it.
    pub author: String,
    /// Why.
    pub reason: String,
    /// When.
    pub at: WallTime,
}

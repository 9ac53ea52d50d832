//! What a configuration is made of, by names for people.

use cliproxy_domain::configuring::ConfigChanges;
use cliproxy_proto::{
    convert::config::{EntrySet, Hashes},
    v1::Kind,
};
use cliproxy_store::StoredConfig;

/// The hash of each part by its kind and key.
pub(crate) type Parts = Hashes;

/// Gives the parts of a configuration.
pub(crate) fn parts_of(entries: &EntrySet) -> Parts {
    entries.hashes()
}

/// Gives the parts of a configuration that the store knows.
pub(crate) fn parts_of_stored(config: &StoredConfig) -> Parts {
    config.entries.iter().map(|entry| ((entry.kind, entry.key.clone()), entry.hash)).collect()
}

/// Names what `to` has that `from` has not.
pub(crate) fn changes(from: &Parts, to: &Parts) -> ConfigChanges {
    let mut changes = ConfigChanges::default();
    for (part, hash) in to {
        match from.get(part) {
            None => changes.added.push(name(part)),
            Some(before) if before != hash => changes.changed.push(name(part)),
            Some(_) => {}
        }
    }
    changes.removed = from.keys().filter(|part| !to.contains_key(*part)).map(name).collect();
    changes.added.sort();
    changes.changed.sort();
    changes.removed.sort();
    changes
}

fn name((kind, key): &(i32, String)) -> String {
    match Kind::try_from(*kind) {
        Ok(Kind::Policy) => "policy".to_owned(),
        Ok(Kind::Provider) => format!("provider {key}"),
        Ok(Kind::Alias) => format!("model {key}"),
        Ok(Kind::Client) => format!("client {key}"),
        // Of a newer program that used the same store.
        Ok(_) | Err(_) => format!("kind {kind} {key}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(of: &[(Kind, &str, u64)]) -> Parts {
        of.iter().map(|(kind, key, hash)| ((i32::from(*kind), (*key).to_owned()), *hash)).collect()
    }

    #[test]
    fn changes_are_told_by_the_names_of_what_changed() {
        let before = parts(&[
            (Kind::Policy, "", 1),
            (Kind::Provider, "claude", 2),
            (Kind::Provider, "openai", 3),
            (Kind::Alias, "smart", 4),
            (Kind::Client, "ci", 6),
        ]);
        let after = parts(&[
            (Kind::Policy, "", 1),
            (Kind::Provider, "claude", 20),
            (Kind::Provider, "gemini", 5),
            (Kind::Alias, "fast", 4),
            (Kind::Client, "ci", 7),
            (Kind::Client, "web", 8),
        ]);
        let told = changes(&before, &after);
        assert_eq!(told.added, ["client web", "model fast", "provider gemini"]);
        assert_eq!(told.changed, ["client ci", "provider claude"]);
        assert_eq!(told.removed, ["model smart", "provider openai"]);
        assert_eq!(changes(&before, &before), ConfigChanges::default());
    }
}

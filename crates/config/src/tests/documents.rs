//! The example and the reference name every key.

use super::accept;
use crate::{
    EXAMPLE, KEYS, State,
    field::{Field, Findings},
    source::Source,
    tree,
};
use cliproxy_domain::{CooldownDurations, HealingPolicy, HealthPolicy, Policy};

/// The reference for users.
const REFERENCE: &str = include_str!("../../../../docs/reference/configuration.md");

/// A table path as documents write it.
fn written(path: &str) -> String {
    let name = if path.starts_with("models") { "<alias>" } else { "<name>" };
    path.replace('*', name)
}

#[test]
fn the_example_is_accepted_and_warns_of_nothing() {
    assert_eq!(accept(EXAMPLE).warnings, Vec::<String>::new());
}

#[test]
fn the_example_writes_the_defaults_of_operations() {
    let policy = accept(EXAMPLE).snapshot.policy;
    let default = Policy::default();
    assert_eq!(policy.health_check, HealthPolicy { enabled: true, ..default.health_check });
    assert_eq!(policy.self_healing, HealingPolicy { enabled: true, ..default.self_healing });
    assert_eq!(
        Policy { health_check: default.health_check, self_healing: default.self_healing, ..policy },
        default
    );
    let claude = &accept(EXAMPLE).snapshot.providers["claude"];
    assert_eq!(claude.cooldown, CooldownDurations::default());
}

#[test]
fn the_example_has_every_key_that_works() {
    let tree = tree::parse(&Source::new("example", with_what_is_left_out(EXAMPLE))).unwrap();
    let environment = super::environment();
    let findings = Findings::new(&environment);
    let mut found = Vec::new();
    collect(&Field::root(&tree, &findings), "", &mut found);
    for known in KEYS.iter().filter(|known| known.state != State::Later) {
        let commented = EXAMPLE.contains(&format!("\n# {}:", known.path));
        assert!(found.iter().any(|path| path == known.path) || commented, "{}", known.path);
    }
}

/// Takes away each `#` that stands right before a key, or before one below it.
fn with_what_is_left_out(text: &str) -> String {
    let line = |line: &str| {
        let (indent, rest) = line.split_once('#').unwrap_or((line, ""));
        let key = rest.strip_prefix("  ").unwrap_or(rest);
        let key = key.strip_prefix("- ").unwrap_or(key);
        let leaves_out = indent.trim().is_empty() && key.starts_with(|c: char| c.is_ascii_lowercase());
        if leaves_out { format!("{indent}{rest}\n") } else { format!("{line}\n") }
    };
    text.lines().map(line).collect()
}

#[test]
fn the_example_names_what_comes_later() {
    for known in KEYS.iter().filter(|known| known.state == State::Later && is_outermost(known.path)) {
        let name = known.path.rsplit('.').next().unwrap_or_default();
        let is_named = EXAMPLE.lines().any(|line| line.contains('#') && line.contains(name));
        assert!(is_named, "{}", known.path);
    }
}

#[test]
fn the_reference_has_a_row_for_every_key_that_works_and_says_when_a_change_counts() {
    for known in KEYS {
        let row = REFERENCE.lines().find(|line| line.starts_with(&format!("| `{}` |", written(known.path))));
        match known.state {
            State::Later => assert!(row.is_none(), "{} is not available yet", known.path),
            State::Hot => assert!(row.is_some_and(|row| row.ends_with("| running |")), "{}", known.path),
            State::Restart => assert!(row.is_some_and(|row| row.ends_with("| restart |")), "{}", known.path),
        }
    }
}

#[test]
fn the_reference_names_what_comes_later() {
    let sections = KEYS.iter().filter(|known| known.state == State::Later && is_outermost(known.path));
    for known in sections {
        assert!(REFERENCE.contains(&format!("`{}`", written(known.path))), "{}", known.path);
    }
}

#[test]
fn the_profile_that_the_reference_shows_is_accepted() {
    let blocks: Vec<&str> =
        REFERENCE.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert_eq!(blocks.len(), 1);
    let provider = "providers:\n  azure: {kind: openai_compatible, base_url: 'https://us.example', api_key: x, \
                    profile: azure-deployments}\n";
    let config = accept(&format!("{}{provider}", blocks[0]));
    let profile = config.snapshot.providers["azure"].profile.as_ref().expect("it is compatible");
    assert_eq!(profile.query.as_deref(), Some("api-version=2024-10-21"));
}

/// Tells whether no key above is itself still to come.
fn is_outermost(path: &str) -> bool {
    let below = |other: &str| path.strip_prefix(other).is_some_and(|rest| rest.starts_with(['.', '[']));
    !KEYS.iter().any(|other| other.state == State::Later && below(other.path))
}

/// Gathers the table paths of all values.
fn collect(field: &Field<'_>, at: &str, found: &mut Vec<String>) {
    let chosen_by_user = matches!(
        at,
        "providers" | "models" | "profiles" | "profiles.*.headers" | "profiles.*.query" | "clients[].tags"
    );
    for (key, child) in field.entries() {
        let key = if chosen_by_user { "*" } else { key };
        let path = if at.is_empty() { key.to_owned() } else { format!("{at}.{key}") };
        found.push(path.clone());
        collect(&child, &path, found);
    }
    for item in field.items() {
        let path = format!("{at}[]");
        found.push(path.clone());
        collect(&item, &path, found);
    }
}

//! Every block of the user guide, as it stands there: accepted, or refused as not available yet, at the key.

use super::{accept, places, request};
use crate::{
    KEYS, Known, State,
    environment::Environment,
    field::{Field, Findings},
    load_text, schema,
    source::Source,
    tree::{self, Form, Key, Node, Value},
};
use cliproxy_domain::{Price, Strategy};
use std::time::Duration;

/// What becomes of a block.
enum Outcome {
    Accepted,
    /// Refused with one report for each place, and with no other.
    NotYet(&'static [(usize, usize)]),
}

use Outcome::{Accepted, NotYet};

macro_rules! blocks {
    ($($name:literal: $outcome:expr,)*) => {
        &[$(($name, include_str!(concat!("../../fixtures/guide/", $name, ".yaml")), $outcome),)*]
    };
}

const BLOCKS: &[(&str, &str, Outcome)] = blocks! {
    "cooldown": Accepted,
    "load-balancing": Accepted,
    "round-robin": Accepted,
    "quota-aware": Accepted,
    "latency": Accepted,
    "cost": Accepted,
    "provider-priority": Accepted,
    "health-check": Accepted,
    "self-healing": Accepted,
    "metrics": Accepted,
    "logging": NotYet(&[(5, 3)]),
    "tracing": NotYet(&[(1, 1)]),
    "alerts": NotYet(&[(1, 1)]),
    "slack": NotYet(&[(1, 1)]),
    "email": NotYet(&[(1, 1)]),
    "pagerduty": NotYet(&[(1, 1)]),
    "connection-pool": NotYet(&[(3, 5)]),
    "batch-processing": NotYet(&[(3, 5)]),
    "cache": NotYet(&[(3, 5)]),
    "failover-active-passive": Accepted,
    "failover-active-active": Accepted,
};

#[test]
fn each_block_of_the_guide_is_accepted_or_not_available_yet() {
    for (name, text, outcome) in BLOCKS {
        match outcome {
            Accepted => {
                accept(text);
            }
            NotYet(expected) => {
                let reports = places(text);
                for (line, column, message) in &reports {
                    assert!(message.contains("is not available yet"), "{name}:{line}:{column}: {message}");
                }
                let found: Vec<(usize, usize)> =
                    reports.iter().map(|(line, column, _)| (*line, *column)).collect();
                assert_eq!(found, *expected, "{name}");
            }
        }
    }
}

/// The blocks of the guide's sections on cooldown, load balancing, health and self-healing, in its order.
const OPERATIONS: [&str; 9] = [
    "cooldown",
    "load-balancing",
    "round-robin",
    "quota-aware",
    "latency",
    "cost",
    "provider-priority",
    "health-check",
    "self-healing",
];

#[test]
fn the_blocks_on_operations_make_one_configuration_together() {
    let merged = OPERATIONS.iter().fold(Value::Map(Vec::new()), |merged, name| merge(merged, block(name)));
    let config = accept(&render(&merged));
    let policy = &config.snapshot.policy;
    assert_eq!((policy.cooldown.error_threshold, policy.health_check.unhealthy_threshold), (5, 3));
    assert_eq!((policy.strategy, policy.latency_window), (Strategy::Cost, Duration::from_secs(300)));
    assert!(policy.health_check.enabled && policy.self_healing.enabled);
    let providers = &config.snapshot.providers;
    assert_eq!(
        providers.keys().map(|name| name.as_str()).collect::<Vec<_>>(),
        ["claude", "gemini", "openai"]
    );
    let claude = &providers["claude"];
    assert_eq!((claude.priority, claude.cooldown.rate_limit), (1, Duration::from_secs(600)));
    assert_eq!(claude.quota.as_ref().map(|quota| quota.limit), Some(1_000_000));
    let price = claude.price_of("claude-sonnet-4-5").unwrap().price;
    assert_eq!(price, Price::new(3_000_000, 15_000_000));
    assert_eq!(claude.health_check.endpoint.as_deref(), Some("https://api.anthropic.com/v1/messages"));
    assert_eq!(config.warnings, Vec::<String>::new());
}

/// Parses the block called `name`.
fn block(name: &str) -> Value {
    let (_, text, _) = BLOCKS.iter().find(|(known, ..)| *known == name).expect("the block is in the list");
    tree::parse(&Source::new(name, *text)).unwrap().value
}

/// Puts `over` over `under`, map by map.
fn merge(under: Value, over: Value) -> Value {
    let (Value::Map(mut under), Value::Map(over)) = (under, over.clone()) else { return over };
    for (key, node) in over {
        match under.iter_mut().find(|(known, _)| known.text == key.text) {
            Some((_, known)) => known.value = merge(known.value.clone(), node.value),
            None => under.push((key, node)),
        }
    }
    Value::Map(under)
}

/// Writes a value as YAML, in one line.
fn render(value: &Value) -> String {
    let comma = |parts: Vec<String>| parts.join(", ");
    match value {
        Value::Scalar(scalar) if scalar.form == Form::Text => format!("{:?}", scalar.text),
        Value::Scalar(scalar) => scalar.text.clone(),
        Value::List(items) => format!("[{}]", comma(items.iter().map(|item| render(&item.value)).collect())),
        Value::Map(entries) => {
            let entry = |(key, node): &(Key, Node)| format!("{}: {}", key.text, render(&node.value));
            format!("{{{}}}", comma(entries.iter().map(entry).collect()))
        }
    }
}

#[test]
fn no_block_of_the_guide_is_left_out() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/guide");
    let on_disk = std::fs::read_dir(folder).unwrap().count();
    assert_eq!(on_disk, BLOCKS.len());
}

#[test]
fn every_key_of_the_guide_and_of_the_contract_is_in_the_table() {
    let all: Vec<Known> = KEYS.iter().map(|known| Known { state: State::Hot, ..*known }).collect();
    let contract = include_str!("../../fixtures/contract.yaml");
    let texts = BLOCKS.iter().map(|(name, text, _)| (*name, *text)).chain([("contract", contract)]);
    for (name, text) in texts {
        let tree = tree::parse(&Source::new(name, text)).unwrap();
        let environment = Environment::fixed::<&str, &str>([]);
        let findings = Findings::new(&environment);
        schema::check(&Field::root(&tree, &findings), &all);
        let (reports, _) = findings.into_parts();
        assert!(reports.is_empty(), "{name}: {reports:?}");
    }
}

#[test]
fn a_disabled_block_whose_feature_is_not_built_is_refused_as_well() {
    let error =
        load_text("c.yaml", "server: {operations: {cache: {enabled: false}}}", &request()).unwrap_err();
    assert!(error.to_string().contains("`server.operations.cache` is not available yet"));
}

//! Every block of the user guide, as it stands there: accepted, or refused as not available yet, at the key.

use super::{accept, places, request};
use crate::{
    KEYS, Known, State,
    environment::Environment,
    field::{Field, Findings},
    load_text, schema,
    source::Source,
    tree,
};

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
    "cooldown": NotYet(&[(3, 5), (10, 5), (17, 5)]),
    "load-balancing": Accepted,
    "round-robin": Accepted,
    "quota-aware": NotYet(&[(4, 17), (8, 5), (13, 5)]),
    "latency": NotYet(&[(4, 17), (5, 7)]),
    "cost": NotYet(&[(4, 17), (8, 5), (13, 5)]),
    "provider-priority": Accepted,
    "health-check": NotYet(&[(3, 5), (12, 5)]),
    "self-healing": NotYet(&[(3, 5)]),
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
    "failover-active-passive": NotYet(&[(2, 3)]),
    "failover-active-active": NotYet(&[(2, 3)]),
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

//! Within a plane: which module may name which.

use super::{nothing_wrong, root, sources};
use std::collections::{BTreeMap, BTreeSet};

/// The stages of the data plane in the order in which a request meets them. Each may name those before it.
const STAGES: [&str; 7] = ["authenticate", "decode", "admit", "route", "attempt", "encode", "account"];

/// What every stage may name: why a request is refused, what the node knows, what it holds of limits, where providers are.
const BELOW_THE_STAGES: [&str; 4] = ["refusal", "live", "purse", "upstream"];

/// What the other modules of the data plane may name. `pipeline` and `node` put the rest together.
const BESIDE_THE_STAGES: [(&str, &[&str]); 11] = [
    ("refusal", &[]),
    ("purse", &[]),
    // A provider's request is made from the call.
    ("upstream", &["decode"]),
    ("live", &["purse", "upstream"]),
    // The entry. `account` only for the type of the body that the pipeline gives.
    ("listen", &["account", "ops", "pipeline"]),
    // What it hands on is a call as it came.
    ("failover", &["decode", "live", "sync", "upstream"]),
    ("ops", &["account", "failover", "live", "probe", "purse", "sync"]),
    ("probe", &["live", "ops", "sync", "upstream"]),
    ("sync", &["account", "live", "ops", "probe", "purse"]),
    ("pipeline", ANY),
    ("node", ANY),
];

/// What the modules of the control plane may name: a fact travels from `grpc` or `http` inwards, and `plane`
/// puts them together.
const CONTROL_PLANE: [(&str, &[&str]); 17] = [
    ("backoff", &[]),
    ("certificates", &["state"]),
    ("error", &[]),
    ("metrics", &[]),
    ("settings", &[]),
    ("state", &[]),
    ("publish", &["state"]),
    ("decide", &["backoff", "metrics", "publish", "state"]),
    ("lead", &["backoff", "decide", "metrics", "publish", "state"]),
    ("ingest", &["backoff", "decide", "metrics", "state"]),
    ("grant", &["backoff", "decide", "metrics", "state"]),
    ("configurations", &["Applied", "error"]),
    ("replicas", &["configurations", "decide", "metrics", "publish", "state"]),
    ("operations", &["certificates", "configurations", "decide", "error", "metrics", "state"]),
    ("http", &["operations", "settings", "state"]),
    ("grpc", &["decide", "grant", "ingest", "metrics", "operations", "publish", "state"]),
    ("plane", ANY),
];

const ANY: &[&str] = &["*"];

#[test]
fn a_stage_of_the_data_plane_names_only_earlier_ones() {
    let mut may: BTreeMap<&str, BTreeSet<&str>> = BESIDE_THE_STAGES
        .into_iter()
        .map(|(module, named)| (module, named.iter().copied().collect()))
        .collect();
    for (place, stage) in STAGES.into_iter().enumerate() {
        may.insert(stage, STAGES[..place].iter().copied().chain(BELOW_THE_STAGES).collect());
    }
    check("dataplane/src/", &may);
}

#[test]
fn a_module_of_the_control_plane_names_only_what_a_fact_meets_later() {
    let may = CONTROL_PLANE.into_iter().map(|(module, named)| (module, named.iter().copied().collect()));
    check("controlplane/src/", &may.collect());
}

fn check(plane: &str, may: &BTreeMap<&str, BTreeSet<&str>>) {
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    for source in sources::all(root()) {
        let Some(inside) = source.path.strip_prefix(plane).filter(|inside| *inside != "lib.rs") else {
            continue;
        };
        let module = inside.split('/').next().unwrap_or_default().trim_end_matches(".rs");
        let Some(allowed) = may.get(module) else {
            wrong.push(format!("{}: the table has no row for {module}", source.path));
            continue;
        };
        seen.insert(module.to_owned());
        let code = source.production();
        for named in named_modules(&code) {
            if named != module && !allowed.contains("*") && !allowed.contains(named) {
                wrong.push(format!("{}: {module} may not name {named}", source.path));
            }
        }
        if climbs_to_the_root(&code, inside) {
            wrong.push(format!("{}: name the module as crate::…, so that it is seen", source.path));
        }
    }
    let gone = may.keys().filter(|module| !seen.contains(**module));
    wrong.extend(gone.map(|module| format!("{plane}: the table has a row for {module}, which is not there")));
    nothing_wrong(wrong);
}

/// Finds the modules that stand right after `crate::`, alone or in braces.
fn named_modules(code: &str) -> Vec<&str> {
    code.match_indices("crate::").flat_map(|(at, path)| first_names(&code[at + path.len()..])).collect()
}

fn first_names(rest: &str) -> Vec<&str> {
    let Some(group) = rest.strip_prefix('{') else { return identifier(rest).into_iter().collect() };
    let (mut depth, mut names, mut start) = (0, Vec::new(), 0);
    for (at, character) in group.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                names.extend(identifier(group[start..at].trim_start()));
                start = at + 1;
                if character == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    names
}

fn identifier(text: &str) -> Option<&str> {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    Some(&text[..end]).filter(|name| !name.is_empty())
}

/// Tells whether a chain of `super::` leaves the top module of its file.
fn climbs_to_the_root(code: &str, inside: &str) -> bool {
    let depth = inside.split('/').count();
    code.contains(&"super::".repeat(depth))
}

#[test]
fn names_are_found_alone_and_in_braces() {
    let code =
        "use crate::route::Route; use crate::{live::{Live, X}, sync, attempt::{self, Y}, Z}; crate::a()";
    assert_eq!(named_modules(code), ["route", "live", "sync", "attempt", "Z", "a"]);
    assert!(climbs_to_the_root("use super::sync::Sync;", "encode.rs"));
    assert!(!climbs_to_the_root("use super::body::Body;", "encode/stream.rs"));
    assert!(climbs_to_the_root("use super::super::sync;", "encode/stream.rs"));
}

//! Keeps the architecture: who may depend on whom, where each third party stays, and what files look like.

mod sources;
mod stages;

use serde_json::Value;
use sources::Source;
use std::{collections::BTreeMap, path::Path, process::Command};

/// Who may use which of our crates. Arrows point at what is used; a test may use the same and [`TESTS_MAY`].
const MAY_USE: [(&str, &[&str]); 17] = [
    // The composition root hands the machine (host) to the planes and takes the snapshot (domain) from the file.
    (
        "cliproxy",
        &[
            "cliproxy-config",
            "cliproxy-controlplane",
            "cliproxy-dataplane",
            "cliproxy-domain",
            "cliproxy-host",
            "cliproxy-mock-provider",
            "cliproxy-observe",
            // It picks the store.
            "cliproxy-store",
            "cliproxy-store-postgres",
            "cliproxy-store-sqlite",
        ],
    ),
    (
        "cliproxy-dataplane",
        &[
            "cliproxy-config",
            "cliproxy-dialects",
            "cliproxy-domain",
            "cliproxy-engine",
            "cliproxy-host",
            "cliproxy-observe",
            "cliproxy-proto",
        ],
    ),
    (
        "cliproxy-controlplane",
        &[
            "cliproxy-config",
            "cliproxy-domain",
            "cliproxy-engine",
            "cliproxy-host",
            "cliproxy-observe",
            "cliproxy-proto",
            "cliproxy-store",
        ],
    ),
    ("cliproxy-store-postgres", &["cliproxy-domain", "cliproxy-store"]),
    ("cliproxy-store-sqlite", &["cliproxy-domain", "cliproxy-store"]),
    ("cliproxy-store", &["cliproxy-domain"]),
    ("cliproxy-proto", &["cliproxy-domain"]),
    ("cliproxy-engine", &["cliproxy-domain"]),
    ("cliproxy-config", &["cliproxy-domain"]),
    ("cliproxy-dialects", &["cliproxy-domain"]),
    ("cliproxy-host", &["cliproxy-domain"]),
    ("cliproxy-domain", &[]),
    ("cliproxy-observe", &[]),
    // It stands in for the operating system in simulations.
    ("cliproxy-replay", &[]),
    // Not the gateway's dialects: each checks the other.
    ("cliproxy-mock-provider", &["cliproxy-domain", "cliproxy-host"]),
    ("cliproxy-testkit", &["cliproxy-domain", "cliproxy-host", "cliproxy-mock-provider", "cliproxy-proto"]),
    // A tool; it runs the product as a process.
    ("xtask", &["cliproxy-mock-provider", "cliproxy-testkit"]),
];

/// What tests of a crate may use beside [`MAY_USE`].
const TESTS_MAY: [(&str, &[&str]); 3] = [
    ("cliproxy", &["cliproxy-proto", "cliproxy-replay", "cliproxy-testkit"]),
    // It starts servers of its own.
    ("cliproxy-store-postgres", &["cliproxy-testkit"]),
    // It checks that the configurations it writes are understood.
    ("xtask", &["cliproxy-config"]),
];

/// The crates in which a third party may be used at all; tests included.
const ONLY_IN: [(&str, &[&str]); 2] = [
    ("sqlx", &["cliproxy-store-postgres", "cliproxy-store-sqlite"]),
    (
        "tonic",
        &["cliproxy", "cliproxy-controlplane", "cliproxy-dataplane", "cliproxy-proto", "cliproxy-testkit"],
    ),
];

/// The crates in which a third party may not be used; their tests may.
const NEVER_IN: [(&str, &[&str]); 3] = [
    ("hyper", &["cliproxy-config", "cliproxy-dialects", "cliproxy-domain", "cliproxy-engine"]),
    ("axum", &["cliproxy-config", "cliproxy-dialects", "cliproxy-domain", "cliproxy-engine"]),
    ("tokio", &["cliproxy-dialects", "cliproxy-domain", "cliproxy-engine"]),
];

/// A second TLS provider or HTTP client, and what is not maintained.
const FORBIDDEN: [&str; 5] = ["native-tls", "openssl-sys", "reqwest", "ring", "serde_yaml"];

/// Where sources may name tonic: the wire's two ends, and what puts them together.
const TONIC_NAMED_IN: [&str; 9] = [
    "controlplane/src/grpc",
    "controlplane/src/plane",
    // One listener answers REST and gRPC alike: who is turned away, or lost, is told so in the terms of the call.
    "controlplane/src/http/access.rs",
    "controlplane/src/http/error.rs",
    "crates/testkit/",
    "dataplane/src/sync",
    // A control plane for tests of a whole node.
    "dataplane/tests/cluster/",
    "proto/",
    "tests/",
];

const MOST_LINES: usize = 450;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn cargo(arguments: &[&str]) -> Vec<u8> {
    let cargo = Command::new(env!("CARGO")).args(arguments).arg("--offline").current_dir(root()).output();
    let output = cargo.expect("cargo runs");
    assert!(output.status.success(), "cargo {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// One dependency of one of our crates.
struct Edge {
    of: String,
    on: String,
    in_tests_only: bool,
}

fn edges() -> Vec<Edge> {
    let metadata = cargo(&["metadata", "--no-deps", "--format-version", "1"]);
    let metadata: Value = serde_json::from_slice(&metadata).expect("metadata is JSON");
    let packages = metadata["packages"].as_array().expect("metadata lists packages");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let edge = |of: &Value, on: &Value| Edge {
        of: text(&of["name"]),
        on: text(&on["name"]),
        in_tests_only: on["kind"] == "dev",
    };
    packages
        .iter()
        .flat_map(|of| of["dependencies"].as_array().into_iter().flatten().map(move |on| edge(of, on)))
        .collect()
}

fn listed(table: &[(&str, &[&str])], key: &str, value: &str) -> bool {
    table.iter().any(|(name, values)| *name == key && values.contains(&value))
}

/// Tells whether a crate is the third party `family`, or one that goes with it as `tokio-util` with `tokio`.
fn is_of(name: &str, family: &str) -> bool {
    name.strip_prefix(family).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

fn nothing_wrong(found: Vec<String>) {
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

#[test]
fn crates_depend_only_on_what_the_table_allows() {
    let edges = edges();
    let allowed: BTreeMap<&str, &[&str]> = MAY_USE.into();
    let ours = |name: &str| name.starts_with("cliproxy") || name == "xtask";
    let unknown = edges.iter().filter(|edge| !allowed.contains_key(edge.of.as_str()));
    let unknown = unknown.map(|edge| format!("{} has no row in the table", edge.of));
    let wrong = edges.iter().filter(|edge| {
        ours(&edge.on)
            && edge.of != edge.on
            && !listed(&MAY_USE, &edge.of, &edge.on)
            && !(edge.in_tests_only && listed(&TESTS_MAY, &edge.of, &edge.on))
    });
    let wrong = wrong.map(|edge| format!("{} may not use {}", edge.of, edge.on));
    nothing_wrong(unknown.chain(wrong).collect());
}

#[test]
fn third_parties_stay_behind_their_fences() {
    let outside = |edge: &Edge| {
        ONLY_IN.iter().any(|(third, crates)| is_of(&edge.on, third) && !crates.contains(&edge.of.as_str()))
    };
    let inside = |edge: &Edge| {
        !edge.in_tests_only
            && NEVER_IN
                .iter()
                .any(|(third, crates)| is_of(&edge.on, third) && crates.contains(&edge.of.as_str()))
    };
    // The binary itself speaks no gRPC: only its tests do.
    let root = |edge: &Edge| edge.of == "cliproxy" && edge.on.starts_with("tonic") && !edge.in_tests_only;
    let edges = edges();
    let wrong = edges.iter().filter(|edge| outside(edge) || inside(edge) || root(edge));
    nothing_wrong(wrong.map(|edge| format!("{} may not use {}", edge.of, edge.on)).collect());
}

/// The lock file also lists optional crates that nothing turns on: what counts is what is built.
#[test]
fn forbidden_crates_are_not_built() {
    let tree = cargo(&["tree", "--workspace", "--prefix", "none", "--format", "{p}", "--edges", "all"]);
    let tree = String::from_utf8(tree).expect("crate names are UTF-8");
    let names = || tree.lines().filter_map(|line| line.split_ascii_whitespace().next());
    assert!(names().any(|name| name == "rustls"), "the tree is read wrongly:\n{tree}");
    nothing_wrong(names().filter(|name| FORBIDDEN.contains(name)).map(str::to_owned).collect());
}

#[test]
fn sources_name_tonic_only_at_the_ends_of_the_wire() {
    let named = |source: &Source| ["tonic::", "tonic_"].iter().any(|name| source.names(name));
    let fenced = |source: &Source| !TONIC_NAMED_IN.iter().any(|place| source.path.starts_with(place));
    let sources = sources::all(root());
    // This file speaks of it; were the test blind it would not find the sync module.
    assert!(sources.iter().any(|source| source.path.starts_with("dataplane/src/sync") && named(source)));
    let wrong = sources.iter().filter(|source| fenced(source) && named(source));
    nothing_wrong(wrong.map(|source| format!("{} names tonic", source.path)).collect());
}

#[test]
fn the_nouns_and_the_decisions_know_no_loose_json() {
    let pure = |source: &&Source| {
        ["crates/domain/src", "crates/engine/src"].iter().any(|place| source.path.starts_with(place))
    };
    let loose = |source: &&Source| {
        let code = source.production();
        code.contains("serde_json::Value") || (code.contains("use serde_json::") && code.contains("Value"))
    };
    let sources = sources::all(root());
    nothing_wrong(sources.iter().filter(pure).filter(loose).map(|source| source.path.clone()).collect());
}

#[test]
fn files_are_named_for_their_subject_and_fit_a_reader() {
    const NO_SUBJECT: [&str; 6] = ["common", "helpers", "manager", "misc", "mod", "utils"];
    let vague =
        |source: &Source| {
            source.path.trim_end_matches(".rs").split('/').any(|part| {
                NO_SUBJECT.iter().any(|word| part == *word || part.ends_with(&format!("_{word}")))
            })
        };
    let sources = sources::all(root());
    let named = sources.iter().filter(|source| vague(source)).map(|source| &source.path);
    let named = named.map(|path| format!("{path}: the name says nothing of the subject"));
    let long = sources.iter().filter(|source| !source.is_test() && source.lines() > MOST_LINES);
    let long = long.map(|source| {
        format!("{}: {} lines; more than {MOST_LINES} are two subjects", source.path, source.lines())
    });
    nothing_wrong(named.chain(long).collect());
}

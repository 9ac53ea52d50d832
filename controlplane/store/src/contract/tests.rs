use std::collections::BTreeSet;

/// Gives the names of the cases that a file defines.
fn defined(source: &str) -> impl Iterator<Item = &str> {
    source.lines().filter_map(|line| line.strip_prefix("pub async fn ")?.split('<').next())
}

#[test]
fn every_case_that_is_written_is_run() {
    let files = [
        include_str!("audit.rs"),
        include_str!("budgets.rs"),
        include_str!("changes.rs"),
        include_str!("checks.rs"),
        include_str!("config.rs"),
        include_str!("durability.rs"),
        include_str!("events.rs"),
        include_str!("fences.rs"),
        include_str!("hint_log.rs"),
        include_str!("hint_values.rs"),
        include_str!("hints.rs"),
        include_str!("identity.rs"),
        include_str!("late.rs"),
        include_str!("leases.rs"),
        include_str!("ledger.rs"),
        include_str!("nodes.rs"),
        include_str!("posts.rs"),
        include_str!("rates.rs"),
        include_str!("requests.rs"),
        include_str!("tidy.rs"),
        include_str!("usage.rs"),
        include_str!("usage_by.rs"),
        include_str!("usage_of.rs"),
    ];
    let listed: BTreeSet<_> = include_str!("../contract.rs").lines().map(str::trim).collect();
    let cases: Vec<_> = files.into_iter().flat_map(defined).collect();
    assert!(cases.len() >= 170, "the cases were not found: {cases:?}");
    for case in cases {
        assert!(listed.contains(case), "`{case}` is missing in contract_tests!");
    }
}

use super::*;
use cliproxy_domain::{Provider, ProviderKind, Secret, Timeouts};
use proptest::prelude::*;
use std::collections::BTreeMap;

const NOW: WallTime = WallTime(1_000_000);

fn snapshot(providers: &[(&str, &[&str])]) -> Snapshot {
    let mut snapshot = Snapshot::default();
    for (name, credentials) in providers {
        let provider = Provider {
            name: (*name).into(),
            kind: ProviderKind::OpenAi,
            base_url: "http://localhost".into(),
            credentials: credentials
                .iter()
                .map(|c| Credential { name: (*c).into(), api_key: Secret::new("k"), weight: 1 })
                .collect(),
            models: Vec::new(),
            weight: 1,
            priority: 1,
            timeouts: Timeouts::default(),
            profile: None,
            traits: Vec::new(),
        };
        snapshot.providers.insert(provider.name.clone(), provider);
    }
    snapshot
}

fn candidate(provider: &str, priority: u32, weight: u32) -> Candidate {
    let target = Target { provider: provider.into(), model: "m".into() };
    Candidate { target, priority, weight, plain: true, calls_by_responses: false, behind: false }
}

fn names(order: &Order) -> Vec<String> {
    order.choices.iter().map(|c| format!("{}/{}", c.target.provider, c.credential)).collect()
}

fn nothing_rests(_: &Target, _: &CredentialName) -> Option<WallTime> {
    None
}

#[test]
fn equal_targets_take_turns() {
    let snapshot = snapshot(&[("a", &["k"]), ("b", &["k"]), ("c", &["k"])]);
    let candidates = [candidate("a", 1, 1), candidate("b", 1, 1), candidate("c", 1, 1)];
    let first = |ticket| names(&order(&snapshot, &candidates, &nothing_rests, NOW, ticket))[0].clone();
    assert_eq!((0..6).map(first).collect::<Vec<_>>(), ["a/k", "b/k", "c/k", "a/k", "b/k", "c/k"]);
}

#[test]
fn weights_are_exact_over_their_period() {
    let snapshot = snapshot(&[("a", &["k"]), ("b", &["k"]), ("c", &["k"])]);
    let candidates = [candidate("a", 1, 5), candidate("b", 1, 3), candidate("c", 1, 2)];
    let mut counts = BTreeMap::new();
    for ticket in 0..1_000 {
        let order = order(&snapshot, &candidates, &nothing_rests, NOW, ticket);
        *counts.entry(order.choices[0].target.provider.to_string()).or_insert(0) += 1;
    }
    assert_eq!(counts.into_values().collect::<Vec<_>>(), [500, 300, 200]);
}

#[test]
fn other_targets_come_before_other_credentials_and_lower_tiers_first() {
    let snapshot = snapshot(&[("a", &["k1", "k2"]), ("b", &["k1", "k2"]), ("late", &["k"])]);
    let candidates = [candidate("late", 2, 1), candidate("a", 1, 1), candidate("b", 1, 1)];
    let order = order(&snapshot, &candidates, &nothing_rests, NOW, 0);
    assert_eq!(names(&order), ["a/k1", "b/k1", "late/k", "a/k2", "b/k2"]);
}

#[test]
fn credentials_of_a_target_take_turns() {
    let snapshot = snapshot(&[("a", &["k1", "k2"]), ("b", &["k"])]);
    let candidates = [candidate("a", 1, 1), candidate("b", 1, 1)];
    let mut used = BTreeMap::new();
    for ticket in 0..100 {
        *used
            .entry(names(&order(&snapshot, &candidates, &nothing_rests, NOW, ticket))[0].clone())
            .or_insert(0) += 1;
    }
    assert_eq!(used, BTreeMap::from([("a/k1".into(), 25), ("a/k2".into(), 25), ("b/k".into(), 50)]));
}

#[test]
fn a_resting_credential_is_left_out_and_its_target_only_when_all_rest() {
    let snapshot = snapshot(&[("a", &["k1", "k2"]), ("b", &["k"])]);
    let candidates = [candidate("a", 1, 1), candidate("b", 1, 1)];
    let rest = |target: &Target, credential: &CredentialName| match (
        target.provider.as_str(),
        credential.as_str(),
    ) {
        ("a", "k1") => Some(WallTime(NOW.0 + 500)),
        ("b", "k") => Some(WallTime(NOW.0 + 200)),
        _ => Some(WallTime(NOW.0 - 1)),
    };
    let order = order(&snapshot, &candidates, &rest, NOW, 1);
    assert_eq!(names(&order), ["a/k2"]);
    assert_eq!(order.excluded, [(candidates[1].target.clone(), Exclusion::Cooldown)]);
    assert_eq!(order.soonest, Some(WallTime(NOW.0 + 200)));
}

proptest! {
    #[test]
    fn every_candidate_is_tried_once_whatever_the_weights(
        weights in proptest::collection::vec(1u32..5_000_000, 1..12),
        ticket in any::<u64>(),
    ) {
        let mut order = turn(&weights, ticket);
        prop_assert_eq!(order.len(), weights.len());
        order.sort_unstable();
        order.dedup();
        prop_assert_eq!(order.len(), weights.len());
    }
}

#[test]
fn those_behind_come_after_their_tier_and_before_the_next() {
    let behind = |provider: &str, priority| Candidate { behind: true, ..candidate(provider, priority, 1) };
    let candidates = [behind("a", 1), candidate("b", 1, 1), candidate("c", 2, 1)];
    let snapshot = snapshot(&[("a", &["k"]), ("b", &["k"]), ("c", &["k"])]);
    for ticket in 0..4 {
        let order = order(&snapshot, &candidates, &nothing_rests, NOW, ticket);
        assert_eq!(names(&order), ["b/k", "a/k", "c/k"]);
    }
}

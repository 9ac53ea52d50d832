use super::*;
use crate::{
    order,
    world::{World, named},
};
use cliproxy_domain::{HealthState, Measured, QuotaUnit, Strategy};
use proptest::prelude::*;
use std::{cell::RefCell, collections::BTreeMap};

const SESSIONS: u64 = 2_000;

/// Three providers of six credentials in all.
fn world() -> World {
    World::of(&[("a", &["k1", "k2", "k3"]), ("b", &["k1", "k2"]), ("c", &["k"])])
}

/// Gives where each of `sessions` goes first, at a ticket that differs for each.
fn homes(mut world: World, sessions: u64) -> Vec<String> {
    let outlook = world.outlook();
    let mut homes = Vec::new();
    for session in 0..sessions {
        world.session = Some(session_hash(&[b"session", &session.to_le_bytes()]));
        let order = order(&world.scene(&outlook, session * 7, &crate::Idle), &world.set);
        homes.push(named(&order, &world.set, &outlook).swap_remove(0));
    }
    homes
}

fn count(homes: &[String], name: &str) -> usize {
    homes.iter().filter(|home| *home == name).count()
}

#[test]
fn hashes_are_what_nodes_of_other_builds_compute() {
    let spelled = xxh3_64(b"\x02\0\0\0\0\0\0\0ab\x01\0\0\0\0\0\0\0c");
    assert_eq!(session_hash(&[b"ab", b"c"]), spelled);
    assert_eq!(session_hash(&[b"ab", b"c"]), PINNED.0);
    assert_eq!(credential_seed("claude", "main"), PINNED.1);
    assert_eq!(lot(PINNED.0, PINNED.1, 3.0), PINNED.2);
    assert_ne!(session_hash(&[b"a", b"bc"]), spelled);
    assert_ne!(session_hash(&[b"abc"]), spelled);
}

/// Of the session `ab`, `c`, of the credential `main` of `claude`, and the lot of the two at a weight of 3.
const PINNED: (u64, u64, u64) =
    (7_218_511_453_731_369_902, 7_162_178_456_946_838_345, 4_572_344_062_705_490_853);

#[test]
fn every_node_computes_the_same_whatever_its_ticket_and_strategy() {
    let measured = |ms: u64| Measured { wholes: 50, whole_us: ms * 1_000, ..Measured::default() };
    let home = homes(world(), 50);
    for strategy in [Strategy::RoundRobin, Strategy::Latency, Strategy::QuotaAware] {
        for round in 1..4 {
            let mut other = world()
                .by(strategy)
                .measured("a", measured(round * 900))
                .measured("b", measured(1_000 / round))
                .quota("c", QuotaUnit::Tokens, 1_000, round);
            other.node = format!("node-{round}").as_str().into();
            assert_eq!(homes(other, 50), home, "balancing moves no session");
        }
    }
}

#[test]
fn sessions_are_shared_by_the_weights_of_targets_and_of_their_credentials() {
    let mut world = world().credential_weights("a", &[2, 1, 1]);
    world.candidate("b").weight = 3;
    let homes = homes(world, 10_000);
    let expected =
        [("a/k1", 1_000), ("a/k2", 500), ("a/k3", 500), ("b/k1", 3_000), ("b/k2", 3_000), ("c/k", 2_000)];
    for (name, expected) in expected {
        let count = count(&homes, name);
        assert!(count.abs_diff(expected) < 200, "{name}: {count}, not about {expected}");
    }
}

#[test]
fn one_that_is_left_out_moves_only_its_own_sessions_and_gets_them_back() {
    let before = homes(world(), SESSIONS);
    let all = ["a/k1", "a/k2", "a/k3", "b/k1", "b/k2", "c/k"];
    for gone in all {
        let (provider, credential) = gone.split_once('/').unwrap();
        let after = homes(world().rest(provider, Some(credential), |_| {}), SESSIONS);
        let mut taken: BTreeMap<&str, usize> = BTreeMap::new();
        for (before, after) in before.iter().zip(&after) {
            if before == gone {
                *taken.entry(after).or_default() += 1;
            } else {
                assert_eq!(before, after, "without {gone}");
            }
        }
        assert!(!taken.contains_key(gone) && !taken.is_empty());
        assert!(gone == "c/k" || taken.len() < 3, "the provider's other credentials take them: {taken:?}");
        assert!(gone != "c/k" || taken.len() == 5, "the others share them: {taken:?}");
    }
    assert_eq!(homes(world().rising("c", None, 100), SESSIONS), before);
}

#[test]
fn what_leaves_the_configuration_moves_only_its_own_sessions() {
    let before = homes(world(), SESSIONS);
    let cases: [(&str, &[(&str, &[&str])], f64); 3] = [
        ("a/k2", &[("a", &["k1", "k3"]), ("b", &["k1", "k2"]), ("c", &["k"])], 1.0 / 9.0),
        ("b/k1", &[("a", &["k1", "k2", "k3"]), ("b", &["k2"]), ("c", &["k"])], 1.0 / 6.0),
        ("c/k", &[("a", &["k1", "k2", "k3"]), ("b", &["k1", "k2"])], 1.0 / 3.0),
    ];
    for (gone, left, share) in cases {
        let after = homes(World::of(left), SESSIONS);
        let moved = before.iter().zip(&after).filter(|(before, after)| before != after);
        let moved: Vec<_> = moved.map(|(before, _)| before.as_str()).collect();
        assert!(moved.iter().all(|home| *home == gone), "without {gone}");
        assert!((moved.len() as f64 / SESSIONS as f64 - share).abs() < 0.03, "{gone}: {}", moved.len());
    }
}

#[test]
fn a_whole_provider_that_is_left_out_moves_only_its_own_sessions() {
    let before = homes(world(), SESSIONS);
    let after = homes(world().health("a", HealthState::Unhealthy), SESSIONS);
    for (before, after) in before.iter().zip(&after) {
        assert!(before.starts_with("a/") != (before == after), "{before} to {after}");
    }
    let moved = before.iter().filter(|home| home.starts_with("a/")).count() as f64;
    assert!((moved / SESSIONS as f64 - 1.0 / 3.0).abs() < 0.05, "{moved}");
}

#[test]
fn sessions_come_back_one_after_the_other_and_stay() {
    let (without, whole) = (homes(world().rest("c", None, |_| {}), SESSIONS), homes(world(), SESSIONS));
    let all = count(&whole, "c/k") as f64;
    let mut last: Vec<String> = without.clone();
    for percent in [10, 30, 50, 80, 100] {
        let now = homes(world().rising("c", None, percent), SESSIONS);
        for place in 0..now.len() {
            let expected = if now[place] == "c/k" { &whole[place] } else { &without[place] };
            assert_eq!(&now[place], expected, "nobody moves but to where it belongs");
            assert!(last[place] != "c/k" || now[place] == "c/k", "who is back stays");
        }
        let back = count(&now, "c/k") as f64 / all;
        assert!((back - f64::from(percent) / 100.0).abs() < 0.06, "{back} back at {percent} %");
        last = now;
    }
}

#[test]
fn a_session_that_its_own_credential_fails_goes_to_other_targets_first() {
    let mut world = world();
    for session in 0..50 {
        world.session = Some(session);
        let names = world.names(3);
        let mut providers: Vec<_> = names.iter().take(3).map(|name| &name[..1]).collect();
        providers.sort_unstable();
        assert_eq!((names.len(), providers), (6, vec!["a", "b", "c"]));
    }
}

#[test]
fn a_session_has_the_same_credential_for_all_models_of_a_provider() {
    let mut two = world();
    let mut other = two.candidate("a").clone();
    other.target.model = "another".into();
    two.set.candidates.push(other);
    let outlook = two.outlook();
    let (mut first_model, mut of_a) = (0, 0);
    for session in 0..SESSIONS {
        two.session = Some(session);
        let order = order(&two.scene(&outlook, 0, &crate::Idle), &two.set);
        let of: Vec<_> = order.picks.iter().filter(|pick| [0, 3].contains(&pick.candidate)).take(2).collect();
        assert_eq!(of[0].credential, of[1].credential);
        of_a += u32::from([0, 3].contains(&order.picks[0].candidate));
        first_model += u32::from(order.picks[0].candidate == 0);
    }
    assert!(of_a.abs_diff(1_000) < 100, "two targets of four: {of_a}");
    assert!(first_model.abs_diff(500) < 80, "models of one provider share: {first_model}");
}

/// The open calls that the test itself keeps.
struct Kept(RefCell<BTreeMap<(usize, usize), u32>>);

impl Load for Kept {
    fn in_flight(&self, slot: usize, credential: usize) -> u32 {
        self.0.borrow().get(&(slot, credential)).copied().unwrap_or(0)
    }
}

#[test]
fn a_lone_session_keeps_the_calls_that_it_makes_side_by_side_together() {
    let mut world = world();
    let outlook = world.outlook();
    for session in 0..100 {
        world.session = Some(session);
        let load = Kept(RefCell::default());
        let places: Vec<_> = (0..5)
            .map(|ticket| {
                let pick = order(&world.scene(&outlook, ticket, &load), &world.set).picks[0];
                let place = (pick.candidate, pick.credential);
                *load.0.borrow_mut().entry(place).or_default() += 1;
                place
            })
            .collect();
        assert!(places[..4].iter().all(|place| *place == places[0]), "{places:?}");
        assert_ne!(places[4], places[0], "the fifth would be one too many");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn no_credential_takes_more_than_its_bound(
        weights in proptest::collection::vec(1u32..6, 3),
        keys in proptest::collection::vec(1u32..4, 3),
        busy in 1u64..6,
        seed in any::<u64>(),
    ) {
        // A few sessions ask all the time, so that hashing alone would put all calls on a few credentials.
        let mut world = world().credential_weights("a", &keys);
        for (candidate, weight) in world.set.candidates.iter_mut().zip(&weights) {
            candidate.weight = *weight;
        }
        let outlook = world.outlook();
        let load = Kept(RefCell::default());
        let of_keys = f64::from(keys.iter().sum::<u32>());
        let share = |pick: &crate::Pick| {
            let target = f64::from(weights[pick.candidate]) / f64::from(weights.iter().sum::<u32>());
            let [key, of] = match pick.candidate {
                0 => [f64::from(keys[pick.credential]), of_keys],
                1 => [1.0, 2.0],
                _ => [1.0, 1.0],
            };
            target * key / of
        };
        for call in 0..200u64 {
            world.session = Some(seed.wrapping_add(call % busy));
            let first = order(&world.scene(&outlook, call, &load), &world.set).picks[0];
            let mut open = load.0.borrow_mut();
            let own = open.entry((first.candidate, first.credential)).or_default();
            *own += 1;
            let bound = (1.25 * (call + 1) as f64 * share(&first) - 1e-6).ceil().max(4.0);
            prop_assert!(f64::from(*own) <= bound, "{own} of {call} on {first:?}");
        }
    }

    #[test]
    fn logarithms_are_those_of_the_platform_but_for_their_last_digits(bits in any::<u64>()) {
        let value = unit(bits) + 1.0 / (1u64 << 54) as f64;
        let (ours, theirs) = (ln(value), value.ln());
        prop_assert!((ours - theirs).abs() <= 1e-9 * theirs.abs(), "{ours} {theirs}");
        prop_assert!(ours < 0.0);
    }

    #[test]
    fn lots_leave_their_two_highest_bits_free(session in any::<u64>(), seed in any::<u64>(), weight in 1u32..) {
        prop_assert!(lot(session, seed, f64::from(weight)) < 1 << 62);
    }
}

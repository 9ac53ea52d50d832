use super::*;
use proptest::prelude::*;

fn members(weights: &[u32]) -> Vec<Member> {
    weights.iter().enumerate().map(|(place, weight)| Member::new(place, *weight, 1.0)).collect()
}

fn turn(weights: &[u32], ticket: u64) -> Vec<Member> {
    let mut members = members(weights);
    assert_eq!(in_turn(&mut members, ticket, false), weights.len());
    members
}

fn places(members: &[Member]) -> Vec<usize> {
    members.iter().map(|member| member.place).collect()
}

/// The schedule as its definition has it: all turns of two periods by their times, ties by places.
fn schedule_of(weights: &[u32]) -> Vec<usize> {
    let turns = |(place, weight): (usize, &u32)| {
        let weight = u64::from(*weight);
        // Times as fractions of whole numbers, so that they compare exactly.
        (0..2 * weight).map(move |turn| (2 * turn + 1, weight, place))
    };
    let mut all: Vec<(u64, u64, usize)> = weights.iter().enumerate().flat_map(turns).collect();
    all.sort_by(|a, b| (a.0 * b.1).cmp(&(b.0 * a.1)).then(a.2.cmp(&b.2)));
    all.into_iter().map(|(_, _, place)| place).collect()
}

#[test]
fn turns_of_one_member_are_spread_over_the_period() {
    let first = |ticket| turn(&[5, 3, 2], ticket)[0].place;
    assert_eq!((0..10).map(first).collect::<Vec<_>>(), [0, 1, 2, 0, 0, 1, 0, 2, 1, 0]);
}

#[test]
fn the_others_follow_as_their_turns_do() {
    assert_eq!(places(&turn(&[5, 3, 2], 0)), [0, 1, 2]);
    assert_eq!(places(&turn(&[1, 1, 1], 4)), [1, 2, 0]);
    assert_eq!(places(&turn(&[1, 100, 10], 0)), [1, 2, 0]);
}

#[test]
fn nobody_has_no_turn() {
    assert_eq!(in_turn(&mut [], 7, false), 0);
}

#[test]
fn one_that_rises_takes_exactly_its_part_of_any_run_of_its_turns() {
    for part in [0.1, 0.25, 0.5, 0.9] {
        for start in [0, 12_345, u64::MAX - 2_000] {
            let taken = (start..start + 1_000).filter(|turn| takes(*turn, part)).count();
            assert!(taken.abs_diff((1_000.0 * part) as usize) <= 2, "{taken} of 1000 at {part} from {start}");
        }
    }
}

#[test]
fn turns_that_are_not_taken_go_to_the_others_alike_and_one_that_rises_waits_behind() {
    let mut firsts = [0u32; 4];
    for ticket in 0..4_000 {
        let mut members = members(&[1, 1, 1, 1]);
        members[1].part = 0.1;
        let lead = in_turn(&mut members, ticket, false);
        firsts[members[0].place] += 1;
        if members[0].place == 1 {
            assert_eq!(lead, 4);
        } else {
            assert_eq!((lead, members[3].place), (3, 1), "it stands behind all that do not rise");
        }
    }
    assert!(firsts[1].abs_diff(100) <= 2, "{firsts:?}");
    for place in [0, 2, 3] {
        assert!(firsts[place].abs_diff(1_300) <= 10, "{firsts:?}");
    }
}

#[test]
fn one_that_rises_alone_serves_everything() {
    let mut alone = [Member::new(3, 1, 0.1)];
    for ticket in 0..50 {
        in_turn(&mut alone, ticket, false);
        assert_eq!(alone[0].place, 3);
    }
}

#[test]
fn all_that_rise_alike_share_as_they_always_do() {
    let mut firsts = [0u32; 3];
    for ticket in 0..3_000 {
        let mut members = members(&[1, 1, 1]);
        members.iter_mut().for_each(|member| member.part = 0.1);
        in_turn(&mut members, ticket, false);
        firsts[members[0].place] += 1;
    }
    assert!(firsts.iter().all(|first| first.abs_diff(1_000) <= 10), "{firsts:?}");
}

#[test]
fn sums_beyond_the_exact_ones_are_scaled_and_keep_their_proportions() {
    let weights = [u32::MAX, u32::MAX / 2, 1];
    let mut firsts = [0u32; 3];
    for ticket in 0..3_000 {
        firsts[turn(&weights, ticket)[0].place] += 1;
    }
    assert_eq!(firsts, [2_000, 1_000, 0]);
}

proptest! {
    #[test]
    fn a_ticket_has_the_turn_that_the_schedule_says(
        weights in proptest::collection::vec(1u32..40, 1..9),
        ticket in 0u64..1_000_000,
    ) {
        let period = u64::from(weights.iter().sum::<u32>());
        let schedule = schedule_of(&weights);
        let within = (ticket % period) as usize;
        let mut following: Vec<usize> = Vec::new();
        for place in &schedule[within..] {
            if !following.contains(place) {
                following.push(*place);
            }
        }
        let members = turn(&weights, ticket);
        // Only as far as two periods of the schedule tell.
        prop_assert_eq!(&places(&members)[..following.len()], &following);
        for member in members {
            let before = schedule[..within].iter().filter(|place| **place == member.place).count() as u64;
            prop_assert_eq!(member.had, ticket / period * u64::from(weights[member.place]) + before);
        }
    }

    #[test]
    fn weights_are_exact_over_any_period(
        weights in proptest::collection::vec(1u32..60, 1..12),
        start in 0u64..u64::MAX / 2,
    ) {
        let period = u64::from(weights.iter().sum::<u32>());
        let mut had = vec![0u32; weights.len()];
        for ticket in start..start + period {
            had[turn(&weights, ticket)[0].place] += 1;
        }
        // Equal weights need but one round of each.
        prop_assert_eq!(had, weights);
    }

    #[test]
    fn equal_ones_come_up_once_in_any_run_of_their_number(
        count in 1usize..60,
        weight in 1u32..u32::MAX,
        start in 0u64..u64::MAX / 2,
    ) {
        let mut firsts: Vec<usize> =
            (start..start + count as u64).map(|ticket| turn(&vec![weight; count], ticket)[0].place).collect();
        firsts.sort_unstable();
        prop_assert_eq!(firsts, (0..count).collect::<Vec<_>>());
    }

    #[test]
    fn everyone_is_in_the_order_once_whatever_the_weights_parts_and_ticket(
        members in proptest::collection::vec((any::<u32>(), 0.05f64..1.5), 1..60),
        ticket in any::<u64>(),
        decided in any::<bool>(),
    ) {
        let mut members: Vec<Member> = members
            .into_iter()
            .enumerate()
            .map(|(place, (weight, part))| Member::new(place, weight, part))
            .collect();
        let lead = in_turn(&mut members, ticket, decided);
        prop_assert!(members[lead..].iter().all(Member::is_rising));
        prop_assert!(members.iter().take(lead).skip(1).all(|member| !member.is_rising()));
        let mut places = places(&members);
        places.sort_unstable();
        prop_assert_eq!(places, (0..members.len()).collect::<Vec<_>>());
    }
}

use super::*;
use proptest::prelude::*;
use std::{sync::Arc, thread};

const NOW: WallTime = WallTime(1_771_541_400_000);

fn second(number: i64) -> WallTime {
    WallTime(NOW.0 + number * 1_000)
}

fn taken(budget: &Budget, now: WallTime, wanted: usize) -> usize {
    (0..wanted).filter(|_| budget.take(now)).count()
}

#[test]
fn a_hundred_requests_earn_twenty_retries_and_not_one_more() {
    let budget = Budget::new(20, 0);
    (0..100).for_each(|_| budget.earn());
    assert_eq!(budget.earned(), 20);
    assert_eq!(taken(&budget, NOW, 1_000), 20);
    assert_eq!(taken(&budget, second(1), 1_000), 0);
}

#[test]
fn a_small_cluster_can_fail_over_a_hundred_times_in_any_second() {
    let budget = Budget::new(20, RETRY_FLOOR);
    for number in 0..50 {
        assert_eq!(taken(&budget, second(number), 1_000), 100);
        assert_eq!(taken(&budget, WallTime(second(number).0 + 999), 1_000), 0);
    }
}

#[test]
fn the_floor_is_the_least_and_not_an_addition() {
    let budget = Budget::new(20, RETRY_FLOOR);
    (0..400).for_each(|_| budget.earn());
    assert_eq!(taken(&budget, NOW, 1_000), 100);
    let budget = Budget::new(20, RETRY_FLOOR);
    (0..2_000).for_each(|_| budget.earn());
    assert_eq!(taken(&budget, NOW, 1_000), 400);
}

#[test]
fn where_requests_are_many_the_share_bounds_their_retries() {
    let budget = Budget::new(20, RETRY_FLOOR);
    for number in 0..20 {
        let retried: usize = (0..2_000)
            .map(|_| {
                budget.earn();
                taken(&budget, second(number), 1)
            })
            .sum();
        assert!((400..=480).contains(&retried), "{retried} of 2,000 in second {number}");
    }
}

#[test]
fn hedging_has_a_floor_of_one() {
    let budget = Budget::new(5, HEDGE_FLOOR);
    assert_eq!((taken(&budget, NOW, 10), taken(&budget, second(1), 10)), (1, 1));
}

#[test]
fn what_is_kept_is_bounded_by_what_five_thousand_requests_earn() {
    for (percent, kept) in [(0, 0), (1, 50), (20, 1_000), (100, 5_000)] {
        let budget = Budget::new(percent, 0);
        (0..2 * KEPT_REQUESTS).for_each(|_| budget.earn());
        assert_eq!(taken(&budget, NOW, 20_000), kept, "{percent} %");
    }
}

#[test]
fn a_million_requests_of_one_percent_do_not_drift() {
    let budget = Budget::new(1, 0);
    let taken: usize = (0..10_000)
        .map(|_| {
            (0..100).for_each(|_| budget.earn());
            taken(&budget, NOW, 5)
        })
        .sum();
    assert_eq!(taken, 10_000);
}

#[test]
fn extreme_settings_and_times_are_taken_as_they_are() {
    let budget = Budget::new(u32::MAX, u32::MAX);
    (0..10).for_each(|_| budget.earn());
    assert!(budget.take(WallTime(i64::MAX)) && budget.take(WallTime(i64::MIN)));
    let floor = Budget::new(0, u32::MAX);
    assert_eq!(taken(&floor, NOW, 1_000), 255);
}

#[test]
fn threads_that_take_at_once_take_no_more_than_there_is() {
    let budget = Arc::new(Budget::new(20, RETRY_FLOOR));
    (0..1_000).for_each(|_| budget.earn());
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let budget = Arc::clone(&budget);
            thread::spawn(move || taken(&budget, NOW, 1_000))
        })
        .collect();
    let all: usize = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
    assert_eq!(all, 200);
}

proptest! {
    #[test]
    fn over_any_stretch_no_more_is_allowed_than_the_share_and_the_floor(
        percent in 0_u32..150, floor in 0_u32..20, calls in proptest::collection::vec((any::<bool>(), 0_i64..700), 1..400),
    ) {
        let budget = Budget::new(percent, floor);
        let (mut requests, mut extra, mut now, mut seconds) = (0_u64, 0_u64, NOW.0, std::collections::BTreeSet::new());
        for (is_request, pass) in calls {
            now += pass;
            if is_request {
                requests += 1;
                budget.earn();
            } else {
                seconds.insert(now / 1_000);
                extra += u64::from(budget.take(WallTime(now)));
            }
        }
        prop_assert!(extra * 100 <= requests * u64::from(percent) + seconds.len() as u64 * u64::from(floor) * 100);
    }

    #[test]
    fn the_packed_state_is_what_was_packed(level in 0..=LEVEL_MOST, second in 0..=SECOND_MOST, used in 0..=USED_MOST) {
        let state = State { level, second, used };
        prop_assert_eq!(State::unpack(state.pack()), state);
    }
}

use super::*;
use crate::limit::{LimitSubject, RateId};
use proptest::{collection::vec, prelude::*};

const NOW: WallTime = WallTime(1_771_541_400_000);

const TERMS: Terms =
    Terms { kind: RateKind::RequestsPerMinute, limit: 100, safe_share: 0, ttl: TTL, learning: false };

fn asker(node: &str, incarnation: u64, req: u64) -> Asker {
    Asker { node: node.into(), incarnation: Incarnation(incarnation), req }
}

fn says(held: u64, demand: u64) -> RateClaim {
    RateClaim {
        id: RateId { subject: LimitSubject::Client("ci".into()), kind: RateKind::RequestsPerMinute },
        held,
        demand,
        waiting: 0,
        upstream: None,
        closing: false,
    }
}

fn share(books: &mut RateBooks, asker: &Asker, claim: &RateClaim, now: WallTime) -> u64 {
    lease(books, &TERMS, asker, claim, now).unwrap().share
}

fn later(seconds: u64) -> WallTime {
    NOW.plus(Duration::from_secs(seconds))
}

#[test]
fn a_node_alone_has_the_whole_limit_and_gives_up_its_part_when_it_says_so() {
    let mut books = RateBooks::new();
    assert_eq!(share(&mut books, &asker("a", 1, 1), &says(0, 10), NOW), 100);

    let second = lease(&mut books, &TERMS, &asker("b", 1, 1), &says(0, 10), NOW).unwrap();
    assert_eq!((second.share, second.unmet), (0, true), "the first still counts on all of it");

    // The first hears of its smaller share, and only then says that it keeps to it.
    assert_eq!(share(&mut books, &asker("a", 1, 2), &says(100, 10), NOW), 50);
    assert_eq!(share(&mut books, &asker("b", 1, 2), &says(0, 10), NOW), 0);
    assert_eq!(share(&mut books, &asker("a", 1, 3), &says(50, 10), NOW), 50);
    assert_eq!(share(&mut books, &asker("b", 1, 3), &says(0, 10), NOW), 50);
}

#[test]
fn what_was_used_within_the_last_minute_stays_held_after_a_share_shrinks() {
    let mut books = RateBooks::new();
    share(&mut books, &asker("a", 1, 1), &says(0, 100), NOW);
    share(&mut books, &asker("b", 1, 1), &says(0, 100), NOW);
    assert_eq!(share(&mut books, &asker("a", 1, 2), &says(90, 100), NOW), 50);
    assert_eq!(share(&mut books, &asker("b", 1, 2), &says(0, 100), NOW), 10, "90 were used");
}

#[test]
fn a_silent_node_keeps_what_it_holds_until_what_it_used_is_of_no_minute_any_more() {
    let mut books = RateBooks::new();
    share(&mut books, &asker("a", 1, 1), &says(0, 60), NOW);
    assert_eq!(share(&mut books, &asker("b", 1, 1), &says(0, 60), later(70)), 0);
    assert_eq!(share(&mut books, &asker("b", 1, 2), &says(0, 60), later(72)), 100);
}

#[test]
fn a_silent_node_that_goes_on_safely_has_its_safe_share_kept_for_minutes() {
    let mut books = RateBooks::new();
    let terms = Terms { safe_share: 45, ..TERMS };
    let mut ask =
        |node, req, held, now| lease(&mut books, &terms, &asker(node, 1, req), &says(held, 60), now).unwrap();
    assert_eq!(ask("a", 1, 0, NOW).safe_share, 45);
    assert_eq!(ask("b", 1, 0, later(72)).share, 55);
    assert_eq!(ask("b", 2, 55, later(400)).share, 100);
}

#[test]
fn safe_shares_of_all_nodes_stay_within_the_limit() {
    for limit in 0..200 {
        for nodes in 1..50 {
            let part = safe_share(limit, LossMode::Safe, nodes);
            assert!(part * nodes <= limit, "{nodes} nodes of {limit}");
            assert!(part > 0 || nodes > limit, "{nodes} nodes of {limit}");
        }
    }
    assert_eq!(safe_share(100, LossMode::Safe, 2), 45);
    assert_eq!(safe_share(100, LossMode::Strict, 2), 0);
}

#[test]
fn a_node_that_was_restarted_does_not_forget_what_it_used() {
    let mut books = RateBooks::new();
    share(&mut books, &asker("a", 1, 1), &says(0, 60), NOW);
    share(&mut books, &asker("a", 1, 2), &says(100, 60), NOW);
    assert_eq!(share(&mut books, &asker("a", 2, 1), &says(0, 60), later(1)), 0);
    assert_eq!(share(&mut books, &asker("a", 2, 2), &says(0, 60), later(61)), 0);
    assert_eq!(share(&mut books, &asker("a", 2, 3), &says(0, 60), later(63)), 100);
    assert_eq!(lease(&mut books, &TERMS, &asker("a", 1, 3), &says(0, 60), later(63)), None, "it is gone");
}

#[test]
fn a_process_with_a_lower_number_is_heard_once_the_one_with_the_higher_is_long_gone() {
    let mut books = RateBooks::new();
    share(&mut books, &asker("a", 9, 1), &says(0, 60), NOW);
    assert_eq!(lease(&mut books, &TERMS, &asker("a", 3, 1), &says(0, 60), later(300)), None);
    assert_eq!(share(&mut books, &asker("a", 3, 2), &says(0, 60), later(311)), 100);
}

#[test]
fn what_a_node_that_stops_does_not_need_is_free_at_once_and_what_it_used_after_a_minute() {
    let mut books = RateBooks::new();
    let terms = Terms { safe_share: 45, ..TERMS };
    lease(&mut books, &terms, &asker("a", 1, 1), &says(0, 60), NOW);
    let stops = RateClaim { closing: true, ..says(20, 0) };
    assert_eq!(lease(&mut books, &terms, &asker("a", 1, 2), &stops, NOW), None);
    assert_eq!(lease(&mut books, &terms, &asker("a", 1, 1), &says(100, 60), NOW), None, "a late word");
    let mut share =
        |req, now| lease(&mut books, &terms, &asker("b", 1, req), &says(0, 100), now).unwrap().share;
    assert_eq!(share(1, NOW), 80);
    assert_eq!(share(2, later(62)), 100);
}

#[test]
fn open_requests_end_with_the_process_that_served_them() {
    let mut books = RateBooks::new();
    let terms = Terms { kind: RateKind::ConcurrentRequests, ..TERMS };
    lease(&mut books, &terms, &asker("a", 1, 1), &says(0, 60), NOW);
    assert_eq!(lease(&mut books, &terms, &asker("a", 2, 1), &says(0, 60), NOW).unwrap().share, 100);
}

#[test]
fn a_late_claim_is_not_answered_and_the_same_one_is_answered_alike() {
    let mut books = RateBooks::new();
    let first = lease(&mut books, &TERMS, &asker("a", 1, 2), &says(0, 60), NOW);
    let before = books.clone();
    assert_eq!(lease(&mut books, &TERMS, &asker("a", 1, 1), &says(0, 60), NOW), None);
    assert_eq!(lease(&mut books, &TERMS, &asker("a", 1, 2), &says(0, 60), later(1)), first);
    assert_eq!(books, before);
}

#[test]
fn a_store_that_lost_commits_writes_down_what_nodes_hold_and_answers_nobody() {
    let mut books = RateBooks::new();
    let terms = Terms { learning: true, ..TERMS };
    assert_eq!(lease(&mut books, &terms, &asker("a", 1, 9), &says(30, 10), NOW), None);
    assert_eq!(share(&mut books, &asker("b", 1, 1), &says(0, 100), NOW), 70);
}

#[test]
fn the_provider_s_word_lowers_the_limit_for_everybody_and_the_last_one_counts() {
    let mut books = RateBooks::new();
    let said = |limit, age| {
        let said =
            UpstreamLimit { limit, remaining: 0, resets_in: Duration::ZERO, age: Duration::from_secs(age) };
        RateClaim { upstream: Some(said), ..says(0, 5) }
    };
    let mut limit = |node, req, claim: &RateClaim, now| {
        lease(&mut books, &TERMS, &asker(node, 1, req), claim, now).unwrap().limit
    };
    assert_eq!(limit("a", 1, &said(40, 10), NOW), 40);
    assert_eq!(limit("b", 1, &said(80, 30), NOW), 40, "an older word");
    assert_eq!(limit("b", 2, &said(80, 1), NOW), 80);
    assert_eq!(limit("b", 3, &said(900, 0), NOW), 100, "no more than is configured");
    assert_eq!(limit("a", 2, &says(0, 5), later(601)), 100, "no word is believed for ever");
}

#[derive(Clone, Copy, Default)]
struct Truth {
    share: u64,
    used: u64,
}

proptest! {
    /// Whatever nodes use of their shares and whichever answers they hear, what all of them can count on stays within
    /// the limit.
    #[test]
    fn the_sum_of_what_nodes_count_on_stays_within_the_limit(
        limit in 0_u64..300,
        steps in vec((0_usize..4, 0_u64..300, 0_u8..6), 0..200),
    ) {
        let mut books = RateBooks::new();
        let mut nodes = [Truth::default(); 4];
        let terms = Terms { limit, ..TERMS };
        for (req, (at, amount, action)) in (1..).zip(steps) {
            let node = &mut nodes[at];
            match action {
                0 => node.used = (node.used + amount).min(node.share.max(node.used)),
                1 => node.used = node.used.saturating_sub(amount),
                _ => {
                    let claim = says(node.share.max(node.used), amount);
                    let given = lease(&mut books, &terms, &asker(&at.to_string(), 1, req), &claim, NOW).unwrap();
                    if action > 2 {
                        node.share = given.share;
                    }
                }
            }
            let sum: u64 = nodes.iter().map(|node| node.share.max(node.used)).sum();
            prop_assert!(sum <= limit, "{} of {}", sum, limit);
        }
    }

    /// No claim, however wrong, makes the arithmetic fail.
    #[test]
    fn no_claim_breaks_the_books(claims in vec((any::<[u64; 4]>(), 0..3_u64, 0..3_u64, any::<i64>()), 1..20)) {
        let mut books = RateBooks::new();
        for ([held, demand, waiting, limit], node, req, at) in claims {
            let claim = RateClaim { waiting, ..says(held, demand) };
            let terms = Terms { limit, safe_share: held, ..TERMS };
            lease(&mut books, &terms, &asker(&node.to_string(), req, req), &claim, WallTime(at));
        }
    }
}

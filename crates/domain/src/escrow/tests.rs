use super::*;
use crate::{
    balancing::QuotaUnit,
    limit::{BudgetId, LimitSubject},
    time::WallTime,
};
use proptest::{collection::vec, prelude::*};

const FIRST: Incarnation = Incarnation(1);
const SECOND: Incarnation = Incarnation(2);

fn window(limit: u64) -> WindowBooks {
    WindowBooks { limit, ..WindowBooks::default() }
}

fn says(granted: u64, spent: u64, returned: u64) -> BudgetClaim {
    BudgetClaim {
        id: BudgetId { subject: LimitSubject::Provider("claude".into()), unit: QuotaUnit::Tokens },
        holder: FIRST,
        period: Some(WallTime(0)),
        granted,
        spent,
        returned,
        want: 0,
        least: 0,
        closing: false,
    }
}

fn asks(granted: u64, want: u64, least: u64) -> BudgetClaim {
    BudgetClaim { want, least, ..says(granted, 0, 0) }
}

#[test]
fn a_slice_is_a_small_part_of_what_remains_unless_a_request_needs_more() {
    let (mut books, mut a) = (window(1_600), HolderBooks::default());
    assert_eq!(lease(&mut books, &mut a, FIRST, &asks(0, 900, 0), 2), Given { given: 100, unmet: 0 });
    assert_eq!(lease(&mut books, &mut a, FIRST, &asks(100, 0, 700), 2), Given { given: 700, unmet: 0 });
    assert_eq!((books.outstanding, books.remaining(), a.free()), (800, 800, 800));
}

#[test]
fn less_than_the_least_is_not_given_and_is_told() {
    let (mut books, mut a) = (window(100), HolderBooks::default());
    assert_eq!(lease(&mut books, &mut a, FIRST, &asks(0, 500, 101), 1), Given { given: 0, unmet: 101 });
    assert_eq!(lease(&mut books, &mut a, FIRST, &asks(0, 500, 100), 1), Given { given: 100, unmet: 0 });
    assert!(!books.used_up(), "a slice that is out can come back");
    settle(&mut books, &mut a, FIRST, &says(100, 100, 0));
    assert!(books.used_up());
}

#[test]
fn a_lost_grant_creates_no_budget_and_destroys_none() {
    let (mut books, mut a) = (window(1_000), HolderBooks::default());
    let claim = asks(0, 0, 300);
    assert_eq!(lease(&mut books, &mut a, FIRST, &claim, 1).given, 300);
    assert_eq!(lease(&mut books, &mut a, FIRST, &claim, 1), Given { given: 0, unmet: 0 });
    assert_eq!(a.granted, 300, "the answer tells again what was given");
}

#[test]
fn a_claim_that_comes_twice_is_given_one_slice_however_much_it_wants_and_remains() {
    let (mut books, mut a, mut b) = (window(1_600), HolderBooks::default(), HolderBooks::default());
    lease(&mut books, &mut b, FIRST, &asks(0, 0, 800), 2);
    let claim = asks(0, 900, 0);
    assert_eq!(lease(&mut books, &mut a, FIRST, &claim, 2).given, 50);
    // More is left than when it came first.
    lease(&mut books, &mut b, FIRST, &says(800, 0, 800), 2);
    assert_eq!(lease(&mut books, &mut a, FIRST, &claim, 2), Given::default());
    let knowing = asks(50, 850, 0);
    assert_eq!(lease(&mut books, &mut a, FIRST, &knowing, 2).given, 96);
}

#[test]
fn a_process_that_does_not_know_the_period_is_told_what_it_already_has() {
    let (mut books, mut a) = (window(1_000), HolderBooks::default());
    // Its sums are of the period before.
    let claim = BudgetClaim { least: 200, ..says(5_000, 4_000, 0) };
    assert_eq!(begin(&mut books, &mut a, &claim, 1).given, 200);
    assert_eq!(begin(&mut books, &mut a, &claim, 1).given, 0);
    assert_eq!((a.granted, a.spent, books.settled), (200, 0, 0));
}

#[test]
fn what_comes_back_can_be_given_to_another() {
    let (mut books, mut a, mut b) = (window(100), HolderBooks::default(), HolderBooks::default());
    lease(&mut books, &mut a, FIRST, &asks(0, 0, 100), 2);
    assert_eq!(lease(&mut books, &mut b, FIRST, &asks(0, 0, 40), 2).unmet, 40);
    lease(&mut books, &mut a, FIRST, &says(100, 30, 70), 2);
    assert_eq!(lease(&mut books, &mut b, FIRST, &asks(0, 0, 40), 2).given, 40);
    assert_eq!((books.settled, books.outstanding), (30, 40));
}

#[test]
fn claims_out_of_order_change_nothing() {
    let (mut books, mut a) = (window(1_000), HolderBooks::default());
    lease(&mut books, &mut a, FIRST, &asks(0, 0, 500), 1);
    lease(&mut books, &mut a, FIRST, &says(500, 200, 100), 1);
    let before = (books, a);
    lease(&mut books, &mut a, FIRST, &says(500, 150, 0), 1);
    lease(&mut books, &mut a, FIRST, &asks(0, 0, 500), 1);
    assert_eq!((books, a), before);
}

#[test]
fn an_answer_that_outgrew_its_reservation_is_counted_and_evened_out_before_anything_else() {
    let (mut books, mut a) = (window(1_000), HolderBooks::default());
    lease(&mut books, &mut a, FIRST, &asks(0, 0, 100), 1);
    lease(&mut books, &mut a, FIRST, &says(100, 160, 0), 1);
    assert_eq!((books.settled, books.outstanding, a.free()), (160, 0, 0));

    // 60 even it out, 40 can be spent.
    let more = BudgetClaim { least: 100, ..says(100, 160, 0) };
    assert_eq!(lease(&mut books, &mut a, FIRST, &more, 1).given, 100);
    assert_eq!((books.settled, books.outstanding, a.free()), (160, 40, 40));
}

#[test]
fn a_dead_process_keeps_its_slice_until_a_later_one_says_what_it_left() {
    let (mut books, mut a) = (window(1_000), HolderBooks::default());
    lease(&mut books, &mut a, FIRST, &asks(0, 0, 400), 1);
    let left = BudgetClaim { closing: true, ..says(0, 150, 50) };
    lease(&mut books, &mut a, SECOND, &left, 1);
    assert_eq!((books.settled, books.outstanding, books.remaining()), (150, 0, 850));
    assert_eq!(a.granted, 400);

    // A word of its own that comes later still cannot take it out again.
    assert_eq!(lease(&mut books, &mut a, FIRST, &asks(400, 300, 300), 1), Given::default());
    assert_eq!((books.settled, books.outstanding), (150, 0));
}

#[test]
fn what_an_operator_took_from_one_that_lives_is_out_again_with_its_next_word() {
    let (mut books, mut a) = (window(1_000), HolderBooks::default());
    lease(&mut books, &mut a, FIRST, &asks(0, 0, 400), 1);
    assert_eq!(release(&mut books, &mut a, FIRST), 400);
    assert_eq!(release(&mut books, &mut a, FIRST), 0);
    assert_eq!(books.remaining(), 1_000);

    lease(&mut books, &mut a, FIRST, &says(400, 10, 0), 1);
    assert_eq!((books.settled, books.outstanding), (10, 390));
}

#[test]
fn books_that_lost_commits_take_the_holders_word_for_what_it_has() {
    let (mut books, mut a) = (window(1_000), HolderBooks::default());
    settle(&mut books, &mut a, FIRST, &BudgetClaim { want: 500, least: 500, ..says(400, 100, 20) });
    assert_eq!((a.granted, books.settled, books.outstanding), (400, 100, 280), "and give nothing meanwhile");
}

#[test]
fn a_limit_that_is_lowered_stops_grants_and_takes_nothing_back() {
    let (mut books, mut a) = (window(1_000), HolderBooks::default());
    lease(&mut books, &mut a, FIRST, &asks(0, 0, 400), 1);
    books.limit = 300;
    assert_eq!(lease(&mut books, &mut a, FIRST, &asks(400, 10, 10), 1), Given { given: 0, unmet: 10 });
    assert_eq!(a.free(), 400);
}

/// One node as it really is.
#[derive(Clone, Copy, Default)]
struct Truth {
    granted: u64,
    spent: u64,
    returned: u64,
}

proptest! {
    /// Whatever is claimed in whatever order, answers heard or not: what is spent and what can still be spent never
    /// pass the limit, and the books are their holders' sums.
    #[test]
    fn what_is_spent_and_what_is_out_stay_within_the_limit(
        limit in 0_u64..5_000,
        steps in vec((0_usize..4, 0_u64..1_000, 0_u64..1_000, 0_u8..8), 0..200),
    ) {
        let mut books = window(limit);
        let mut holders = [HolderBooks::default(); 4];
        let mut nodes = [Truth::default(); 4];
        let mut late: Vec<(usize, BudgetClaim)> = Vec::new();
        for (at, x, y, action) in steps {
            let node = &mut nodes[at];
            let balance = node.granted - node.spent - node.returned;
            match action {
                0 => node.spent += x.min(balance),
                1 => node.returned += x.min(balance),
                // A message from before, once more.
                2 => if let Some((at, claim)) = late.get(x as usize % late.len().max(1)) {
                    lease(&mut books, &mut holders[*at], FIRST, claim, 4);
                },
                _ => {
                    let claim = BudgetClaim {
                        want: x, least: if action == 3 { y } else { 0 }, ..says(node.granted, node.spent, node.returned)
                    };
                    lease(&mut books, &mut holders[at], FIRST, &claim, 4);
                    if action != 4 {
                        node.granted = holders[at].granted;
                    }
                    late.push((at, claim));
                }
            }
            let free: u64 = holders.iter().map(HolderBooks::free).sum();
            prop_assert_eq!(books.outstanding, free);
            prop_assert_eq!(books.settled, holders.iter().map(|holder| holder.spent).sum::<u64>());
            prop_assert!(books.settled + books.outstanding <= limit);
            let most: u64 = nodes.iter().map(|node| node.granted - node.returned).sum();
            prop_assert!(most <= limit, "{} could be spent of {}", most, limit);
        }
    }

    /// Whatever is claimed: who was given something is given nothing for the same claim once more, whatever others give
    /// back meanwhile.
    #[test]
    fn the_same_claim_once_more_gives_nothing_more(
        limit in 0_u64..5_000, taken in 0_u64..5_000, nodes in 1_u64..9,
        held in 0_u64..2_000, heard in 0_u64..2_000,
        want in 0_u64..5_000, least in 0_u64..5_000,
        back in any::<bool>(),
    ) {
        let (mut books, mut a, mut b) = (window(limit), HolderBooks::default(), HolderBooks::default());
        lease(&mut books, &mut a, FIRST, &asks(0, 0, held), nodes);
        lease(&mut books, &mut b, FIRST, &asks(0, 0, taken), nodes);
        let claim = asks(heard.min(a.granted), want, least);
        let first = lease(&mut books, &mut a, FIRST, &claim, nodes);
        if back && first.given > 0 {
            let granted = b.granted;
            settle(&mut books, &mut b, FIRST, &says(granted, 0, granted));
        }
        prop_assert_eq!(lease(&mut books, &mut a, FIRST, &claim, nodes).given, 0);
    }

    /// No claim, however wrong, makes the arithmetic fail or an amount too large to store.
    #[test]
    fn no_claim_breaks_the_books(claims in vec((any::<[u64; 5]>(), any::<bool>(), 1..3_u64, any::<u64>()), 1..20)) {
        let (mut books, mut a) = (window(MOST), HolderBooks::default());
        for ([granted, spent, returned, want, least], closing, asker, nodes) in claims {
            let claim = BudgetClaim { want, least, closing, ..says(granted, spent, returned) };
            lease(&mut books, &mut a, Incarnation(asker), &claim, nodes);
            begin(&mut books, &mut a, &claim, nodes);
            for amount in [a.granted, a.spent, a.returned, books.settled, books.outstanding] {
                prop_assert!(amount <= MOST);
            }
        }
    }
}

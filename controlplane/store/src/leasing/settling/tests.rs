use super::*;
use crate::BudgetTerms;
use cliproxy_domain::{LimitSubject, QuotaUnit};
use std::{sync::Arc, time::Duration};

const NOW: WallTime = WallTime(1_771_541_400_000);
const FIRST: Incarnation = Incarnation(1);
const SECOND: Incarnation = Incarnation(2);

fn id() -> BudgetId {
    BudgetId { subject: LimitSubject::Client("ci".into()), unit: QuotaUnit::Tokens }
}

fn claim(holder: Incarnation) -> BudgetClaim {
    BudgetClaim {
        id: id(),
        holder,
        period: None,
        granted: 0,
        spent: 0,
        returned: 0,
        want: 0,
        least: 0,
        closing: false,
    }
}

fn settles(books: Books, by: Incarnation, claim: BudgetClaim) -> Books {
    let period = NOW..NOW.plus(Duration::from_secs(60));
    let terms = BudgetTerms { limit: 100, period, settled_before: Some(0) };
    let terms = Terms { budgets: [(id(), terms)].into(), nodes: 1, ..Terms::default() };
    let (req, budgets, rates) = (1, vec![claim], Vec::new());
    let claims = NodeClaims { node: "a".into(), incarnation: by, req, budgets, rates };
    let leasing = Leasing { claims: vec![claims], terms: Arc::new(terms), now: NOW };
    let settled = settle(&leasing, books, NOW);
    Books { windows: settled.windows, escrows: settled.escrows, ..Books::default() }
}

#[test]
fn what_was_given_to_a_process_that_was_killed_before_it_heard_of_it_comes_back() {
    let given = settles(Books::default(), FIRST, BudgetClaim { least: 70, ..claim(FIRST) });
    let out = |books: &Books| books.windows.values().map(|window| window.books.outstanding).sum::<u64>();
    assert_eq!(out(&given), 70);
    let back = settles(given, SECOND, BudgetClaim { closing: true, ..claim(FIRST) });
    assert_eq!(out(&back), 0);
    // And not a word of it that comes later takes it out again.
    assert_eq!(out(&settles(back, FIRST, BudgetClaim { least: 70, ..claim(FIRST) })), 0);
}

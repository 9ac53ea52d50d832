//! Limits under faults of the database, and by its clock.

use super::*;
use crate::{
    Learning, Leasing, Terms,
    contract::claims::{TTL, asks, claim, lease, rates, share, terms, under, window},
};
use cliproxy_domain::{BudgetClaim, Incarnation};
use std::sync::atomic::AtomicI64;

const LIMIT: u64 = 10_000;

/// A process of a node, with what it knows.
#[derive(Clone)]
struct Node {
    name: String,
    process: u64,
    /// What it was told, spent and gave back.
    sums: BudgetClaim,
}

impl Node {
    fn new(index: usize) -> Self {
        Self { name: format!("node {index}"), process: 1, sums: claim() }
    }

    fn balance(&self) -> u64 {
        self.sums.granted - self.sums.spent - self.sums.returned
    }

    /// Claims, and hears the answer if there is one.
    async fn claims(&mut self, store: &Arc<MemoryStore>, terms: &Terms) {
        let mut claims = asks(&self.name, self.sums.clone());
        claims.incarnation = Incarnation(self.process);
        claims.budgets[0].holder = Incarnation(self.process);
        if let Ok(leased) = store.lease(under(terms, vec![claims])).await {
            self.sums.granted = leased.grants[0].budgets[0].granted;
        }
    }

    /// Dies, and begins again with what it wrote down: what it spent.
    async fn restarts(&mut self, store: &Arc<MemoryStore>, terms: &Terms) {
        let left = BudgetClaim { closing: true, want: 0, least: 0, ..self.sums.clone() };
        self.process += 1;
        let own = Incarnation(self.process);
        self.sums = BudgetClaim { holder: own, ..claim() };
        let mut claims = asks(&self.name, left);
        claims.incarnation = own;
        // Until somebody has heard it.
        while store.lease(under(terms, vec![claims.clone()])).await.is_err() {}
    }
}

/// Draws numbers, the same for the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most
    }
}

/// Has nodes spend under faults, and gives what all of them spent and what the store thinks.
async fn spend(seed: u64) -> (u64, crate::WindowLeases) {
    let store = Arc::new(store());
    let odds = Odds { refused: 100, answer_lost: 150, commit_lost: 100, ..Odds::default() };
    store.faults().draw(seed, odds);
    let (mut dice, terms) = (Dice(seed), terms(LIMIT));
    let mut nodes: Vec<Node> = (0..4).map(Node::new).collect();
    let mut spent = 0;
    for _ in 0..300 {
        let node = &mut nodes[dice.below(4) as usize];
        match dice.below(20) {
            0 => node.restarts(&store, &terms).await,
            1 => node.sums.returned += node.balance(),
            2..=9 => {
                (node.sums.want, node.sums.least) = (dice.below(800), dice.below(100));
                node.claims(&store, &terms).await;
            }
            _ => {
                let amount = dice.below(200).min(node.balance());
                node.sums.spent += amount;
                spent += amount;
            }
        }
    }
    store.faults().heal();
    for node in &mut nodes {
        node.restarts(&store, &terms).await;
    }
    (spent, window(&store).await.unwrap())
}

#[tokio::test]
async fn no_fault_of_the_database_lets_more_than_the_limit_be_spent_or_loses_any_of_it() {
    for seed in 0..200 {
        let (spent, window) = spend(seed).await;
        assert!(spent <= LIMIT, "seed {seed}: {spent}");
        assert_eq!((window.settled, window.outstanding), (spent, 0), "seed {seed}");
    }
}

#[tokio::test]
async fn a_commit_whose_answer_was_lost_is_told_with_the_next_claim() {
    let store = Arc::new(store());
    store.faults().strike([Strike::AnswerLost, Strike::CommitLost, Strike::Refused]);
    let ask = || vec![asks("a", BudgetClaim { want: 60, least: 60, ..claim() })];
    for _ in 0..3 {
        assert!(lease(&store, &terms(100), ask()).await.is_err());
    }
    assert_eq!(lease(&store, &terms(100), ask()).await.unwrap()[0].granted, 60);
    assert_eq!(window(&store).await.unwrap().outstanding, 60);
}

#[tokio::test]
async fn commits_that_were_lost_are_learned_of_before_anything_is_granted() {
    let store = Arc::new(store());
    let savepoint = store.savepoint();
    let mut holder = Node::new(0);
    (holder.sums.want, holder.sums.least) = (90, 90);
    holder.claims(&store, &terms(100)).await;
    store.roll_back(&savepoint, HistoryId("another".into()));
    (holder.sums.want, holder.sums.least) = (0, 0);
    let learning = Terms { learning: Learning { budgets: true, rates: true }, ..terms(100) };
    holder.claims(&store, &learning).await;
    let ask = vec![asks("b", BudgetClaim { want: 20, least: 20, ..claim() })];
    assert_eq!(lease(&store, &terms(100), ask).await.unwrap()[0].granted, 0);
}

#[tokio::test]
async fn a_share_ends_by_the_databases_clock_and_not_by_the_callers() {
    let clock = Arc::new(AtomicI64::new(NOW.0));
    let by = Arc::clone(&clock);
    let store = MemoryStore::with_clock(HistoryId("h".into()), move || WallTime(by.load(Ordering::Relaxed)));
    let store = Arc::new(store);
    let limit = terms(100);
    assert_eq!(share(&store, &limit, vec![rates("gone", 1, 0, 80)]).await.unwrap()[0].share, 100);
    let hours_ahead = Leasing { now: NOW.plus(TTL * 3_600), ..under(&limit, vec![rates("a", 1, 0, 80)]) };
    assert_eq!(store.lease(hours_ahead).await.unwrap().grants[0].rates[0].share, 0);

    let mut given = Vec::new();
    for (req, after) in [(2, TTL), (3, TTL * 2), (4, TTL * 8), (5, TTL * 40)] {
        clock.store(NOW.plus(after).0, Ordering::Relaxed);
        given.push(share(&store, &limit, vec![rates("a", req, 0, 80)]).await.unwrap()[0].share);
    }
    // What it may have used until its share ended is of the last minute until then, and its safe share is kept longer.
    assert_eq!(given, [0, 0, 90, 100]);
    assert_eq!(store.leases(NOW).await.unwrap().shares.len(), 1, "who is gone is forgotten");
}

//! How many rows a second one writer takes, and how many claims of limits. Run it by hand, in a release build for numbers that mean something:
//! `cargo test --release -p cliproxy-store-sqlite --test throughput -- --ignored --nocapture`.

use cliproxy_domain::{
    AttemptCounts, Batch, BudgetClaim, BudgetId, Incarnation, LedgerKey, LedgerRow, LimitSubject, NodeClaims,
    QuotaUnit, RateClaim, RateId, RateKind, Seq, TokenUsage, WallTime,
};
use cliproxy_store::{BudgetTerms, Leasing, NodeBatches, RateTerms, Store, Terms};
use cliproxy_store_sqlite::SqliteStore;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tempfile::TempDir;

const NOW: WallTime = WallTime(1_771_541_400_000);
const NODES: u64 = 50;
const KEYS: u64 = 100;
const GROUPS: u64 = 20;

/// One second of fifty nodes with a hundred active keys each, none shared, so that nothing can be summed first.
fn group(seq: u64) -> Vec<NodeBatches> {
    let row = |node: u64, key: u64| LedgerRow {
        key: LedgerKey {
            provider: "claude".into(),
            credential: format!("credential {node}").into(),
            model: format!("model {key}").into(),
        }
        .into(),
        attempts: AttemptCounts { ok: 1, latency_us: 900_000, ..AttemptCounts::default() },
        tokens: TokenUsage { input: 2_000, output: 300, ..TokenUsage::default() },
        cost_nanos: 0,
    };
    let report = |node: u64| NodeBatches {
        node: format!("node {node}").into(),
        incarnation: Incarnation(1),
        oldest_unacked: Seq(1),
        batches: vec![Batch {
            incarnation: Incarnation(1),
            seq: Seq(seq),
            window_start: NOW,
            window: Duration::from_secs(1),
            rows: (0..KEYS).map(|key| row(node, key)).collect(),
        }],
    };
    (0..NODES).map(report).collect()
}

const CLAIMANTS: u64 = 64;
const TRANSACTIONS: u64 = 20;

/// What each of 64 nodes claims of five budgets and ten rates, and the terms.
fn leasing(req: u64) -> Leasing {
    let subject = |number: u64| LimitSubject::Client(format!("client {number}").into());
    let budget = |number| BudgetId { subject: subject(number), unit: QuotaUnit::Tokens };
    let rate = |number| RateId { subject: subject(number), kind: RateKind::RequestsPerMinute };
    let claim = |number| BudgetClaim {
        id: budget(number),
        holder: Incarnation(1),
        period: Some(NOW),
        granted: 0,
        spent: 0,
        returned: 0,
        want: 1_000 * req,
        least: 10 * req,
        closing: false,
    };
    let asks = |number| RateClaim {
        id: rate(number),
        held: 0,
        demand: req % 7,
        waiting: 0,
        upstream: None,
        closing: false,
    };
    let claims = (0..CLAIMANTS).map(|node| NodeClaims {
        node: format!("node {node}").into(),
        incarnation: Incarnation(1),
        req,
        budgets: (0..5).map(claim).collect(),
        rates: (0..10).map(asks).collect(),
    });
    let period = NOW..NOW.plus(Duration::from_secs(3_600));
    let of_budget = BudgetTerms { limit: 1 << 40, period, settled_before: Some(0) };
    let terms = Terms {
        budgets: (0..5).map(|number| (budget(number), of_budget.clone())).collect(),
        rates: (0..10).map(|number| (rate(number), RateTerms { limit: 6_000, safe_share: 80 })).collect(),
        nodes: 64,
        ttl: Duration::from_secs(10),
        ..Terms::default()
    };
    Leasing { claims: claims.collect(), terms: Arc::new(terms), now: NOW }
}

#[expect(clippy::disallowed_methods, reason = "a stopwatch is what this is for")]
#[tokio::test]
#[ignore = "a measurement, for a quiet machine"]
async fn rows_per_second_of_one_writer() {
    let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let store = SqliteStore::open(&folder.path().join("state.db")).await.unwrap();
    let started = Instant::now();
    for seq in 1..=GROUPS {
        store.apply_batches(group(seq), NOW).await.unwrap();
    }
    let seconds = started.elapsed().as_secs_f64();
    let rows = GROUPS * NODES * KEYS;
    println!("{rows} rows in {GROUPS} commits took {seconds:.2} s: {:.0} rows/s", rows as f64 / seconds);

    let usage = store.usage(NOW..WallTime(i64::MAX)).await.unwrap();
    assert_eq!(usage.iter().map(|row| row.attempts.ok).sum::<u64>(), rows);
}

#[expect(clippy::disallowed_methods, reason = "a stopwatch is what this is for")]
#[tokio::test]
#[ignore = "a measurement, for a quiet machine"]
async fn claims_of_limits_per_second() {
    let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let store = SqliteStore::open(&folder.path().join("state.db")).await.unwrap();
    let (started, mut slowest) = (Instant::now(), Duration::ZERO);
    for req in 1..=TRANSACTIONS {
        let began = Instant::now();
        let leased = store.lease(leasing(req)).await.unwrap();
        slowest = slowest.max(began.elapsed());
        assert!(leased.grants.iter().all(|grants| grants.budgets.len() == 5 && grants.rates.len() == 10));
    }
    let mean = started.elapsed().as_secs_f64() / TRANSACTIONS as f64;
    let rate = CLAIMANTS as f64 / mean;
    println!("{CLAIMANTS} claims took {:.1} ms, {slowest:?} at most: {rate:.0} claims/s", mean * 1e3);
}

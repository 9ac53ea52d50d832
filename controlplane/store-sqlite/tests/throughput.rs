//! How many rows a second one writer takes. Run it by hand, in a release build for numbers that mean something:
//! `cargo test --release -p cliproxy-store-sqlite --test throughput -- --ignored --nocapture`.

use cliproxy_domain::{AttemptCounts, Batch, Incarnation, LedgerKey, LedgerRow, Seq, TokenUsage, WallTime};
use cliproxy_store::{NodeBatches, Store};
use cliproxy_store_sqlite::SqliteStore;
use std::time::{Duration, Instant};
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

//! A process that is killed while it commits: what it acknowledged is there afterwards, once.
//!
//! The test starts its own executable again; the environment tells the second process that it is the victim.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that unwraps fails where it should")]

use cliproxy_domain::{AttemptCounts, Batch, Incarnation, LedgerKey, LedgerRow, Seq, TokenUsage, WallTime};
use cliproxy_store::{NodeBatches, Store, UsageBy, UsagePeriod, UsageQuery};
use cliproxy_store_sqlite::SqliteStore;
use std::{
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::Duration,
};
use tempfile::TempDir;

const DATABASE: &str = "CLIPROXY_CRASH_TEST_DATABASE";
const FIRST: &str = "CLIPROXY_CRASH_TEST_FIRST";
const ACK: &str = "acknowledged ";
const KILLS: u64 = 10;
const NOW: WallTime = WallTime(1_771_541_400_000);

/// When that batch is counted: three in each hour, so that there is always something to roll up.
fn time_of(seq: u64) -> WallTime {
    NOW.plus(Duration::from_secs(20 * 60 * seq))
}

/// One batch with as many tokens as its number, over a changing number of rows, so that commits differ in
/// length.
fn report(seqs: &[u64]) -> Vec<NodeBatches> {
    let row = |seq: u64, model: u64| LedgerRow {
        key: LedgerKey {
            provider: "claude".into(),
            credential: "main".into(),
            model: format!("model {model}").into(),
        }
        .into(),
        attempts: AttemptCounts { ok: u64::from(model == 0), ..AttemptCounts::default() },
        tokens: TokenUsage { input: if model == 0 { seq } else { 0 }, ..TokenUsage::default() },
        cost_nanos: 0,
    };
    let batch = |&seq: &u64| Batch {
        incarnation: Incarnation(1),
        seq: Seq(seq),
        window_start: time_of(seq),
        window: Duration::from_secs(1),
        rows: (0..=seq % 97).map(|model| row(seq, model)).collect(),
    };
    vec![NodeBatches {
        node: "a".into(),
        incarnation: Incarnation(1),
        oldest_unacked: Seq(1),
        batches: seqs.iter().map(batch).collect(),
    }]
}

/// Commits batch after batch from `first` on and says so on standard output, tidying up in between, until it is killed.
#[expect(clippy::print_stdout, reason = "the parent reads it")]
async fn be_the_victim(path: &Path, first: u64) -> ! {
    let store = SqliteStore::open(path).await.unwrap();
    let mut seq = first;
    loop {
        let cursors = store.apply_batches(report(&[seq]), time_of(seq)).await.unwrap();
        store.tidy(time_of(seq), None).await.unwrap();
        println!("{ACK}{}", cursors[0].last);
        seq += 1;
    }
}

/// The other process; it is killed at the latest when the test ends.
struct Victim(Child);

impl Victim {
    fn start(path: &Path, first: u64) -> Self {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "what_was_acknowledged_survives_a_kill_and_counts_once", "--nocapture"])
            .env(DATABASE, path)
            .env(FIRST, first.to_string())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self(child)
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        // An error means that it has ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Sends on each number that is acknowledged in a whole line.
fn read_acks(output: impl Read, acks: &mpsc::Sender<u64>) {
    let mut output = BufReader::new(output);
    let mut line = String::new();
    while output.read_line(&mut line).is_ok_and(|length| length > 0) {
        if let Some((_, number)) = line.strip_suffix('\n').and_then(|whole| whole.split_once(ACK)) {
            acks.send(number.parse().unwrap()).unwrap();
        }
        line.clear();
    }
}

/// Starts a victim that begins with `first`, kills it in the middle, and gives the last number that it
/// acknowledged.
fn kill_one(path: &Path, first: u64, round: u64) -> u64 {
    let mut victim = Victim::start(path, first);
    let output = victim.0.stdout.take().unwrap();
    let (sender, acks) = mpsc::channel();
    let reader = thread::spawn(move || read_acks(output, &sender));

    // Which acknowledgement to wait for and how long after it to strike differ from round to round.
    let mut last = 0;
    for _ in 0..5 + round * 7 % 31 {
        last = acks.recv_timeout(Duration::from_secs(30)).expect("the victim goes on committing");
    }
    match acks.recv_timeout(Duration::from_micros(round * 370)) {
        Ok(ack) => last = ack,
        Err(RecvTimeoutError::Timeout) => {}
        Err(RecvTimeoutError::Disconnected) => panic!("the victim ended by itself"),
    }
    drop(victim);
    reader.join().unwrap();
    acks.try_iter().last().unwrap_or(last)
}

/// Gives calls and tokens by the period.
async fn summed(store: &SqliteStore, period: UsagePeriod) -> (u64, u64) {
    let within = WallTime(0)..WallTime(i64::MAX);
    let by = UsageBy::default();
    let query = UsageQuery { within, period, by, provider: None, model: None, limit: u32::MAX, client: None };
    let sums = store.usage_by(query).await.unwrap();
    let calls = sums.iter().map(|sum| sum.attempts.ok).sum();
    (calls, sums.iter().map(|sum| sum.tokens.input).sum())
}

/// Opens the database as the next process does, and gives its cursor after checking that it covers exactly
/// what is counted, by the minute, hour and day.
async fn check(path: &Path, acknowledged: u64) -> u64 {
    let store = SqliteStore::open(path).await.unwrap();
    let committed = store.apply_batches(report(&[]), NOW).await.unwrap()[0].last.0;
    assert!(committed >= acknowledged, "{acknowledged} was acknowledged, but the cursor is at {committed}");
    assert!(
        committed <= acknowledged + 1,
        "{committed} is committed, but only {acknowledged} was sent before"
    );
    let rows = store.usage(WallTime(0)..WallTime(i64::MAX)).await.unwrap();
    let calls: u64 = rows.iter().map(|row| row.attempts.ok).sum();
    let tokens: u64 = rows.iter().map(|row| row.tokens.input).sum();
    let expected = (committed, (1..=committed).sum());
    assert_eq!((calls, tokens), expected);
    for (period, _) in UsagePeriod::WORDS {
        assert_eq!(summed(&store, period).await, expected, "{period:?}");
    }
    store.close().await;
    committed
}

#[test]
fn what_was_acknowledged_survives_a_kill_and_counts_once() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    if let Some(path) = std::env::var_os(DATABASE) {
        let first = std::env::var(FIRST).unwrap().parse().unwrap();
        runtime.block_on(be_the_victim(&PathBuf::from(path), first));
    }

    let folder = TempDir::new().unwrap();
    let path = folder.path().join("state.db");
    let mut acknowledged = 0;
    for round in 0..KILLS {
        // As a node does, send again whatever was not acknowledged, be it committed or not.
        acknowledged = kill_one(&path, acknowledged + 1, round);
        let committed = runtime.block_on(check(&path, acknowledged));
        assert!(committed > 0);
    }
}

use super::*;
use crate::ingest::{Ingest, Report};
use cliproxy_domain::{AttemptCounts, Incarnation, LedgerKey, LedgerRow, TokenUsage};
use cliproxy_host::{Clock as _, SystemClock};
use cliproxy_store::MemoryStore;

/// A loop that commits, and one reporter.
struct Books {
    store: MemoryStore,
    state: Arc<State>,
    metrics: PlaneMetrics,
    report: Report,
}

impl Books {
    async fn open() -> Self {
        let store = MemoryStore::new(HistoryId("one".into()));
        let state = State::load(Arc::new(store.clone()), Arc::new(SystemClock)).await.unwrap();
        let (state, metrics) = (Arc::new(state), PlaneMetrics::new());
        let (ingest, submissions) = Ingest::new();
        tokio::spawn(run(submissions, Arc::clone(&state), metrics.clone(), CancellationToken::new()));
        let reporter = Reporter { node: "n".into(), incarnation: Incarnation(1) };
        let report = ingest.open(reporter, Seq(1)).await;
        Self { store, state, metrics, report }
    }

    /// Sends batches of these numbers, of one call each.
    async fn send(&self, seqs: std::ops::RangeInclusive<u64>) {
        for seq in seqs {
            let key = LedgerKey { provider: "p".into(), credential: "c".into(), model: "m".into() };
            let attempts = AttemptCounts { ok: 1, ..AttemptCounts::default() };
            let row = LedgerRow { key: key.into(), attempts, tokens: TokenUsage::default(), cost_nanos: 0 };
            let batch = Batch {
                incarnation: Incarnation(1),
                seq: Seq(seq),
                window_start: SystemClock.wall(),
                window: Duration::from_secs(1),
                rows: vec![row],
            };
            self.report.submit(batch).await;
        }
    }

    async fn committed_to(&mut self, seq: u64) {
        while self.report.committed().await.last < Seq(seq) {}
    }

    /// Goes back to what the store was, as when a standby takes over that lagged behind.
    fn lose_since(&self, savepoint: &cliproxy_store::memory::Savepoint) -> HistoryId {
        let history = HistoryId("two".into());
        self.store.roll_back(savepoint, history.clone());
        history
    }
}

#[tokio::test(start_paused = true)]
async fn in_another_history_what_was_committed_before_is_new_again() {
    let mut books = Books::open().await;
    let empty = books.store.savepoint();
    books.send(1..=3).await;
    books.committed_to(3).await;
    assert_eq!(books.metrics.batches.get(), 3);
    // The same once more is not.
    books.send(1..=3).await;
    books.committed_to(3).await;
    assert_eq!(books.metrics.batches.get(), 3);

    let history = books.lose_since(&empty);
    books.state.begin_era(history).await.unwrap();
    books.send(1..=3).await;
    books.committed_to(3).await;
    assert_eq!(books.metrics.batches.get(), 6);
}

#[tokio::test(start_paused = true)]
async fn a_group_that_waits_while_another_history_begins_is_folded_as_that_has_it() {
    let mut books = Books::open().await;
    let empty = books.store.savepoint();
    books.send(1..=3).await;
    books.committed_to(3).await;

    let state = Arc::clone(&books.state);
    let turn = state.ledger.lock().await;
    books.send(1..=3).await;
    // Time stands still until nothing else is to be done: the group waits for its turn by then.
    tokio::time::sleep(GATHER * 5).await;
    let history = books.lose_since(&empty);
    books.state.begin_era(history).await.unwrap();
    drop(turn);
    books.committed_to(3).await;
    assert_eq!(books.metrics.batches.get(), 6);
}

#[tokio::test(start_paused = true)]
async fn rows_of_too_many_names_are_counted_and_told() {
    let mut books = Books::open().await;
    let rows = (0..1_500).map(|n| LedgerRow {
        key: LedgerKey { provider: "p".into(), credential: "c".into(), model: format!("m{n}").into() }.into(),
        attempts: AttemptCounts { ok: 1, ..AttemptCounts::default() },
        tokens: TokenUsage::default(),
        cost_nanos: 0,
    });
    let window_start = SystemClock.wall();
    let batch = Batch {
        incarnation: Incarnation(1),
        seq: Seq(1),
        window_start,
        window: Duration::from_secs(1),
        rows: rows.collect(),
    };
    books.report.submit(batch).await;
    books.committed_to(1).await;
    assert_eq!(books.metrics.folded_rows.get(), 500);
    let from = window_start.minus(Duration::from_secs(60));
    use cliproxy_store::Store as _;
    let stored = books.store.usage(from..from.plus(Duration::from_secs(180))).await.unwrap();
    assert_eq!(stored.len(), 1_001);
    assert_eq!(stored.iter().map(|row| row.attempts.ok).sum::<u64>(), 1_500);
}

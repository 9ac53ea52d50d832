mod change;
mod connecting;
mod history;
mod locks;
mod opening;
mod replicas;
mod rolling;

use super::*;
use cliproxy_domain::{
    AttemptCounts, Batch, Cooldown, CooldownCause, CooldownKey, Evidence, Hint, Incarnation, LedgerKey,
    LedgerRow, Permit, Seq, TokenUsage, WallTime,
};
use cliproxy_store::{Change, Cursor, NodeBatches, Store};
use cliproxy_testkit::{Postgres, ScratchDatabase};
use sqlx::{Executor, SqlSafeStr};
use std::time::Duration;

const NOW: WallTime = WallTime(1_771_541_400_000);

/// A store over a database of its own.
struct Opened {
    store: Arc<PostgresStore>,
    /// Last, as its database goes away with it.
    database: ScratchDatabase,
}

impl Opened {
    async fn new() -> Self {
        Self::with(Settings::default()).await
    }

    async fn with(settings: Settings) -> Self {
        let database = Postgres::shared().scratch_database(None);
        let store = Arc::new(PostgresStore::open_with(&database.url(), settings).await.unwrap());
        Self { store, database }
    }

    /// Gives the process of the server that a store with one connection has.
    async fn backend(&self) -> i32 {
        let mut link = self.store.connections.take().await.unwrap();
        let backend = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut *link).await.unwrap();
        self.store.connections.give_back(link);
        backend
    }

    /// Opens the same database once more, as another replica does.
    async fn replica(&self) -> Arc<PostgresStore> {
        Arc::new(PostgresStore::open(&self.database.url()).await.unwrap())
    }
}

/// One connection, so that there is no other that could do instead.
fn one_connection() -> Settings {
    Settings { connections: 1, ..Settings::default() }
}

/// Reports batches of these numbers, each of one call with as many tokens for each of so many models.
fn report(node: &str, seqs: &[u64], models: u64) -> Vec<NodeBatches> {
    let row = |seq, model| LedgerRow {
        key: LedgerKey {
            provider: "claude".into(),
            credential: "main".into(),
            model: format!("model {model:05}").into(),
        }
        .into(),
        attempts: AttemptCounts { ok: 1, ..AttemptCounts::default() },
        tokens: TokenUsage { input: seq, ..TokenUsage::default() },
        cost_nanos: 0,
    };
    let batch = |&seq: &u64| Batch {
        incarnation: Incarnation(1),
        seq: Seq(seq),
        window_start: NOW,
        window: Duration::from_secs(1),
        rows: (0..models).map(|model| row(seq, model)).collect(),
    };
    vec![NodeBatches {
        node: node.into(),
        incarnation: Incarnation(1),
        oldest_unacked: Seq(1),
        batches: seqs.iter().map(batch).collect(),
    }]
}

/// Gives calls and tokens of all that is counted.
async fn counted(store: &PostgresStore) -> (u64, u64) {
    let rows = store.usage(WallTime(0)..WallTime(i64::MAX)).await.unwrap();
    let sum = |of: fn(&LedgerRow) -> u64| rows.iter().map(of).sum();
    (sum(|row| row.attempts.ok), sum(|row| row.tokens.input))
}

fn last_of(cursors: &[Cursor]) -> u64 {
    cursors[0].last.0
}

/// A rest of that credential.
fn rest(credential: &str) -> Hint {
    Hint::Cooldown(Cooldown {
        key: CooldownKey::credential("claude".into(), credential.into()),
        epoch: 1,
        round: 0,
        started_at: NOW,
        until: NOW.plus(Duration::from_secs(60)),
        cleared: false,
        cause: CooldownCause::CredentialRejected,
        source: "a".into(),
        permit: Permit::default(),
        streak: 1,
        evidence: Evidence::default(),
    })
}

fn resting(credential: &str) -> Change {
    Change { hints: vec![rest(credential)], ..Change::default() }
}

/// Opens what must not open, and gives the reason.
async fn refusal(url: &str) -> StoreError {
    match PostgresStore::open_with(url, Settings { patience: Some(Duration::ZERO), ..Settings::default() })
        .await
    {
        Ok(_) => panic!("it opened"),
        Err(error) => error,
    }
}

#[tokio::test]
async fn every_statement_can_be_prepared_on_a_migrated_database() {
    let opened = Opened::new().await;
    assert!(!sql::ALL.is_empty());
    let mut link = opened.store.connections.take().await.unwrap();
    for &(name, statement) in sql::ALL {
        let prepared = link.prepare(statement.into_sql_str()).await;
        assert!(prepared.is_ok(), "{name}: {:?}", prepared.err());
    }
}

#[tokio::test]
async fn every_connection_is_bounded_and_waits_for_the_disk() {
    let opened = Opened::new().await;
    let settings = [
        ("statement_timeout", "2s"),
        ("lock_timeout", "500ms"),
        ("idle_in_transaction_session_timeout", "2s"),
        ("synchronous_commit", "on"),
        ("application_name", "cliproxy"),
    ];
    let mut link = opened.store.connections.take().await.unwrap();
    for (name, value) in settings {
        let found: String =
            sqlx::query_scalar("SELECT current_setting($1)").bind(name).fetch_one(&mut *link).await.unwrap();
        assert_eq!(found, value, "{name}");
    }
}

#[tokio::test]
async fn names_that_the_database_refuses_keep_no_report_from_being_counted() {
    let opened = Opened::new().await;
    let named = |model: String| {
        let mut report = report("no\0de", &[1], 1);
        report[0].batches[0].rows[0].key.model = model.into();
        report.remove(0)
    };
    let mut strange = named("mod\0el".into());
    // Two names that cannot be told apart, and one that is too long for an index, from incompressible text.
    let noise: String =
        (0..40_000_u32).map(|n| char::from(33 + (n.wrapping_mul(2_654_435_761) >> 13) as u8 % 90)).collect();
    for model in ["mod\u{fffd}el".to_owned(), noise] {
        let mut row = strange.batches[0].rows[0].clone();
        row.key.model = model.into();
        strange.batches[0].rows.push(row);
    }
    let cursors = opened.store.apply_batches(vec![strange.clone()], NOW).await.unwrap();
    assert_eq!((cursors[0].node.as_str(), last_of(&cursors)), ("no\0de", 1));
    assert_eq!(counted(&opened.store).await, (3, 3));
    opened.store.apply_batches(vec![strange], NOW).await.unwrap();
    assert_eq!(counted(&opened.store).await, (3, 3));
}

#[tokio::test]
async fn a_group_of_many_thousand_rows_is_counted_in_one_transaction() {
    let opened = Opened::new().await;
    let cursors = opened.store.apply_batches(report("a", &[1], 10_000), NOW).await.unwrap();
    assert_eq!(last_of(&cursors), 1);
    assert_eq!(counted(&opened.store).await, (10_000, 10_000));
}

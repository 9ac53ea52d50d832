//! A server that is killed in the middle of commits, and connections that break in the middle of one: what was
//! acknowledged is there afterwards, and everything counts once.
#![expect(clippy::unwrap_used, reason = "a test that unwraps fails where it should")]

use cliproxy_domain::{AttemptCounts, Batch, Incarnation, LedgerKey, LedgerRow, Seq, TokenUsage, WallTime};
use cliproxy_store::{NodeBatches, Store, StoreError};
use cliproxy_store_postgres::{PostgresStore, Settings};
use cliproxy_testkit::{Gate, Postgres, gate::Flow, poll_until};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::sync::watch;

const NOW: WallTime = WallTime(1_771_541_400_000);
const KILLS: u64 = 5;
const NODES: usize = 4;
const SOON: Duration = Duration::from_secs(30);

/// One batch with as many tokens as its number, over a changing number of rows, so that commits differ in length.
fn report(node: usize, seq: Option<u64>) -> Vec<NodeBatches> {
    let row = |seq: u64, model: u64| LedgerRow {
        key: LedgerKey {
            provider: "claude".into(),
            credential: format!("node {node}").into(),
            model: format!("model {model}").into(),
        }
        .into(),
        attempts: AttemptCounts { ok: u64::from(model == 0), ..AttemptCounts::default() },
        tokens: TokenUsage { input: if model == 0 { seq } else { 0 }, ..TokenUsage::default() },
        cost_nanos: 0,
    };
    let batch = |seq: u64| Batch {
        incarnation: Incarnation(1),
        seq: Seq(seq),
        window_start: NOW,
        window: Duration::from_secs(1),
        rows: (0..=seq % 97).map(|model| row(seq, model)).collect(),
    };
    vec![NodeBatches {
        node: format!("node {node}").into(),
        incarnation: Incarnation(1),
        oldest_unacked: Seq(1),
        batches: seq.into_iter().map(batch).collect(),
    }]
}

/// Gives the cursor of a node, after checking that it covers exactly what is counted.
async fn check(store: &PostgresStore, node: usize) -> u64 {
    let committed = store.apply_batches(report(node, None), NOW).await.unwrap()[0].last.0;
    let rows = store.usage(WallTime(0)..WallTime(i64::MAX)).await.unwrap();
    let own = rows.iter().filter(|row| row.key.credential.as_str() == format!("node {node}"));
    let sums = own
        .map(|row| (row.attempts.ok, row.tokens.input))
        .fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    assert_eq!(sums, (committed, (1..=committed).sum()), "node {node}");
    committed
}

/// Sends batch after batch as a node does, each until it is acknowledged, and tells how far it got.
async fn send(
    store: Arc<PostgresStore>,
    node: usize,
    acked: watch::Sender<u64>,
    until: watch::Receiver<bool>,
) {
    let mut seq = 1;
    while !*until.borrow() {
        match store.apply_batches(report(node, Some(seq)), NOW).await {
            Ok(cursors) => {
                assert_eq!(cursors[0].last.0, seq);
                acked.send_replace(seq);
                seq += 1;
            }
            Err(StoreError::Unavailable(_) | StoreError::CommitUnknown(_)) => tokio::task::yield_now().await,
            Err(error) => panic!("{error}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_kills_of_the_server_and_counts_once() {
    let postgres = Postgres::launch();
    let store = Arc::new(PostgresStore::open(&postgres.create_database("gateway", None)).await.unwrap());
    let (stop, until) = watch::channel(false);
    let (mut nodes, mut acks) = (Vec::new(), Vec::new());
    for node in 0..NODES {
        let (acked, seen) = watch::channel(0);
        acks.push(seen);
        nodes.push(tokio::spawn(send(Arc::clone(&store), node, acked, until.clone())));
    }
    for round in 0..KILLS {
        // Strikes at another moment each time.
        let ack = &mut acks[usize::try_from(round).unwrap() % NODES];
        let target = *ack.borrow() + 5 + round * 7 % 11;
        tokio::time::timeout(SOON, ack.wait_for(|acked| *acked >= target)).await.unwrap().unwrap();
        postgres.kill();
        let acked: Vec<u64> = acks.iter().map(|ack| *ack.borrow()).collect();
        postgres.start();
        poll_until("restarted server", SOON, async || store.ping().await.ok()).await;
        // Of another connection, as the nodes go on meanwhile.
        for (node, acked) in acked.into_iter().enumerate() {
            let query = format!(
                "SELECT coalesce(max(last_seq), 0) FROM telemetry_cursor WHERE node_id = 'node {node}'"
            );
            let committed: u64 = postgres.sql("gateway", &query).parse().unwrap();
            assert!(committed >= acked, "{acked} was acknowledged, but the cursor is at {committed}");
        }
    }
    stop.send_replace(true);
    for node in nodes {
        node.await.unwrap();
    }
    for (node, ack) in acks.iter().enumerate() {
        assert!(check(&store, node).await >= *ack.borrow());
    }
}

#[tokio::test]
async fn a_commit_whose_answer_is_lost_is_told_as_unknown_and_counts_once_when_it_is_sent_again() {
    let postgres = Postgres::shared();
    let database = postgres.scratch_database(None);
    let url = database.url();
    let address: SocketAddr = url.split_once('@').unwrap().1.split_once('/').unwrap().0.parse().unwrap();
    let gate = Gate::start(address).await;
    let through = url.replace(&address.to_string(), &gate.address().to_string());
    let store = PostgresStore::open(&through).await.unwrap();
    assert_eq!(store.apply_batches(report(0, Some(1)), NOW).await.unwrap()[0].last.0, 1);
    database.sql(SLOW_COMMITS);

    // The statements are done, and the commit is on its way for a moment: then nothing comes back any more.
    let committing = store.apply_batches(report(0, Some(2)), NOW);
    let cut = async {
        let committing =
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query = 'COMMIT'
            AND state = 'active'";
        poll_until("commit", SOON, async || (database.sql(committing) == "1").then_some(())).await;
        gate.let_pass(Flow::OnlyThere);
    };
    let (committed, ()) = tokio::join!(committing, cut);
    assert!(matches!(committed, Err(StoreError::CommitUnknown(_))), "{committed:?}");

    gate.let_pass(Flow::Both);
    database.sql("ALTER TABLE telemetry_cursor DISABLE TRIGGER slow");
    let again =
        poll_until("way back", SOON, async || store.apply_batches(report(0, Some(2)), NOW).await.ok()).await;
    assert_eq!(again[0].last.0, 2);
    assert_eq!(check(&store, 0).await, 2);
}

/// Makes each commit of a cursor take half a second.
const SLOW_COMMITS: &str = "
    CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.5); RETURN NULL; END $$;
    CREATE CONSTRAINT TRIGGER slow AFTER UPDATE ON telemetry_cursor DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION slow()";

#[tokio::test]
async fn a_server_that_falls_silent_fails_calls_in_time_and_is_used_again_afterwards() {
    let postgres = Postgres::shared();
    let database = postgres.scratch_database(None);
    let url = database.url();
    let address: SocketAddr = url.split_once('@').unwrap().1.split_once('/').unwrap().0.parse().unwrap();
    let gate = Gate::start(address).await;
    let through = url.replace(&address.to_string(), &gate.address().to_string());
    let settings = Settings { connections: 1, ..Settings::default() };
    let store = PostgresStore::open_with(&through, settings).await.unwrap();
    store.ping().await.unwrap();

    gate.let_pass(Flow::Neither);
    for _ in 0..2 {
        let silent = tokio::time::timeout(Duration::from_secs(10), store.ping()).await;
        assert!(matches!(silent, Ok(Err(StoreError::Unavailable(_)))), "{silent:?}");
    }
    gate.let_pass(Flow::Both);
    poll_until("way back", SOON, async || store.ping().await.ok()).await;
    assert_eq!(store.apply_batches(report(0, Some(1)), NOW).await.unwrap()[0].last.0, 1);
}

//! What other sessions hold, and for how long anyone waits for it.

use super::*;
use cliproxy_domain::{LimitSubject, NodeClaims, RateClaim, RateId, RateKind};
use cliproxy_store::{Leasing, RateTerms, Terms};
use cliproxy_testkit::now;

/// A session outside the store, in a transaction.
pub(super) async fn session(database: &ScratchDatabase, statements: &'static str) -> PgConnection {
    use sqlx::Connection as _;
    let mut connection = PgConnection::connect(&database.url()).await.unwrap();
    connection.execute(statements).await.unwrap();
    connection
}

#[tokio::test]
async fn a_session_that_holds_a_lock_for_ever_makes_others_fail_soon_and_not_for_ever() {
    let opened = Opened::with(one_connection()).await;
    let backend = opened.backend().await;
    let mut holder = session(&opened.database, "BEGIN; SELECT * FROM cp_meta FOR UPDATE").await;
    let began = now();
    let refused = opened.store.change(resting("main")).await;
    assert!(
        matches!(&refused, Err(StoreError::Unavailable(why)) if why.contains("lock timeout")),
        "{refused:?}"
    );
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    // What needs another lock goes on meanwhile.
    opened.store.ping().await.unwrap();
    opened.store.apply_batches(report("a", &[1], 1), NOW).await.unwrap();
    opened.store.post("cp-1".into(), b"x".to_vec()).await.unwrap();

    holder.execute("COMMIT").await.unwrap();
    assert_eq!(opened.store.change(resting("main")).await.unwrap().len(), 1);
    assert_eq!(opened.backend().await, backend, "the connection was rolled back and kept");
}

#[tokio::test]
async fn a_replica_that_hangs_in_a_transaction_is_ended_by_the_server() {
    let opened = Opened::new().await;
    let hung = session(
        &opened.database,
        "SET idle_in_transaction_session_timeout = '2s'; BEGIN; SELECT * FROM cp_meta FOR UPDATE",
    )
    .await;
    let began = now();
    let changed = cliproxy_testkit::poll_until("change", Duration::from_secs(10), async || {
        opened.store.change(resting("main")).await.ok()
    });
    assert_eq!(changed.await.len(), 1);
    assert!(began.elapsed() < Duration::from_secs(6), "{:?}", began.elapsed());
    drop(hung);
}

#[tokio::test]
async fn a_deadlock_is_tried_again_and_nobody_hears_of_it() {
    let opened = Opened::new().await;
    opened.store.apply_batches(report("a", &[1], 3), NOW).await.unwrap();
    // Locks the rows in the other order: the third, then the first.
    let mut other =
        session(&opened.database, "BEGIN; UPDATE usage_1m SET ok = ok WHERE model = 'model 00002'").await;
    let store = Arc::clone(&opened.store);
    let reporting = tokio::spawn(async move { store.apply_batches(report("a", &[2], 3), NOW).await });
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    cliproxy_testkit::poll_until("report that waits", Duration::from_secs(10), async || {
        (opened.database.sql(waiting) == "1").then_some(())
    })
    .await;
    other.execute("UPDATE usage_1m SET ok = ok WHERE model = 'model 00000'").await.ok();
    other.execute("ROLLBACK").await.ok();
    assert_eq!(last_of(&reporting.await.unwrap().unwrap()), 2);
    assert_eq!(counted(&opened.store).await, (6, 9));
}

#[tokio::test]
async fn nobody_is_granted_anything_while_another_is_at_the_same_limit() {
    let opened = Opened::new().await;
    let mut holder = session(
        &opened.database,
        "BEGIN; SELECT pg_advisory_xact_lock(601837, number) FROM generate_series(0, 63) AS number",
    )
    .await;
    let claims = || {
        let subject = LimitSubject::Provider("claude".into());
        let id = RateId { subject, kind: RateKind::RequestsPerMinute };
        let rate =
            RateClaim { id: id.clone(), held: 0, demand: 1, waiting: 0, upstream: None, closing: false };
        let (node, incarnation, budgets) = ("a".into(), Incarnation(1), Vec::new());
        let terms = Terms {
            rates: [(id, RateTerms { limit: 10, safe_share: 0 })].into(),
            nodes: 1,
            ttl: Duration::from_secs(10),
            ..Terms::default()
        };
        let claims = vec![NodeClaims { node, incarnation, req: 1, budgets, rates: vec![rate] }];
        Leasing { claims, terms: Arc::new(terms), now: NOW }
    };
    let refused = opened.store.lease(claims()).await;
    assert!(
        matches!(&refused, Err(StoreError::Unavailable(why)) if why.contains("lock timeout")),
        "{refused:?}"
    );
    holder.execute("ROLLBACK").await.unwrap();
    assert_eq!(opened.store.lease(claims()).await.unwrap().grants[0].rates[0].share, 10);
}

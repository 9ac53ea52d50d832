//! Changes that fail in the middle, and callers that give up.

use super::*;
use cliproxy_domain::{AuditEntry, AuditQuery, HintVersion};
use cliproxy_store::Outcome;

/// A change of everything that a change can hold.
fn whole() -> Change {
    let entry = AuditEntry {
        id: "a1".into(),
        at: NOW,
        actor: "ada".into(),
        from: String::new(),
        action: "recovered".into(),
        provider: None,
        subject: String::new(),
        reason: String::new(),
        before: String::new(),
        after: String::new(),
    };
    let outcome = Outcome { request_id: "call".into(), answer: "done".into(), at: NOW };
    Change { audit: vec![entry], outcome: Some(outcome), ..resting("main") }
}

/// Counts what of [`whole`] is there: version, hints, audit entries, outcomes.
async fn written(store: &PostgresStore) -> (u64, [usize; 3]) {
    let (version, hints) = store.hints().await.unwrap();
    let entries = store.audit(AuditQuery::default()).await.unwrap();
    let outcome = store.outcome("call".into()).await.unwrap();
    (version.0, [hints.len(), entries.len(), outcome.iter().len()])
}

#[tokio::test]
async fn a_change_that_fails_at_any_of_its_parts_leaves_none_of_them() {
    let opened = Opened::with(one_connection()).await;
    let backend = opened.backend().await;
    opened.database.sql(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'refused'; END $$",
    );
    for table in ["hint", "change_log", "cp_meta", "audit", "outcome"] {
        opened.database.sql(&format!(
            "CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION refuse()"
        ));
        assert!(opened.store.change(whole()).await.is_err(), "{table}");
        assert_eq!(written(&opened.store).await, (0, [0, 0, 0]), "{table}");
        opened.database.sql(&format!("DROP TRIGGER refuse ON {table}"));
    }
    opened.store.change(whole()).await.unwrap();
    assert_eq!(written(&opened.store).await, (1, [1, 1, 1]));
    assert_eq!(opened.backend().await, backend, "the connection was rolled back and kept");
}

#[tokio::test]
async fn a_caller_that_gives_up_leaves_all_or_nothing_and_no_lock() {
    let opened = Opened::new().await;
    for patience in 0..60 {
        let store = Arc::clone(&opened.store);
        let task = tokio::spawn(async move { store.change(whole()).await });
        for _ in 0..patience {
            tokio::task::yield_now().await;
        }
        task.abort();
        drop(task.await);
        // What was begun goes on to its end; whoever numbers something comes after it.
        opened.store.forget_cooldowns(WallTime(0), None).await.unwrap();
        let now = written(&opened.store).await;
        assert!(now == (0, [0, 0, 0]) || now == (1, [1, 1, 1]), "{now:?}");
        opened.store.change(whole()).await.unwrap();
        assert_eq!(written(&opened.store).await, (1, [1, 1, 1]));
        opened
            .database
            .sql("DELETE FROM hint; DELETE FROM audit; DELETE FROM outcome; DELETE FROM change_log");
        opened.database.sql("UPDATE cp_meta SET log_version = 0");
    }
    let held = opened.database.sql(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in transaction%'",
    );
    assert_eq!(held, "0");
}

#[tokio::test]
async fn what_no_program_wrote_is_reported_as_corrupt() {
    let opened = Opened::new().await;
    opened.store.change(resting("main")).await.unwrap();
    opened.database.sql("UPDATE change_log SET body = '{}'");
    let error = opened.store.changes_since(HintVersion(0), 1).await.unwrap_err();
    assert!(matches!(&error, StoreError::Corrupt(text) if text.contains("change 1")), "{error:?}");
    opened.database.sql("UPDATE hint SET body = replace(body, 'credential_rejected', 'boredom')");
    assert!(matches!(opened.store.hints().await, Err(StoreError::Corrupt(_))));
    assert!(matches!(opened.store.change(resting("main")).await, Err(StoreError::Corrupt(_))));
    opened.database.sql("ALTER TABLE cp_ping DROP COLUMN pings");
    assert!(matches!(opened.store.ping().await, Err(StoreError::Corrupt(_))));
}

#[tokio::test]
async fn a_database_that_became_read_only_acknowledges_nothing_and_fails_its_ping() {
    let opened = Opened::new().await;
    let name = opened.database.name();
    opened.database.sql(&format!(r#"ALTER DATABASE "{name}" SET default_transaction_read_only = on"#));
    // The setting holds for new connections.
    opened.database.sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()",
    );
    assert!(matches!(opened.store.ping().await, Err(StoreError::Unavailable(_))));
    let refused = opened.store.apply_batches(report("a", &[1], 1), NOW).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    assert_eq!(counted(&opened.store).await, (0, 0));
}

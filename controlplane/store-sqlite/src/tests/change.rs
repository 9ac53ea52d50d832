//! Changes that fail in the middle, and whether forgetting is cheap.

use super::*;
use cliproxy_store::{Outcome, RETAINED_REQUESTS};

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
    Change { audit: vec![entry], outcome: Some(outcome), ..resting() }
}

/// Counts what of [`whole`] is there: version, hints, audit entries, outcomes.
async fn written(store: &SqliteStore) -> (u64, [usize; 3]) {
    let (version, hints) = store.hints().await.unwrap();
    let entries = store.audit(AuditQuery::default()).await.unwrap();
    let outcome = store.outcome("call".into()).await.unwrap();
    (version.0, [hints.len(), entries.len(), outcome.iter().len()])
}

#[tokio::test]
async fn a_change_that_fails_at_any_of_its_parts_leaves_none_of_them() {
    let triggers = [
        "CREATE TRIGGER refuse BEFORE INSERT ON hint BEGIN SELECT RAISE(ABORT, 'refused'); END",
        "CREATE TRIGGER refuse BEFORE INSERT ON change_log BEGIN SELECT RAISE(ABORT, 'refused'); END",
        "CREATE TRIGGER refuse BEFORE UPDATE ON cp_meta BEGIN SELECT RAISE(ABORT, 'refused'); END",
        "CREATE TRIGGER refuse BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'refused'); END",
        "CREATE TRIGGER refuse BEFORE INSERT ON outcome BEGIN SELECT RAISE(ABORT, 'refused'); END",
    ];
    let opened = Opened::new().await;
    for trigger in triggers {
        opened.run(trigger).await;
        assert!(opened.store.change(whole()).await.is_err(), "{trigger}");
        assert_eq!(written(&opened.store).await, (0, [0, 0, 0]), "{trigger}");
        opened.run("DROP TRIGGER refuse").await;
    }
    opened.store.change(whole()).await.unwrap();
    assert_eq!(written(&opened.store).await, (1, [1, 1, 1]));
}

#[tokio::test]
async fn a_caller_that_gives_up_on_a_change_can_make_it_again() {
    let opened = Opened::new().await;
    for patience in 0..40 {
        let store = Arc::clone(&opened.store);
        let task = tokio::spawn(async move { store.change(whole()).await });
        for _ in 0..patience {
            tokio::task::yield_now().await;
        }
        task.abort();
        drop(task.await);
        let now = written(&opened.store).await;
        assert!(now == (0, [0, 0, 0]) || now == (1, [1, 1, 1]), "{now:?}");
        opened.store.change(whole()).await.unwrap();
        assert_eq!(written(&opened.store).await, (1, [1, 1, 1]));
    }
}

/// Asserts that no statement goes through all of a table.
async fn assert_found_by_an_index(statements: impl Fn(&str, &str) -> bool, at_least: usize) {
    let opened = Opened::new().await;
    let meant: Vec<_> = sql::ALL.iter().filter(|(name, statement)| statements(name, statement)).collect();
    assert!(meant.len() >= at_least, "{meant:?}");
    for (name, statement) in meant {
        let explain = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}"));
        let plan = sqlx::query(explain).bind(1_i64).fetch_all(&opened.store.readers).await.unwrap();
        let steps: Vec<String> = plan.iter().map(|row| row.get("detail")).collect();
        let scans_all = |step: &String| step.starts_with("SCAN") && !step.contains("INDEX");
        assert!(!steps.iter().any(scans_all), "{name}: {steps:?}");
    }
}

#[tokio::test]
async fn whatever_is_forgotten_is_found_by_an_index() {
    assert_found_by_an_index(|name, _| name.starts_with("FORGET_"), 7).await;
}

#[tokio::test]
async fn rows_that_are_asked_for_together_are_found_by_an_index() {
    assert_found_by_an_index(|_, statement| statement.contains("json_each"), 8).await;
}

#[tokio::test]
async fn the_number_of_records_is_that_of_the_rows() {
    let opened = Opened::new().await;
    let record = |id: &str, at| StoredRequest { id: id.into(), at, body: String::new() };
    let day = RETAINED_REQUESTS;
    opened
        .store
        .record_requests(vec![record("a", NOW), record("b", NOW), record("a", NOW)], NOW)
        .await
        .unwrap();
    opened.store.record_requests(vec![record("c", NOW.plus(day))], NOW.plus(2 * day)).await.unwrap();
    opened.store.record_requests(vec![record("c", NOW.plus(day))], NOW.plus(2 * day)).await.unwrap();
    assert_eq!(opened.pragma("SELECT count(*) FROM request_record").await, "1");
    assert_eq!(opened.pragma("SELECT requests FROM cp_meta").await, "1");
}

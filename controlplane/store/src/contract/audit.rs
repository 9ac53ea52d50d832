//! The audit log.

use super::{
    CaseResult, Harness,
    sample::{MINUTE, NOW, audit},
};
use crate::{Change, RETAINED_AUDIT, Store, StoreError};
use cliproxy_domain::{AuditEntry, AuditQuery, WallTime};
use std::sync::Arc;
use tokio::task::JoinSet;

async fn write(store: &impl Store, audit: Vec<AuditEntry>) -> CaseResult {
    store.change(Change { audit, ..Change::default() }).await.map(drop)
}

async fn ids(store: &impl Store, query: AuditQuery) -> Result<Vec<String>, StoreError> {
    Ok(store.audit(query).await?.into_iter().map(|entry| entry.id).collect())
}

fn at_minute(id: &str, minute: u32) -> AuditEntry {
    audit(id, NOW.plus(minute * MINUTE))
}

/// Sorts by time, then by id, whatever the order of writing.
pub async fn entries_come_the_newest_first<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    assert_eq!(ids(&**store, AuditQuery::default()).await?, Vec::<String>::new());
    write(&**store, vec![at_minute("b", 1), at_minute("z", 0), at_minute("a", 2)]).await?;
    write(&**store, vec![at_minute("c", 1), at_minute("B", 1)]).await?;
    assert_eq!(ids(&**store, AuditQuery::default()).await?, ["a", "c", "b", "B", "z"]);
    Ok(())
}

/// Gives each field back as it was, the empty and the long ones too.
pub async fn every_field_of_an_entry_comes_back_as_it_was<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let full = AuditEntry {
        reason: "long ".repeat(10_000),
        before: "{\"a\": [1, \"ü\"]}\n".into(),
        from: "[::1]:1 'x'".into(),
        ..audit("full", NOW.plus(MINUTE))
    };
    let empty = AuditEntry {
        id: String::new(),
        at: NOW,
        actor: String::new(),
        from: String::new(),
        action: String::new(),
        provider: Some("".into()),
        subject: String::new(),
        reason: String::new(),
        before: String::new(),
        after: String::new(),
    };
    let none = AuditEntry { provider: None, ..audit("none", NOW.minus(MINUTE)) };
    let given = vec![full, empty, none];
    write(&**harness.store(), given.clone()).await?;
    let harness = harness.reopen().await;
    assert_eq!(harness.store().audit(AuditQuery::default()).await?, given);
    Ok(())
}

/// Takes an id once, within a change and over changes, whatever else the entry says.
pub async fn an_entry_is_written_once<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    write(&**store, vec![at_minute("a", 0), at_minute("a", 1), at_minute("b", 0)]).await?;
    write(&**store, vec![AuditEntry { actor: "eve".into(), ..at_minute("b", 2) }]).await?;
    let entries = store.audit(AuditQuery::default()).await?;
    assert_eq!(entries, [at_minute("b", 0), at_minute("a", 0)]);
    Ok(())
}

/// Loses no entry of tasks that write at once, and writes none twice.
pub async fn entries_of_many_tasks_are_all_there_once<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let mut tasks = JoinSet::new();
    for index in 0..16 {
        let store = Arc::clone(harness.store());
        let both = vec![at_minute("shared", 0), at_minute(&format!("own {index:02}"), 1)];
        tasks.spawn(async move { write(&*store, both).await });
    }
    tasks.join_all().await.into_iter().collect::<CaseResult>()?;
    let mut expected: Vec<_> = (0..16).rev().map(|index| format!("own {index:02}")).collect();
    expected.push("shared".into());
    assert_eq!(ids(&**harness.store(), AuditQuery::default()).await?, expected);
    Ok(())
}

/// Gives only what is asked for, by each filter and by all together, and not more than the limit.
pub async fn filters_hold_alone_and_together<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    let of = |id: &str, minute, provider: Option<&str>, action: &str| AuditEntry {
        provider: provider.map(Into::into),
        action: action.into(),
        ..at_minute(id, minute)
    };
    let entries = vec![
        of("1", 1, Some("claude"), "recovered"),
        of("2", 2, Some("openai"), "recovered"),
        of("3", 3, Some("claude"), "alert"),
        of("4", 4, None, "alert"),
        of("5", 5, Some("claude"), "recovered"),
    ];
    write(&**store, entries).await?;
    let all = AuditQuery::default();
    let claude = AuditQuery { provider: Some("claude".into()), ..all.clone() };
    let recovered = AuditQuery { action: Some("recovered".into()), ..all.clone() };
    let before = |minute: u32, query: &AuditQuery| AuditQuery {
        before: Some(NOW.plus(minute * MINUTE)),
        ..query.clone()
    };
    let both = AuditQuery { action: Some("recovered".into()), ..claude.clone() };
    let cases: [(AuditQuery, &[&str]); 10] = [
        (all.clone(), &["5", "4", "3", "2", "1"]),
        (claude.clone(), &["5", "3", "1"]),
        (recovered, &["5", "2", "1"]),
        (before(3, &all), &["2", "1"]),
        (before(5, &claude), &["3", "1"]),
        (before(5, &both), &["1"]),
        (AuditQuery { limit: 2, ..claude.clone() }, &["5", "3"]),
        (AuditQuery { limit: 0, ..all.clone() }, &[]),
        (AuditQuery { limit: u32::MAX, ..both }, &["5", "1"]),
        (AuditQuery { provider: Some("Claude".into()), ..all }, &[]),
    ];
    for (query, expected) in cases {
        assert_eq!(ids(&**store, query.clone()).await?, expected, "{query:?}");
    }
    Ok(())
}

/// Forgets what is older than the newest by more than the retention, and nothing younger.
pub async fn entries_are_forgotten_after_their_time<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    let newest = NOW.plus(RETAINED_AUDIT);
    write(&**store, vec![audit("old", NOW.minus(MINUTE)), audit("young", NOW)]).await?;
    assert_eq!(ids(&**store, AuditQuery::default()).await?, ["young", "old"]);
    write(&**store, vec![audit("new", newest)]).await?;
    assert_eq!(ids(&**store, AuditQuery::default()).await?, ["new", "young"]);
    // What comes late and is too old already is not kept either.
    write(&**store, vec![audit("late", WallTime(0))]).await?;
    assert_eq!(ids(&**store, AuditQuery::default()).await?, ["new", "young"]);
    Ok(())
}

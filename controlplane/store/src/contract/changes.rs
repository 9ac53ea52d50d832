//! Changes as a whole: hints, the audit log and outcomes together.

use super::{
    CaseResult, Harness,
    sample::{MINUTE, NOW, audit, health, merge, numbered, outcome, rest},
};
use crate::{Change, RETAINED_OUTCOMES, Store};
use cliproxy_domain::{AuditQuery, Hint, HintVersion};
use std::sync::Arc;
use tokio::task::JoinSet;

fn whole(name: &str) -> Change {
    Change {
        hints: vec![rest(name, 1, 10), health(name, 1)],
        audit: vec![audit(&format!("audit of {name}"), NOW)],
        outcome: Some(outcome(name, &format!("answer to {name}"), NOW)),
        fence: None,
    }
}

/// Writes all three.
pub async fn a_change_writes_hints_audit_and_outcome<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    let numbers = [numbered(1, rest("k", 1, 10)), numbered(2, health("k", 1))];
    assert_eq!(store.change(whole("k")).await?, numbers);
    assert_eq!(store.hints().await?, (HintVersion(2), vec![rest("k", 1, 10), health("k", 1)]));
    assert_eq!(store.audit(AuditQuery::default()).await?, [audit("audit of k", NOW)]);
    assert_eq!(store.outcome("k".into()).await?.as_deref(), Some("answer to k"));
    Ok(())
}

/// Writes entries and outcomes also where no hint changes.
pub async fn a_change_without_hints_is_written_and_takes_no_version<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    assert_eq!(store.change(Change::default()).await?, []);
    assert_eq!(store.change(Change { hints: vec![], ..whole("k") }).await?, []);
    assert_eq!(store.hints().await?, (HintVersion(0), vec![]));
    assert_eq!(store.audit(AuditQuery::default()).await?.len(), 1);
    assert_eq!(store.outcome("k".into()).await?.as_deref(), Some("answer to k"));
    Ok(())
}

/// Does nothing a second time, as after a commit whose answer was lost.
pub async fn a_repeated_change_writes_nothing_twice<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    store.change(whole("k")).await?;
    let again = Change { outcome: Some(outcome("k", "another answer", NOW.plus(MINUTE))), ..whole("k") };
    assert_eq!(store.change(again).await?, []);
    assert_eq!(store.hints().await?.0, HintVersion(2));
    assert_eq!(store.audit(AuditQuery::default()).await?, [audit("audit of k", NOW)]);
    assert_eq!(store.outcome("k".into()).await?.as_deref(), Some("answer to k"));
    Ok(())
}

/// Lets a call that was carried out change nothing when it comes with other values, as from another replica that asked
/// the store before.
pub async fn a_call_that_is_remembered_changes_nothing_whatever_comes_under_its_name<H: Harness>()
-> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    store.change(whole("k")).await?;
    let other = Change { outcome: whole("k").outcome, ..whole("other") };
    assert_eq!(store.change(other).await?, []);
    assert_eq!(store.hints().await?, (HintVersion(2), vec![rest("k", 1, 10), health("k", 1)]));
    assert_eq!(store.changes_since(HintVersion(2), 10).await?, Some(vec![]));
    assert_eq!(store.audit(AuditQuery::default()).await?, [audit("audit of k", NOW)]);
    // Once it is forgotten, its name is free.
    let later = NOW.plus(RETAINED_OUTCOMES + MINUTE);
    store.change(Change { outcome: Some(outcome("k", "new", later)), ..whole("other") }).await?;
    assert_eq!(store.hints().await?.0, HintVersion(4));
    assert_eq!(store.outcome("k".into()).await?.as_deref(), Some("new"));
    Ok(())
}

/// Shows a reader all of a change or nothing: whoever sees the last of it sees what was written before.
pub async fn whoever_sees_one_part_of_a_change_sees_all_of_it<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let mut tasks = JoinSet::new();
    for index in 0..16 {
        let store = Arc::clone(harness.store());
        tasks.spawn(async move { store.change(whole(&format!("k{index}"))).await.map(drop) });
        let store = Arc::clone(harness.store());
        tasks.spawn(async move {
            for _ in 0..8 {
                let name = format!("k{index}");
                let answered = store.outcome(name.clone()).await?.is_some();
                let entries = store.audit(AuditQuery::default()).await?;
                let audited = entries.iter().any(|entry| entry.id == format!("audit of {name}"));
                let (version, hints) = store.hints().await?;
                let hinted = hints.contains(&rest(&name, 1, 10));
                assert_eq!(hints.contains(&health(&name, 1)), hinted);
                assert_eq!(version, HintVersion(hints.len() as u64));
                assert!(audited || !answered, "an outcome was seen before its audit entry");
                assert!(hinted || !audited, "an audit entry was seen before its hint");
            }
            Ok(())
        });
    }
    tasks.join_all().await.into_iter().collect::<CaseResult>()
}

/// Lets the first of equal calls at once have the word, and writes its entry once.
pub async fn equal_changes_at_once_are_written_once<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let mut tasks = JoinSet::new();
    for _ in 0..8 {
        let store = Arc::clone(harness.store());
        tasks.spawn(async move { store.change(whole("k")).await });
    }
    let answers = tasks.join_all().await.into_iter().collect::<Result<Vec<_>, _>>()?;
    let mut hints = Vec::<Hint>::new();
    hints.extend(answers.concat().into_iter().map(|change| change.hint));
    assert_eq!(hints, [rest("k", 1, 10), health("k", 1)]);
    assert_eq!(harness.store().audit(AuditQuery::default()).await?.len(), 1);
    Ok(())
}

/// Knows nothing of calls that never were, and tells ids apart.
pub async fn an_outcome_is_that_of_its_own_call<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    assert_eq!(store.outcome("k".into()).await?, None);
    let long = "x".repeat(100_000);
    for (id, answer) in [("k", ""), ("", "of no id"), ("K", long.as_str())] {
        store.change(Change { outcome: Some(outcome(id, answer, NOW)), ..Change::default() }).await?;
    }
    assert_eq!(store.outcome("k".into()).await?.as_deref(), Some(""));
    assert_eq!(store.outcome("".into()).await?.as_deref(), Some("of no id"));
    assert_eq!(store.outcome("K".into()).await?, Some(long));
    assert_eq!(store.outcome("k ".into()).await?, None);
    Ok(())
}

/// Forgets answers after their time, and nothing younger; a call of that id is a new one then.
pub async fn outcomes_are_forgotten_after_their_time<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    let told =
        |id: &str, answer: &str, at| Change { outcome: Some(outcome(id, answer, at)), ..Change::default() };
    store.change(told("old", "1", NOW.minus(MINUTE))).await?;
    store.change(told("young", "2", NOW)).await?;
    store.change(told("new", "3", NOW.plus(RETAINED_OUTCOMES))).await?;
    assert_eq!(store.outcome("old".into()).await?, None);
    assert_eq!(store.outcome("young".into()).await?.as_deref(), Some("2"));
    store.change(told("old", "4", NOW.plus(RETAINED_OUTCOMES))).await?;
    assert_eq!(store.outcome("old".into()).await?.as_deref(), Some("4"));
    // A change of hints alone forgets nothing: it has no time.
    merge(&**store, vec![rest("k", 0, 10)]).await?;
    assert_eq!(store.outcome("young".into()).await?.as_deref(), Some("2"));
    Ok(())
}

//! Urgent events.

use super::{
    CaseResult, Harness,
    sample::{MINUTE, NOW, event},
};
use crate::{RETAINED_EVENTS, Store};
use std::sync::Arc;
use tokio::task::JoinSet;

/// Takes an id once, within a call and over calls.
pub async fn each_event_is_recorded_once<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    store.record_events(vec![event("e1"), event("e2"), event("e1")], NOW).await?;
    store.record_events(vec![event("e2"), event("e3")], NOW).await?;
    store.record_events(vec![], NOW).await?;
    assert_eq!(harness.event_ids().await, ["e1", "e2", "e3"]);
    Ok(())
}

/// Takes an id once when a re-send meets the first sending.
pub async fn an_event_is_recorded_once_also_from_two_tasks<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let mut tasks = JoinSet::new();
    for _ in 0..4 {
        let store = Arc::clone(harness.store());
        tasks.spawn(async move { store.record_events(vec![event("e1"), event("e2")], NOW).await });
    }
    tasks.join_all().await.into_iter().collect::<CaseResult>()?;
    assert_eq!(harness.event_ids().await, ["e1", "e2"]);
    Ok(())
}

/// Remembers ids over a restart.
pub async fn a_resent_event_is_known_after_reopening<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    harness.store().record_events(vec![event("e1")], NOW).await?;
    let harness = harness.reopen().await;
    harness.store().record_events(vec![event("e1"), event("e2")], NOW).await?;
    assert_eq!(harness.event_ids().await, ["e1", "e2"]);
    Ok(())
}

/// Forgets what is older than the retention, and nothing younger.
pub async fn events_are_forgotten_after_their_time<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    store.record_events(vec![event("old")], NOW.minus(MINUTE)).await?;
    store.record_events(vec![event("young")], NOW).await?;
    store.record_events(vec![event("new")], NOW.plus(RETAINED_EVENTS)).await?;
    assert_eq!(harness.event_ids().await, ["new", "young"]);
    Ok(())
}

//! The history's name, and whether the store can commit.

use super::{
    CaseResult, Harness,
    sample::{NOW, around_now, merge, report, rest},
};
use crate::Store;
use cliproxy_domain::HintVersion;
use std::sync::Arc;
use tokio::task::JoinSet;

/// Gives the same name every time and after a restart.
pub async fn a_history_keeps_its_name<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let name = harness.store().history().await?;
    assert!(!name.0.is_empty());
    assert_eq!(harness.store().history().await?, name);
    let harness = harness.reopen().await;
    assert_eq!(harness.store().history().await?, name);
    Ok(())
}

/// Gives databases names that are never mixed up.
pub async fn two_databases_have_two_histories<H: Harness>() -> CaseResult {
    let (one, other) = (H::fresh().await, H::fresh().await);
    assert_ne!(one.store().history().await?, other.store().history().await?);
    Ok(())
}

/// Leaves no trace that any method shows.
pub async fn a_ping_changes_nothing<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    store.ping().await?;
    assert_eq!(store.active_config().await?, None);
    assert_eq!(store.hints().await?, (HintVersion(0), vec![]));
    assert_eq!(store.usage(around_now()).await?, []);
    assert_eq!(store.nodes().await?, []);
    assert_eq!(harness.event_ids().await, Vec::<String>::new());
    Ok(())
}

/// Takes its turn among other commits.
pub async fn pings_go_well_beside_other_commits<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let mut tasks = JoinSet::new();
    for index in 0..8_u64 {
        let store = Arc::clone(harness.store());
        tasks.spawn(async move {
            store.ping().await?;
            store.apply_batches(vec![report(&format!("node {index}"), &[1])], NOW).await?;
            merge(&*store, vec![rest(&format!("key {index}"), 0, 10)]).await?;
            store.ping().await
        });
    }
    tasks.join_all().await.into_iter().collect::<CaseResult>()?;
    assert_eq!(harness.store().hints().await?.0, HintVersion(8));
    Ok(())
}

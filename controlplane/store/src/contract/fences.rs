//! What is written under a lease.

use super::{
    CaseResult, Harness,
    sample::{
        MINUTE, NOW, answered, around_now, audit, by, fence, lead, let_run_out, loop_lease, node, one_batch,
        outcome, rest,
    },
};
use crate::{Change, CheckCount, Store, StoreError, UsagePeriod};
use cliproxy_domain::{AuditQuery, Fence, Hint, HintVersion, LeaseName};
use std::{sync::Arc, time::Duration};
use tokio::task::JoinSet;

const LONG: Duration = Duration::from_secs(600);

fn whole(fence: Fence) -> Change {
    Change {
        hints: vec![rest("k", 1, 10)],
        audit: vec![audit("a1", NOW)],
        outcome: Some(outcome("call", "done", NOW)),
        fence: Some(fence),
    }
}

fn checks() -> Vec<CheckCount> {
    vec![CheckCount { minute: NOW, provider: "claude".into(), checks: 1, passed: 1 }]
}

fn refused<T: std::fmt::Debug>(answer: Result<T, StoreError>) {
    assert!(matches!(&answer, Err(StoreError::Fenced(lease)) if *lease == loop_lease().0), "{answer:?}");
}

/// Gives fences that do not hold while `b` has the second epoch.
fn stale() -> Vec<Fence> {
    let elsewhere = Fence { lease: LeaseName::active("pair"), ..fence("b", 2) };
    vec![fence("a", 1), fence("a", 2), fence("b", 1), fence("b", 3), fence("b", u64::MAX), elsewhere]
}

/// Leaves the lease with `b` after `a` had it.
async fn passed_on<S: Store>(store: &Arc<S>) -> CaseResult {
    lead(store, "a", Duration::ZERO).await?;
    let_run_out(store, "b").await?;
    lead(store, "b", LONG).await.map(drop)
}

/// Does all of a change, and the rest, for whoever has the lease.
pub async fn whoever_has_the_lease_writes<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    passed_on(store).await?;
    let held = fence("b", 2);
    assert_eq!(store.change(whole(held.clone())).await?.len(), 1);
    store.record_checks(checks(), Some(held.clone())).await?;
    store.forget_cooldowns(NOW.plus(MINUTE), Some(held.clone())).await?;
    store.tidy(NOW, Some(held)).await?;
    assert_eq!(store.audit(AuditQuery::default()).await?.len(), 1);
    assert_eq!(store.checks(around_now()).await?, [("claude".into(), (1, 1))].into());
    Ok(())
}

/// Does nothing of a change for whoever lost the lease, has another, or never had one.
pub async fn a_change_under_a_stale_fence_does_nothing_at_all<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    refused(store.change(whole(fence("a", 1))).await);
    passed_on(store).await?;
    for stale in stale() {
        let answer = store.change(whole(stale.clone())).await;
        assert!(matches!(&answer, Err(StoreError::Fenced(lease)) if *lease == stale.lease.0), "{answer:?}");
    }
    assert_eq!(store.hints().await?, (HintVersion(0), vec![]));
    assert_eq!(store.audit(AuditQuery::default()).await?, []);
    assert_eq!(store.outcome("call".into()).await?, None);
    Ok(())
}

/// Is refused before anyone looks whether the call was carried out before.
pub async fn a_remembered_call_under_a_stale_fence_is_refused<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    store.change(Change { fence: None, ..whole(fence("a", 1)) }).await?;
    refused(store.change(whole(fence("a", 1))).await);
    Ok(())
}

/// Counts no checks for whoever lost the lease.
pub async fn checks_under_a_stale_fence_are_not_counted<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    passed_on(store).await?;
    refused(store.record_checks(checks(), Some(fence("a", 1))).await);
    assert_eq!(store.checks(around_now()).await?, [].into());
    Ok(())
}

/// Keeps rests, minutes and nodes when whoever lost the lease would forget them.
pub async fn nothing_is_forgotten_under_a_stale_fence<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    passed_on(store).await?;
    store.change(Change { hints: vec![rest("k", 0, 10)], ..Change::default() }).await?;
    store.see_node(node("a", 1, Duration::ZERO)).await?;
    store.apply_batches(vec![one_batch(1, NOW, vec![answered("claude", 7)])], NOW).await?;
    let year = 365 * 24 * 60 * MINUTE;
    refused(store.forget_cooldowns(NOW.plus(year), Some(fence("a", 1))).await);
    refused(store.tidy(NOW.plus(year), Some(fence("a", 1))).await);
    assert_eq!(store.hints().await?.1.len(), 1);
    assert_eq!(store.nodes().await?.len(), 1);
    assert_eq!(store.usage_by(by(UsagePeriod::Minute)).await?.len(), 1);
    Ok(())
}

/// Ends with resigning, before another takes the lease.
pub async fn nothing_is_written_under_a_lease_that_was_given_up<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    lead(store, "a", LONG).await?;
    store.resign(fence("a", 1)).await?;
    refused(store.change(whole(fence("a", 1))).await);
    lead(store, "a", LONG).await?;
    refused(store.change(whole(fence("a", 1))).await);
    assert_eq!(store.change(whole(fence("a", 2))).await?.len(), 1);
    Ok(())
}

/// Lets each epoch write until the next has begun, and never after: whatever a holder wrote stands before what the next
/// one did.
pub async fn whoever_loses_the_lease_in_between_is_refused<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let mut tasks = JoinSet::new();
    for index in 0..8_u64 {
        let store = Arc::clone(harness.store());
        tasks.spawn(async move {
            let name = format!("replica {index}");
            let mut written = 0;
            for step in 0..8_u64 {
                // Nobody has time: whoever comes next takes it over.
                let (holder, epoch) = lead(&store, &name, Duration::ZERO).await?;
                if holder != name {
                    continue;
                }
                tokio::task::yield_now().await;
                let hints = vec![rest(&format!("k{index} {step}"), epoch, 10)];
                let change = Change { hints, fence: Some(fence(&name, epoch)), ..Change::default() };
                match store.change(change).await {
                    Ok(_) => written += 1,
                    Err(StoreError::Fenced(_)) => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(written)
        });
    }
    let written = tasks.join_all().await.into_iter().collect::<Result<Vec<u64>, _>>()?;
    let log = harness.store().changes_since(HintVersion(0), u32::MAX).await?.expect("few were written");
    assert_eq!(log.len() as u64, written.iter().sum::<u64>());
    let epochs: Vec<u64> = log
        .iter()
        .map(|change| match &change.hint {
            Hint::Cooldown(rest) => rest.epoch,
            other => panic!("a rest was written, not {other:?}"),
        })
        .collect();
    assert!(epochs.is_sorted(), "an epoch wrote after the next had: {epochs:?}");
    Ok(())
}

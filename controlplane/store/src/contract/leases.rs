//! Who does for all what only one may do.

use super::{
    CaseResult, Harness,
    sample::{fence, lead, let_run_out, loop_lease},
};
use crate::Store;
use cliproxy_domain::LeaseName;
use std::{collections::BTreeSet, sync::Arc, time::Duration};
use tokio::task::JoinSet;

/// Longer than any case takes.
const LONG: Duration = Duration::from_secs(600);

/// Gives a lease that nobody had, with the first epoch and all of its time.
pub async fn a_free_lease_is_taken_with_epoch_one<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let lease = harness.store().lead(loop_lease(), "a".into(), LONG).await?;
    assert_eq!((lease.holder.as_str(), lease.epoch), ("a", 1));
    assert!(lease.left <= LONG && lease.left > LONG / 2, "{lease:?}");
    Ok(())
}

/// Lets the holder go on under the same epoch, for as long as it asks for now.
pub async fn a_renewed_lease_keeps_its_epoch<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    lead(store, "a", LONG).await?;
    let renewed = store.lead(loop_lease(), "a".into(), 2 * LONG).await?;
    assert_eq!((renewed.holder.as_str(), renewed.epoch), ("a", 1));
    assert!(renewed.left > LONG, "{renewed:?}");
    Ok(())
}

/// Tells another who holds it, and does not shorten or lengthen it.
pub async fn a_held_lease_is_refused_to_others<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    lead(store, "a", LONG).await?;
    for ttl in [Duration::ZERO, 2 * LONG] {
        let lease = store.lead(loop_lease(), "b".into(), ttl).await?;
        assert_eq!((lease.holder.as_str(), lease.epoch), ("a", 1));
        assert!(lease.left <= LONG && lease.left > LONG / 2, "{lease:?}");
    }
    Ok(())
}

/// Lets another have what its holder did not renew in time, by the store's clock, under the next epoch.
pub async fn a_lease_that_ran_out_goes_to_another<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    lead(store, "a", Duration::from_millis(30)).await?;
    assert_eq!(let_run_out(store, "b").await?, 2);
    assert_eq!(lead(store, "a", LONG).await?, ("b".into(), 2));
    Ok(())
}

/// Takes a holder who is late, while nobody else came, for the one who went on.
pub async fn a_late_holder_keeps_the_epoch_while_nobody_came<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    assert_eq!(lead(store, "a", Duration::ZERO).await?, ("a".into(), 1));
    assert_eq!(lead(store, "a", LONG).await?, ("a".into(), 1));
    Ok(())
}

/// Lets the next have it at once, be it the same one again, under the next epoch.
pub async fn a_resigned_lease_is_free_at_once<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    lead(store, "a", LONG).await?;
    store.resign(fence("a", 1)).await?;
    store.resign(fence("a", 1)).await?;
    assert_eq!(lead(store, "b", LONG).await?, ("b".into(), 2));
    store.resign(fence("b", 2)).await?;
    assert_eq!(lead(store, "b", LONG).await?, ("b".into(), 3));
    Ok(())
}

/// Leaves a lease with its holder when someone resigns who lost it, never had it, or means another.
pub async fn resigning_what_is_not_held_does_nothing<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    store.resign(fence("a", 1)).await?;
    lead(store, "a", Duration::ZERO).await?;
    let_run_out(store, "b").await?;
    let mut other = fence("b", 2);
    other.lease = LeaseName::active("pair");
    for wrong in [fence("a", 1), fence("a", 2), fence("b", 1), fence("b", 3), other] {
        store.resign(wrong).await?;
    }
    assert_eq!(lead(store, "c", LONG).await?, ("b".into(), 2));
    Ok(())
}

/// Keeps leases of different names apart.
pub async fn leases_have_nothing_to_do_with_each_other<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    lead(store, "a", LONG).await?;
    let pair = store.lead(LeaseName::active("pair"), "b".into(), LONG).await?;
    assert_eq!((pair.holder.as_str(), pair.epoch), ("b", 1));
    assert_eq!(lead(store, "b", LONG).await?, ("a".into(), 1));
    Ok(())
}

/// Gives a lease to one of many who come at once, and tells all the same.
pub async fn one_of_many_takes_a_free_lease<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let mut tasks = JoinSet::new();
    for index in 0..16 {
        let store = Arc::clone(harness.store());
        tasks.spawn(async move { lead(&store, &format!("replica {index}"), LONG).await });
    }
    let answers = tasks.join_all().await.into_iter().collect::<Result<BTreeSet<_>, _>>()?;
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert_eq!(answers.first().map(|(_, epoch)| *epoch), Some(1));
    Ok(())
}

/// Gives a lease that ran out to one of many, with one epoch more and not several.
pub async fn one_of_many_takes_a_lease_that_ran_out<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    lead(store, "gone", LONG).await?;
    store.resign(fence("gone", 1)).await?;
    let mut tasks = JoinSet::new();
    for index in 0..16 {
        let store = Arc::clone(store);
        tasks.spawn(async move { lead(&store, &format!("replica {index}"), LONG).await });
    }
    let answers = tasks.join_all().await.into_iter().collect::<Result<BTreeSet<_>, _>>()?;
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert_eq!(answers.first().map(|(_, epoch)| *epoch), Some(2));
    Ok(())
}

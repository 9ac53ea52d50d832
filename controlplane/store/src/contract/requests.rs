//! Records of requests.

use super::{
    CaseResult, Harness,
    sample::{MINUTE, NOW},
};
use crate::{MAX_REQUESTS, RETAINED_REQUESTS, Store, StoreError, StoredRequest};
use cliproxy_domain::WallTime;
use std::{sync::Arc, time::Duration};
use tokio::task::JoinSet;

fn request(id: &str, at: WallTime) -> StoredRequest {
    StoredRequest { id: id.into(), at, body: format!("record of {id}") }
}

async fn are_kept(store: &impl Store, ids: &[&str]) -> Result<Vec<bool>, StoreError> {
    let mut kept = Vec::new();
    for id in ids {
        kept.push(store.request((*id).into()).await?.is_some());
    }
    Ok(kept)
}

/// Gives the record of that id, as it was, and none of another.
pub async fn a_record_is_found_by_its_id<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    assert_eq!(store.request("r1".into()).await?, None);
    let long = StoredRequest { body: "{\"ü\": \"'\"}\n".repeat(20_000), ..request("long", NOW) };
    let empty = StoredRequest { id: String::new(), at: NOW, body: String::new() };
    store.record_requests(vec![request("r1", NOW), long.clone(), empty], NOW).await?;
    store.record_requests(vec![], NOW).await?;
    assert_eq!(store.request("r1".into()).await?.as_deref(), Some("record of r1"));
    assert_eq!(store.request("long".into()).await?, Some(long.body));
    assert_eq!(store.request("".into()).await?.as_deref(), Some(""));
    assert_eq!(store.request("R1".into()).await?, None);
    Ok(())
}

/// Takes an id once, within a call and over calls: the first record stays.
pub async fn the_first_record_of_an_id_stays<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    let other = |at| StoredRequest { body: "other".into(), ..request("r1", at) };
    store.record_requests(vec![request("r1", NOW), other(NOW)], NOW).await?;
    store.record_requests(vec![other(NOW.plus(MINUTE))], NOW).await?;
    assert_eq!(store.request("r1".into()).await?.as_deref(), Some("record of r1"));
    Ok(())
}

/// Loses no record of tasks that write at once.
pub async fn records_of_many_tasks_are_all_there<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let mut tasks = JoinSet::new();
    for index in 0..16 {
        let store = Arc::clone(harness.store());
        let both = vec![request("shared", NOW), request(&format!("own {index}"), NOW)];
        tasks.spawn(async move { store.record_requests(both, NOW).await });
    }
    tasks.join_all().await.into_iter().collect::<CaseResult>()?;
    for index in 0..16 {
        assert!(harness.store().request(format!("own {index}")).await?.is_some());
    }
    assert_eq!(harness.store().request("shared".into()).await?.as_deref(), Some("record of shared"));
    Ok(())
}

/// Forgets what came before the retention, and nothing younger.
pub async fn records_are_forgotten_after_their_time<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    store.record_requests(vec![request("old", NOW.minus(MINUTE)), request("young", NOW)], NOW).await?;
    assert_eq!(are_kept(&**store, &["old", "young"]).await?, [true, true]);
    store.record_requests(vec![request("late", NOW.minus(MINUTE))], NOW.plus(RETAINED_REQUESTS)).await?;
    assert_eq!(are_kept(&**store, &["old", "young", "late"]).await?, [false, true, false]);
    Ok(())
}

/// Keeps so many and no more, the newest, also after a restart and after some were too old.
pub async fn the_oldest_records_make_room<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let at = |index: u32| NOW.plus(Duration::from_millis(index.into()));
    let many = |range: std::ops::Range<u32>| -> Vec<StoredRequest> {
        range.map(|index| request(&index.to_string(), at(index))).collect()
    };
    harness.store().record_requests(vec![request("too old", NOW.minus(MINUTE))], NOW.minus(MINUTE)).await?;
    harness.store().record_requests(many(0..MAX_REQUESTS - 1), NOW.plus(RETAINED_REQUESTS)).await?;
    assert_eq!(are_kept(&**harness.store(), &["too old", "0"]).await?, [false, true]);

    let harness = harness.reopen().await;
    let store = harness.store();
    // The last of these was there before and takes no room.
    let four = many(MAX_REQUESTS - 2..MAX_REQUESTS + 2);
    store.record_requests(four, NOW.plus(RETAINED_REQUESTS)).await?;
    let newest = (MAX_REQUESTS + 1).to_string();
    assert_eq!(are_kept(&**store, &["0", "1", "2", &newest]).await?, [false, false, true, true]);
    Ok(())
}

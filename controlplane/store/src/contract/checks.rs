//! Health checks by the minute.

use super::{
    CaseResult, Harness,
    sample::{MINUTE, NOW, around_now},
};
use crate::{CheckCount, RETAINED_CHECKS, Store, ledger::CELL_MAX};
use cliproxy_domain::WallTime;
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::task::JoinSet;

fn count(provider: &str, minute: u32, checks: u64, passed: u64) -> CheckCount {
    CheckCount { minute: NOW.plus(minute * MINUTE), provider: provider.into(), checks, passed }
}

/// Adds within a minute, within a call and over calls, and over minutes, each provider for itself.
pub async fn checks_add_up_over_calls_and_minutes<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    assert_eq!(store.checks(around_now()).await?, BTreeMap::new());
    store.record_checks(vec![], None).await?;
    store.record_checks(vec![count("claude", 0, 2, 1), count("claude", 0, 1, 1)], None).await?;
    store.record_checks(vec![count("claude", 0, 4, 0), count("claude", 1, 8, 8)], None).await?;
    store.record_checks(vec![count("openai", 1, 1, 0)], None).await?;
    let expected = [("claude".into(), (15, 10)), ("openai".into(), (1, 0))];
    assert_eq!(store.checks(around_now()).await?, expected.into());
    Ok(())
}

/// Takes the first minute of the range and leaves out the one at its end.
pub async fn checks_count_minutes_that_begin_within_the_range<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    let minutes = (0..4).map(|minute| count("claude", minute, 1 << minute, 0)).collect();
    store.record_checks(minutes, None).await?;
    let mut sums = Vec::new();
    let millisecond = Duration::from_millis(1);
    for range in [
        NOW.plus(MINUTE)..NOW.plus(3 * MINUTE),
        NOW.plus(millisecond)..NOW.plus(2 * MINUTE).plus(millisecond),
        NOW..NOW,
        WallTime(i64::MIN)..WallTime(i64::MAX),
    ] {
        let counted = store.checks(range).await?;
        sums.push(counted.values().map(|(checks, _)| *checks).sum::<u64>());
    }
    assert_eq!(sums, [2 + 4, 2 + 4, 0, 15]);
    Ok(())
}

/// Loses nothing of tasks that count at once.
pub async fn checks_of_many_tasks_all_count<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let mut tasks = JoinSet::new();
    for index in 0..16_u32 {
        let store = Arc::clone(harness.store());
        let counts = vec![count("claude", 0, 1, u64::from(index % 2)), count("claude", index, 1, 1)];
        tasks.spawn(async move { store.record_checks(counts, None).await });
    }
    tasks.join_all().await.into_iter().collect::<CaseResult>()?;
    assert_eq!(harness.store().checks(around_now()).await?, [("claude".into(), (32, 24))].into());
    Ok(())
}

/// Neither fails nor wraps on nonsense; answers add such counts up to the end of their type.
pub async fn a_count_stays_at_its_limit_instead_of_overflowing<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    for _ in 0..2 {
        store.record_checks(vec![count("claude", 0, u64::MAX, 1)], None).await?;
    }
    assert_eq!(store.checks(around_now()).await?, [("claude".into(), (CELL_MAX, 2))].into());
    let more = (1..5).map(|minute| count("claude", minute, u64::MAX, u64::MAX)).collect();
    store.record_checks(more, None).await?;
    assert_eq!(store.checks(around_now()).await?, [("claude".into(), (u64::MAX, u64::MAX))].into());
    Ok(())
}

/// Forgets minutes older than the newest by more than the retention, and nothing younger.
pub async fn checks_are_forgotten_after_their_time<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    let at = |minute: WallTime, checks| CheckCount { minute, provider: "claude".into(), checks, passed: 0 };
    store.record_checks(vec![at(NOW.minus(MINUTE), 1), at(NOW, 2)], None).await?;
    store.record_checks(vec![at(NOW.plus(RETAINED_CHECKS), 4)], None).await?;
    let all = WallTime(i64::MIN)..WallTime(i64::MAX);
    assert_eq!(store.checks(all).await?, [("claude".into(), (6, 0))].into());
    Ok(())
}

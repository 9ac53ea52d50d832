//! Rolling up and forgetting.

use super::{
    CaseResult, Harness,
    sample::{MINUTE, NOW, all_time, answered, by, distinct, node, one_batch, report},
};
use crate::{
    NodeBatches, RETAINED_HOURS, RETAINED_MINUTES, RETAINED_NODES, Store, StoreError, UsageBy, UsageOf,
    UsagePeriod, UsageQuery, UsageSum, ledger::rolling::MAX_ROLLED_HOURS,
};
use cliproxy_domain::{AttemptCounts, TokenUsage};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::task::JoinSet;

const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Asks for all usage by the period, with all told apart.
fn in_full(period: UsagePeriod) -> UsageQuery {
    let by_all = UsageBy { provider: true, credential: true, model: true, client: true, price: true };
    UsageQuery { by: by_all, ..by(period) }
}

type Totals = BTreeMap<UsageOf, (AttemptCounts, TokenUsage, u64)>;

/// Adds up sums over time, by what is told apart.
fn totals(sums: &[UsageSum]) -> Totals {
    let mut totals = Totals::new();
    for sum in sums {
        let (attempts, tokens, cost_nanos) = totals.entry(sum.of.clone()).or_default();
        *attempts += sum.attempts;
        *tokens += sum.tokens;
        *cost_nanos += sum.cost_nanos;
    }
    totals
}

/// Gives the sums by hour and by day, after holding that they agree with each other and with the minutes.
async fn agreeing<S: Store>(store: &Arc<S>) -> Result<[Vec<UsageSum>; 2], StoreError> {
    let minutes = store.usage_by(in_full(UsagePeriod::Minute)).await?;
    let hours = store.usage_by(in_full(UsagePeriod::Hour)).await?;
    let days = store.usage_by(in_full(UsagePeriod::Day)).await?;
    assert_eq!(totals(&minutes), totals(&hours), "minutes and hours");
    assert_eq!(totals(&hours), totals(&days), "hours and days");
    Ok([hours, days])
}

/// Gives the tokens by hour, counted from the hour of [`NOW`], the newest first.
async fn tokens_by_hour<S: Store>(store: &Arc<S>) -> Result<Vec<(u64, u64)>, StoreError> {
    let sums = store.usage_by(by(UsagePeriod::Hour)).await?;
    let first = UsagePeriod::Hour.start_of(NOW);
    Ok(sums.iter().map(|sum| (sum.at.since(first).as_secs() / 3_600, sum.tokens.input)).collect())
}

/// Has minutes, hours and days give the same sums over a night in which it tidies up now and then.
pub async fn minutes_hours_and_days_agree_whatever_was_tidied<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    let mut expected: BTreeMap<_, u64> = BTreeMap::new();
    for seq in 1..=40 {
        let now = NOW.plus(7 * MINUTE * u32::try_from(seq).unwrap_or(0));
        let mut rows =
            vec![distinct("claude", "m", seq), distinct("azure", &format!("model {}", seq % 3), seq)];
        rows[0].key.client = (seq % 2 == 0).then(|| "ci".into());
        rows[0].key.price = (seq % 3 == 0).then(|| format!("config-{}", seq % 4).into());
        let expected_ok: u64 = rows.iter().map(|row| row.attempts.ok).sum();
        *expected.entry(UsagePeriod::Hour.start_of(now)).or_default() += expected_ok;
        store.apply_batches(vec![one_batch(seq, now, rows)], now).await?;
        if seq % 5 == 0 {
            store.tidy(now, None).await?;
        }
        agreeing(store).await?;
    }
    let hours = store.usage_by(by(UsagePeriod::Hour)).await?;
    let counted: BTreeMap<_, u64> = hours.iter().map(|sum| (sum.at, sum.attempts.ok)).collect();
    assert_eq!(counted, expected);
    Ok(())
}

/// Adds nothing a second time, also when the clock was set back in between.
pub async fn tidying_again_changes_nothing<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    store.apply_batches(vec![report("a", &[1, 2])], NOW).await?;
    let before = agreeing(store).await?;
    for offset in [3 * HOUR, 3 * HOUR, HOUR, Duration::ZERO, 5 * HOUR] {
        store.tidy(NOW.plus(offset), None).await?;
        assert_eq!(agreeing(store).await?, before);
    }
    Ok(())
}

/// Counts what comes after its hour was rolled up, as from a replica whose clock is behind, in that hour and day, once.
pub async fn what_comes_after_the_roll_up_counts_too<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    store.apply_batches(vec![report("a", &[1])], NOW).await?;
    store.tidy(NOW.plus(3 * HOUR), None).await?;
    store.apply_batches(vec![report("a", &[2]), report("b", &[1])], NOW).await?;
    assert_eq!(tokens_by_hour(store).await?, [(0, 4)]);
    let before = agreeing(store).await?;
    store.tidy(NOW.plus(4 * HOUR), None).await?;
    assert_eq!(agreeing(store).await?, before);
    assert_eq!(tokens_by_hour(store).await?, [(0, 4)]);
    Ok(())
}

/// Forgets minutes after their time, and not the hours and days they went into; what is asked for over the whole range
/// is still all there.
pub async fn minutes_are_forgotten_after_their_time<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    store.apply_batches(vec![one_batch(1, NOW, vec![answered("claude", 1)])], NOW).await?;
    let later = NOW.plus(2 * HOUR);
    store.apply_batches(vec![one_batch(2, later, vec![answered("claude", 2)])], later).await?;
    let by_hour = tokens_by_hour(store).await?;
    store.tidy(NOW.plus(RETAINED_MINUTES), None).await?;
    assert_eq!(store.usage_by(by(UsagePeriod::Minute)).await?.len(), 2, "both are kept that long");
    store.tidy(NOW.plus(RETAINED_MINUTES + HOUR), None).await?;
    let minutes = store.usage_by(by(UsagePeriod::Minute)).await?;
    assert_eq!(minutes.iter().map(|sum| sum.tokens.input).collect::<Vec<_>>(), [2]);
    assert_eq!(tokens_by_hour(store).await?, by_hour);
    let all = store.usage(all_time()).await?;
    assert_eq!(all.iter().map(|row| row.tokens.input).collect::<Vec<_>>(), [3]);
    let first_hour = UsagePeriod::Hour.start_of(NOW);
    assert_eq!(store.usage(first_hour..later).await?[0].tokens.input, 1);
    // It cannot be told any more when within the hour it was.
    assert_eq!(store.usage(NOW..later).await?, []);
    Ok(())
}

/// Forgets hours after their time, and never days.
pub async fn hours_are_forgotten_and_days_are_not<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    store.apply_batches(vec![report("a", &[1, 2])], NOW).await?;
    let days = store.usage_by(in_full(UsagePeriod::Day)).await?;
    store.tidy(NOW.plus(RETAINED_HOURS - HOUR), None).await?;
    assert_eq!(tokens_by_hour(store).await?, [(0, 3)]);
    store.tidy(NOW.plus(RETAINED_HOURS + HOUR), None).await?;
    assert_eq!(tokens_by_hour(store).await?, []);
    store.tidy(NOW.plus(40 * RETAINED_HOURS), None).await?;
    assert_eq!(store.usage_by(in_full(UsagePeriod::Day)).await?, days);
    Ok(())
}

/// Counts all hours of a pause during which nobody tidied up, before, between and after the calls that it takes.
pub async fn a_long_pause_is_made_up_for_in_several_calls<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    for seq in 1..=60 {
        let now = NOW.plus(HOUR * u32::try_from(seq).unwrap_or(0));
        store.apply_batches(vec![one_batch(seq, now, vec![answered("claude", seq)])], now).await?;
    }
    let before = agreeing(store).await?;
    for _ in 0..=60 / MAX_ROLLED_HOURS {
        store.tidy(NOW.plus(RETAINED_MINUTES + 30 * DAY), None).await?;
        let hours = store.usage_by(in_full(UsagePeriod::Hour)).await?;
        let days = store.usage_by(in_full(UsagePeriod::Day)).await?;
        assert_eq!([hours, days], before);
    }
    assert_eq!(store.usage_by(by(UsagePeriod::Minute)).await?, [], "these calls are enough");
    Ok(())
}

/// Loses and doubles nothing when replicas tidy up and count at the same time.
pub async fn tidying_beside_counting_loses_nothing<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let mut tasks = JoinSet::new();
    for index in 0..4_u64 {
        let store = Arc::clone(harness.store());
        tasks.spawn(async move {
            for seq in 1..=8_u32 {
                let now = NOW.plus(HOUR * seq);
                let batch = one_batch(seq.into(), now, vec![answered("claude", 1)]);
                let node = format!("node {index}").into();
                store.apply_batches(vec![NodeBatches { node, ..batch }], now).await?;
            }
            Ok(())
        });
        let store = Arc::clone(harness.store());
        tasks.spawn(async move {
            for hours in 0..8 {
                store.tidy(NOW.plus(HOUR * hours), None).await?;
            }
            Ok(())
        });
    }
    tasks.join_all().await.into_iter().collect::<CaseResult>()?;
    let expected: Vec<_> = (1..=8).rev().map(|hour| (hour, 4)).collect();
    assert_eq!(tokens_by_hour(harness.store()).await?, expected);
    agreeing(harness.store()).await?;
    Ok(())
}

/// Forgets nodes that were not heard of for long, and no others.
pub async fn nodes_not_heard_of_for_long_are_forgotten<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    store.see_node(node("gone", 1, Duration::ZERO)).await?;
    store.see_node(node("here", 1, MINUTE)).await?;
    store.tidy(NOW.plus(RETAINED_NODES), None).await?;
    assert_eq!(store.nodes().await?.len(), 2);
    store.tidy(NOW.plus(RETAINED_NODES + MINUTE), None).await?;
    assert_eq!(store.nodes().await?, [node("here", 1, MINUTE)]);
    Ok(())
}

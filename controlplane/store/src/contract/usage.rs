//! What usage adds up to.

use super::{
    CaseResult, Harness,
    sample::{MINUTE, NOW, answered, around_now, distinct, key, one_batch, report},
};
use crate::{
    NodeBatches, Store,
    ledger::{CELL_MAX, MAX_SKEW},
};
use cliproxy_domain::{AttemptCounts, LedgerRow, ProviderName, TokenUsage, WallTime};
use std::{collections::BTreeMap, ops::Range, sync::Arc, time::Duration};

fn with(attempts: AttemptCounts) -> LedgerRow {
    LedgerRow { key: key("claude", "m").into(), attempts, tokens: TokenUsage::default(), cost_nanos: 0 }
}

async fn shares<S: Store>(
    store: &Arc<S>,
    minutes: Range<WallTime>,
) -> Result<Vec<(String, f64)>, crate::StoreError> {
    let shares: BTreeMap<ProviderName, f64> = store.answered_share(minutes).await?;
    Ok(shares.into_iter().map(|(provider, share)| (provider.to_string(), share)).collect())
}

/// Adds every counter of every key, over batches, minutes and nodes.
pub async fn sums_equal_what_was_applied<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    let first = vec![distinct("claude", "m", 1 << 40), distinct("claude", "n", 7)];
    store.apply_batches(vec![one_batch(1, NOW, first.clone())], NOW).await?;
    let second = vec![distinct("claude", "m", 1 << 50), distinct("azure", "m", 9)];
    let others: Vec<NodeBatches> = (0..8)
        .map(|index| NodeBatches { node: format!("n{index}").into(), ..one_batch(1, NOW, second.clone()) })
        .collect();
    store.apply_batches(others, NOW).await?;
    store.apply_batches(vec![one_batch(2, NOW.plus(MINUTE), second.clone())], NOW).await?;

    let mut expected: BTreeMap<_, LedgerRow> = BTreeMap::new();
    for row in first.iter().chain(second.iter().cycle().take(2 * 9)) {
        expected.entry(row.key.clone()).and_modify(|known| known.add(row)).or_insert_with(|| row.clone());
    }
    assert_eq!(store.usage(around_now()).await?, expected.into_values().collect::<Vec<_>>());
    Ok(())
}

/// Takes the first minute of the range and leaves out the one at its end.
pub async fn usage_counts_minutes_that_begin_within_the_range<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    for (seq, offset) in [(1, Duration::ZERO), (2, MINUTE - Duration::from_millis(1)), (3, MINUTE)] {
        store
            .apply_batches(vec![one_batch(seq, NOW.plus(offset), vec![answered("claude", seq)])], NOW)
            .await?;
    }
    let mut inputs = Vec::new();
    let millisecond = Duration::from_millis(1);
    for minutes in [
        NOW..NOW.plus(MINUTE),
        NOW.plus(millisecond)..NOW.plus(MINUTE).plus(millisecond),
        NOW..NOW,
        NOW.plus(2 * MINUTE)..NOW.plus(3 * MINUTE),
    ] {
        let rows = store.usage(minutes).await?;
        inputs.push(rows.iter().map(|row| row.tokens.input).collect::<Vec<_>>());
    }
    assert_eq!(inputs, [vec![1 + 2], vec![3], vec![], vec![]]);
    Ok(())
}

/// Counts everything, whatever a node's clock says, but at most five minutes off.
pub async fn windows_far_from_now_count_at_five_minutes<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    let hour = 60 * MINUTE;
    let starts =
        [NOW.minus(hour), NOW.minus(4 * MINUTE), NOW.plus(hour), WallTime(i64::MIN), WallTime(i64::MAX)];
    for (seq, start) in (1..).zip(starts) {
        store.apply_batches(vec![one_batch(seq, start, vec![answered("claude", seq)])], NOW).await?;
    }
    let mut inputs = Vec::new();
    for start in [NOW.minus(MAX_SKEW), NOW.minus(4 * MINUTE), NOW.plus(MAX_SKEW)] {
        let rows = store.usage(start..start.plus(MINUTE)).await?;
        inputs.push(rows.iter().map(|row| row.tokens.input).sum::<u64>());
    }
    assert_eq!(inputs, [1 + 4, 2, 3 + 5]);
    assert_eq!(store.usage(around_now()).await?.iter().map(|row| row.attempts.ok).sum::<u64>(), 5);
    Ok(())
}

/// Neither fails nor wraps when a node reports nonsense; answers add such cells up to the end of their type.
pub async fn a_counter_stays_at_its_limit_instead_of_overflowing<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    for seq in 1..=2 {
        store.apply_batches(vec![one_batch(seq, NOW, vec![answered("claude", u64::MAX)])], NOW).await?;
    }
    let rows = store.usage(around_now()).await?;
    assert_eq!((rows[0].attempts.ok, rows[0].tokens.input), (2, CELL_MAX));
    for (seq, minute) in (3..).zip(1..=4) {
        let next = one_batch(seq, NOW.plus(minute * MINUTE), vec![answered("claude", u64::MAX)]);
        store.apply_batches(vec![next], NOW).await?;
    }
    let rows = store.usage(around_now()).await?;
    assert_eq!((rows[0].attempts.ok, rows[0].tokens.input), (6, u64::MAX));
    Ok(())
}

/// Counts minutes, not calls, and those of a provider whichever credential or node called it.
pub async fn the_share_counts_minutes_with_an_answer<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    let failed = with(AttemptCounts { err_5xx: 9, timeout: 1, connect: 1, ..AttemptCounts::default() });
    let elsewhere = LedgerRow { key: key("claude", "other").into(), ..answered("claude", 1) };
    let minutes =
        [vec![failed.clone(), elsewhere], vec![failed.clone()], vec![failed], vec![answered("claude", 1)]];
    for ((seq, minute), rows) in (1..).zip(0..).zip(minutes) {
        store.apply_batches(vec![one_batch(seq, NOW.plus(minute * MINUTE), rows)], NOW).await?;
    }
    let other = NodeBatches { node: "b".into(), ..one_batch(1, NOW, vec![answered("azure", 1)]) };
    store.apply_batches(vec![other], NOW).await?;
    assert_eq!(shares(store, around_now()).await?, [("azure".into(), 1.0), ("claude".into(), 0.5)]);
    Ok(())
}

/// Takes a provider that refuses for one that is up.
pub async fn a_refusal_is_an_answer<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    let refusals = [
        AttemptCounts { err_4xx: 1, ..AttemptCounts::default() },
        AttemptCounts { rate_limited: 1, err_5xx: 1, ..AttemptCounts::default() },
    ];
    for ((seq, minute), attempts) in (1..).zip(0..).zip(refusals) {
        store
            .apply_batches(vec![one_batch(seq, NOW.plus(minute * MINUTE), vec![with(attempts)])], NOW)
            .await?;
    }
    assert_eq!(shares(store, around_now()).await?, [("claude".into(), 1.0)]);
    Ok(())
}

/// Draws nothing from calls that their clients gave up.
pub async fn a_cancelled_call_is_no_call<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    let cancelled = with(AttemptCounts { cancelled: 3, retried: 1, ..AttemptCounts::default() });
    store.apply_batches(vec![one_batch(1, NOW, vec![cancelled])], NOW).await?;
    assert_eq!(shares(store, around_now()).await?, []);
    store.apply_batches(vec![one_batch(2, NOW.plus(MINUTE), vec![answered("claude", 1)])], NOW).await?;
    assert_eq!(shares(store, around_now()).await?, [("claude".into(), 1.0)]);
    Ok(())
}

/// Leaves out a provider that was called only before or after.
pub async fn minutes_outside_the_range_have_no_share<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    assert_eq!(shares(store, around_now()).await?, []);
    store.apply_batches(vec![report("a", &[1])], NOW).await?;
    assert_eq!(shares(store, NOW.plus(MINUTE)..NOW.plus(2 * MINUTE)).await?, []);
    assert_eq!(shares(store, NOW.minus(MINUTE)..NOW).await?, []);
    Ok(())
}

//! What comes from an incarnation whose cursor is forgotten.

use super::{
    CaseResult, Harness,
    sample::{MINUTE, NOW, all_time, answered, node, one_batch, report, report_as},
};
use crate::{NodeBatches, RETAINED_HOURS, RETAINED_NODES, Store, StoreError};
use cliproxy_domain::{LedgerRow, Seq, WallTime};
use std::{sync::Arc, time::Duration};

/// After this the cursors that moved at [`NOW`] are forgotten.
const LONG: Duration = RETAINED_NODES.saturating_add(MINUTE);

fn later() -> WallTime {
    NOW.plus(LONG)
}

/// Gives calls and tokens.
fn counted(rows: &[LedgerRow]) -> (u64, u64) {
    (rows.iter().map(|row| row.attempts.ok).sum(), rows.iter().map(|row| row.tokens.input).sum())
}

/// Gives what is counted, and what is set aside.
async fn books<S: Store>(store: &Arc<S>) -> Result<[(u64, u64); 2], StoreError> {
    let usage = store.usage(all_time()).await?;
    let late = store.late_usage(all_time()).await?;
    Ok([counted(&usage), counted(&late)])
}

/// Gives how far it is committed, and how many batches were set aside and were skewed.
async fn apply<S: Store>(
    store: &Arc<S>,
    report: NodeBatches,
    now: WallTime,
) -> Result<(Seq, u64, u64), StoreError> {
    let cursors = store.apply_batches(vec![report], now).await?;
    assert_eq!((cursors.len(), cursors[0].need_from), (1, None));
    Ok((cursors[0].last, cursors[0].late, cursors[0].skewed))
}

/// Takes, acknowledges and sets aside what was perhaps counted before the cursor was forgotten.
pub async fn what_may_have_been_counted_is_set_aside<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    assert_eq!(apply(store, report("a", &[1, 2]), NOW).await?, (Seq(2), 0, 0));
    store.tidy(later(), None).await?;
    assert_eq!(apply(store, report("a", &[1, 2]), later()).await?, (Seq(2), 2, 0));
    assert_eq!(books(store).await?, [(2, 3), (2, 3)]);
    Ok(())
}

/// Goes on setting aside what comes in further reports, counts what began after, and takes each batch once.
pub async fn a_cursor_that_came_late_stays_wary<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    apply(store, report("a", &[1, 2]), NOW).await?;
    store.tidy(later(), None).await?;
    assert_eq!(apply(store, report_as("a", 1, 2, &[2]), later()).await?, (Seq(2), 1, 0));
    assert_eq!(apply(store, report("a", &[2, 3]), later()).await?, (Seq(3), 1, 0));
    let new = one_batch(4, later(), vec![answered("claude", 8)]);
    assert_eq!(apply(store, new.clone(), later()).await?, (Seq(4), 0, 0));
    assert_eq!(apply(store, new, later()).await?, (Seq(4), 0, 0));
    assert_eq!(books(store).await?, [(2 + 1, 3 + 8), (2, 5)]);
    Ok(())
}

/// Counts a process that is new, whoever was forgotten.
pub async fn a_new_incarnation_counts_as_ever<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    apply(store, report("a", &[1]), NOW).await?;
    store.tidy(later(), None).await?;
    let new =
        |node: &str| NodeBatches { node: node.into(), ..one_batch(1, later(), vec![answered("claude", 4)]) };
    assert_eq!(apply(store, new("a"), later()).await?, (Seq(1), 0, 0));
    assert_eq!(apply(store, new("b"), later()).await?, (Seq(1), 0, 0));
    assert_eq!(books(store).await?, [(3, 1 + 4 + 4), (0, 0)]);
    Ok(())
}

/// Counts windows of long ago, as of a node whose clock is wrong, while no cursor was ever forgotten.
pub async fn nothing_is_late_while_no_cursor_was_forgotten<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    store.tidy(later(), None).await?;
    assert_eq!(apply(store, report("a", &[1, 2]), later()).await?, (Seq(2), 0, 2));
    assert_eq!(books(store).await?, [(2, 3), (0, 0)]);
    Ok(())
}

/// Tells how many batches lay too far from the clock, and does not call what was sent again skewed.
pub async fn skewed_batches_are_told<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    assert_eq!(apply(store, report("a", &[1]), NOW.plus(5 * MINUTE)).await?, (Seq(1), 0, 0));
    assert_eq!(apply(store, report("a", &[1, 2]), NOW.plus(6 * MINUTE)).await?, (Seq(2), 0, 1));
    assert_eq!(apply(store, report("a", &[2, 3]), NOW.minus(6 * MINUTE)).await?, (Seq(3), 0, 1));
    Ok(())
}

/// Keeps the cursor of a process that is heard of, however long it had nothing to report; not that of its predecessor.
pub async fn a_node_that_is_heard_of_keeps_its_cursor<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    apply(store, report_as("a", 1, 1, &[1]), NOW).await?;
    apply(store, report_as("a", 2, 1, &[1, 2]), NOW).await?;
    store.see_node(node("a", 2, LONG)).await?;
    store.tidy(later(), None).await?;
    assert_eq!(apply(store, report_as("a", 2, 7, &[]), later()).await?, (Seq(2), 0, 0));
    assert_eq!(apply(store, report_as("a", 1, 7, &[]), later()).await?, (Seq(6), 0, 0));
    Ok(())
}

/// Forgets what was set aside when its time is over.
pub async fn what_was_set_aside_is_forgotten_after_its_time<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    apply(store, report("a", &[1]), NOW).await?;
    store.tidy(later(), None).await?;
    apply(store, report("a", &[1]), later()).await?;
    assert_eq!(counted(&store.late_usage(later().minus(60 * MINUTE)..later()).await?), (1, 1));
    assert_eq!(store.late_usage(NOW..later().minus(60 * MINUTE)).await?, []);
    store.tidy(later().plus(RETAINED_HOURS + 60 * MINUTE), None).await?;
    assert_eq!(store.late_usage(all_time()).await?, []);
    Ok(())
}

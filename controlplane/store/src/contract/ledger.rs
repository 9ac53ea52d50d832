//! Which batches are taken, and where the cursors end.

use super::{
    CaseResult, Harness,
    sample::{NOW, around_now, batch, report, report_as},
};
use crate::{Cursor, NodeBatches, Store, StoreError};
use cliproxy_domain::{Incarnation, Seq};
use std::sync::Arc;
use tokio::task::JoinSet;

fn cursor(last: u64, need_from: Option<u64>) -> Cursor {
    cursor_of("a", 1, last, need_from)
}

fn cursor_of(node: &str, incarnation: u64, last: u64, need_from: Option<u64>) -> Cursor {
    Cursor {
        node: node.into(),
        incarnation: Incarnation(incarnation),
        last: Seq(last),
        need_from: need_from.map(Seq),
        late: 0,
        skewed: 0,
    }
}

async fn apply<S: Store>(store: &Arc<S>, report: NodeBatches) -> Result<Cursor, StoreError> {
    let mut cursors = store.apply_batches(vec![report], NOW).await?;
    assert_eq!(cursors.len(), 1);
    Ok(cursors.remove(0))
}

/// Gives the counted calls and their tokens. The batches of the samples have one call each, with as many
/// tokens as their number.
async fn counted<S: Store>(store: &Arc<S>) -> Result<(u64, u64), StoreError> {
    let rows = store.usage(around_now()).await?;
    Ok((rows.iter().map(|row| row.attempts.ok).sum(), rows.iter().map(|row| row.tokens.input).sum()))
}

/// Counts what follows on and says how far it came.
pub async fn batches_move_the_cursor_to_their_end<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    assert_eq!(apply(store, report("a", &[1, 2, 3])).await?, cursor(3, None));
    assert_eq!(apply(store, report("a", &[4])).await?, cursor(4, None));
    assert_eq!(counted(store).await?, (4, 1 + 2 + 3 + 4));
    Ok(())
}

/// Answers an empty report with the cursor, and an empty list with nothing.
pub async fn reporting_nothing_tells_the_cursor<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    assert_eq!(apply(store, report("a", &[])).await?, cursor(0, None));
    apply(store, report("a", &[1, 2])).await?;
    assert_eq!(apply(store, report("a", &[])).await?, cursor(2, None));
    assert_eq!(store.apply_batches(vec![], NOW).await?, []);
    Ok(())
}

/// Skips what was taken, within one report and over reports, and asks for nothing.
pub async fn a_repeated_batch_counts_once<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    assert_eq!(apply(store, report("a", &[1, 1, 2])).await?, cursor(2, None));
    assert_eq!(apply(store, report("a", &[1, 2])).await?, cursor(2, None));
    assert_eq!(apply(store, report("a", &[2, 3, 3])).await?, cursor(3, None));
    assert_eq!(counted(store).await?, (3, 1 + 2 + 3));
    Ok(())
}

/// Needs no order within a report.
pub async fn reordered_batches_are_taken_in_order<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    assert_eq!(apply(store, report("a", &[3, 1, 4, 2])).await?, cursor(4, None));
    assert_eq!(counted(store).await?, (4, 1 + 2 + 3 + 4));
    Ok(())
}

/// Counts nothing beyond a gap, and names the first number that is missing.
pub async fn a_gap_is_left_out_and_asked_for<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    assert_eq!(apply(store, report("a", &[2])).await?, cursor(0, Some(1)));
    assert_eq!(counted(store).await?, (0, 0));
    assert_eq!(apply(store, report("a", &[1, 2, 4, 5, 7])).await?, cursor(2, Some(3)));
    assert_eq!(counted(store).await?, (2, 1 + 2));
    Ok(())
}

/// Takes all of it once the missing batch comes along with the rest.
pub async fn a_filled_gap_lets_the_rest_follow<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    apply(store, report("a", &[1, 3])).await?;
    assert_eq!(apply(store, report("a", &[2])).await?, cursor(2, None));
    assert_eq!(apply(store, report("a", &[3, 4])).await?, cursor(4, None));
    assert_eq!(counted(store).await?, (4, 1 + 2 + 3 + 4));
    Ok(())
}

/// Starts where a node that has been acknowledged elsewhere still can.
pub async fn an_unknown_incarnation_starts_at_its_oldest_unacked<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    assert_eq!(apply(store, report_as("a", 1, 5, &[7])).await?, cursor(4, Some(5)));
    assert_eq!(apply(store, report_as("a", 1, 5, &[4, 5, 6])).await?, cursor(6, None));
    assert_eq!(counted(store).await?, (2, 5 + 6));
    assert_eq!(apply(store, report_as("b", 1, 0, &[1])).await?, cursor_of("b", 1, 1, None));
    Ok(())
}

/// Trusts its own cursor, in both directions.
pub async fn a_known_cursor_is_not_moved_by_oldest_unacked<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    apply(store, report("a", &[1, 2, 3])).await?;
    assert_eq!(apply(store, report_as("a", 1, 6, &[6])).await?, cursor(3, Some(4)));
    assert_eq!(apply(store, report_as("a", 1, 2, &[2, 3, 4])).await?, cursor(4, None));
    assert_eq!(counted(store).await?, (4, 1 + 2 + 3 + 4));
    Ok(())
}

/// Counts both: a restarted node begins again at 1 while its last incarnation is still being sent.
pub async fn two_incarnations_have_cursors_of_their_own<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    apply(store, report_as("a", 1, 1, &[1, 2])).await?;
    let both = vec![report_as("a", 2, 1, &[1]), report_as("a", 1, 1, &[3])];
    let expected = [cursor_of("a", 2, 1, None), cursor_of("a", 1, 3, None)];
    assert_eq!(store.apply_batches(both, NOW).await?, expected);
    assert_eq!(counted(store).await?, (4, 1 + 2 + 1 + 3));
    Ok(())
}

/// Leaves a batch that stands under the wrong incarnation where it is: it is not acknowledged.
pub async fn a_batch_of_another_incarnation_is_left_out<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    let mixed = NodeBatches { batches: vec![batch(2, 1, NOW, vec![])], ..report("a", &[]) };
    assert_eq!(apply(store, mixed).await?, cursor(0, None));
    Ok(())
}

/// Lets a later input go on where an earlier one of the same call ended.
pub async fn one_node_in_two_inputs_is_taken_in_turn<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    let inputs = vec![report("a", &[1, 2]), report("a", &[2, 3, 4]), report("a", &[1])];
    let expected = [cursor(2, None), cursor(4, None), cursor(4, None)];
    assert_eq!(store.apply_batches(inputs, NOW).await?, expected);
    assert_eq!(counted(store).await?, (4, 1 + 2 + 3 + 4));
    assert_eq!(apply(store, report("a", &[])).await?, cursor(4, None));
    Ok(())
}

/// Answers by place, not by name.
pub async fn answers_stand_in_the_order_of_the_inputs<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let inputs = vec![report("c", &[1]), report("a", &[2]), report("b", &[1, 2])];
    let expected = [cursor_of("c", 1, 1, None), cursor_of("a", 1, 0, Some(1)), cursor_of("b", 1, 2, None)];
    assert_eq!(harness.store().apply_batches(inputs, NOW).await?, expected);
    Ok(())
}

/// Acknowledges a window in which nothing was called.
pub async fn an_empty_batch_moves_the_cursor<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    let idle = NodeBatches { batches: vec![batch(1, 1, NOW, vec![])], ..report("a", &[]) };
    assert_eq!(apply(store, idle).await?, cursor(1, None));
    assert_eq!(apply(store, report("a", &[])).await?, cursor(1, None));
    assert_eq!(counted(store).await?, (0, 0));
    Ok(())
}

/// Counts once when a connection that was given up on and its successor deliver at the same time.
pub async fn the_same_batch_from_two_tasks_counts_once<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    for seq in 1..=10 {
        let mut tasks = JoinSet::new();
        for _ in 0..2 {
            let store = Arc::clone(harness.store());
            tasks.spawn(async move { apply(&store, report("a", &[seq])).await });
        }
        for answer in tasks.join_all().await {
            assert_eq!(answer?, cursor(seq, None));
        }
    }
    assert_eq!(counted(harness.store()).await?, (10, (1..=10).sum()));
    Ok(())
}

/// Counts everything when many nodes write the same keys.
pub async fn nodes_that_report_at_once_lose_nothing<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let mut tasks = JoinSet::new();
    for index in 0..12 {
        let store = Arc::clone(harness.store());
        tasks.spawn(async move {
            let node = format!("node {index}");
            apply(&store, report(&node, &[1, 2])).await?;
            apply(&store, report(&node, &[2, 3])).await
        });
    }
    for answer in tasks.join_all().await {
        assert_eq!(answer?.last, Seq(3));
    }
    assert_eq!(counted(harness.store()).await?, (12 * 3, 12 * (1 + 2 + 3)));
    Ok(())
}

/// Keeps incarnations and numbers that databases have no type for.
pub async fn numbers_beyond_the_signed_range_are_kept_apart<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    let high = u64::MAX - 2;
    let empty = |seq| batch(u64::MAX, seq, NOW, vec![]);
    let far =
        NodeBatches { batches: vec![empty(high), empty(high + 1)], ..report_as("a", u64::MAX, high, &[]) };
    let expected = cursor_of("a", u64::MAX, high + 1, None);
    assert_eq!(apply(store, far).await?, expected);
    assert_eq!(apply(store, report_as("a", u64::MAX, 1, &[])).await?, expected);
    assert_eq!(apply(store, report_as("a", u64::MAX - 1, 1, &[1])).await?.last, Seq(1));
    Ok(())
}

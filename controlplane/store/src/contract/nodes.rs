//! Nodes as they last presented themselves.

use super::{
    CaseResult, Harness,
    sample::{MINUTE, node},
};
use crate::Store;
use std::time::Duration;

/// Replaces by time within an incarnation, and by incarnation.
pub async fn a_later_word_replaces_an_earlier_one<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    store.see_node(node("a", 1, Duration::ZERO)).await?;
    store.see_node(node("a", 1, MINUTE)).await?;
    assert_eq!(store.nodes().await?, [node("a", 1, MINUTE)]);
    // A node whose clock was set back is still a later incarnation.
    store.see_node(node("a", 2, Duration::ZERO)).await?;
    assert_eq!(store.nodes().await?, [node("a", 2, Duration::ZERO)]);
    Ok(())
}

/// Ignores what arrives late.
pub async fn an_earlier_word_changes_nothing<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    store.see_node(node("a", 1, MINUTE)).await?;
    store.see_node(node("a", 1, Duration::ZERO)).await?;
    assert_eq!(store.nodes().await?, [node("a", 1, MINUTE)]);
    Ok(())
}

/// Ignores a process that has been followed by another, also when the numbers pass the signed range.
pub async fn an_earlier_incarnation_changes_nothing<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    store.see_node(node("a", u64::MAX, Duration::ZERO)).await?;
    store.see_node(node("a", 1, MINUTE)).await?;
    assert_eq!(store.nodes().await?, [node("a", u64::MAX, Duration::ZERO)]);
    Ok(())
}

/// Gives each node once, sorted by the bytes of the name.
pub async fn nodes_come_sorted_by_name<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    for name in ["b", "é", "B", "a10", "a2"] {
        harness.store().see_node(node(name, 1, MINUTE)).await?;
    }
    let nodes = harness.store().nodes().await?;
    let names: Vec<_> = nodes.iter().map(|node| node.node.as_str()).collect();
    assert_eq!(names, ["B", "a10", "a2", "b", "é"]);
    Ok(())
}

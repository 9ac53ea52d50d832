//! The log of the changes on the hint line.

use super::{
    CaseResult, Harness,
    sample::{merge, numbered, rest},
};
use crate::{Store, hints::RETAINED_CHANGES};
use cliproxy_domain::HintVersion;
use std::collections::BTreeSet;

/// Gives changes from the one after the version on, and not more than asked for.
pub async fn changes_follow_a_version_up_to_the_limit<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    for index in 1..=5 {
        merge(&**store, vec![rest("k", 0, index)]).await?;
    }
    let expected = vec![numbered(3, rest("k", 0, 3)), numbered(4, rest("k", 0, 4))];
    assert_eq!(store.changes_since(HintVersion(2), 2).await?, Some(expected));
    assert_eq!(store.changes_since(HintVersion(2), 0).await?, Some(vec![]));
    assert_eq!(store.changes_since(HintVersion(2), u32::MAX).await?.map(|changes| changes.len()), Some(3));
    Ok(())
}

/// Gives an empty list, not none, to whoever has everything.
pub async fn nothing_follows_the_newest_version<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    assert_eq!(store.changes_since(HintVersion(0), 10).await?, Some(vec![]));
    merge(&**store, vec![rest("k", 0, 10)]).await?;
    assert_eq!(store.changes_since(HintVersion(1), 10).await?, Some(vec![]));
    Ok(())
}

/// Gives none for a version that is yet to come: whoever has it has it from elsewhere.
pub async fn a_version_of_another_history_has_no_changes<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    merge(&**store, vec![rest("k", 0, 10)]).await?;
    assert_eq!(store.changes_since(HintVersion(2), 10).await?, None);
    assert_eq!(store.changes_since(HintVersion(u64::MAX), 10).await?, None);
    Ok(())
}

/// Gives none when the next change is forgotten, also right at the edge.
pub async fn changes_that_are_forgotten_are_not_skipped<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    let many = (1..=RETAINED_CHANGES + 2).map(|index| rest("k", 0, index)).collect();
    let answered = merge(&**store, many).await?;
    let versions: BTreeSet<_> = answered.iter().map(|change| change.version.0).collect();
    assert_eq!(versions, (1..=RETAINED_CHANGES + 2).collect());
    assert_eq!(store.changes_since(HintVersion(0), 10).await?, None);
    assert_eq!(store.changes_since(HintVersion(1), 0).await?, None);
    let first_kept = store.changes_since(HintVersion(2), 1).await?;
    assert_eq!(first_kept, Some(vec![numbered(3, rest("k", 0, 3))]));
    Ok(())
}

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

/// Reads on past values of kinds that are yet to be invented, and leaves their versions to them.
pub async fn what_a_newer_version_wrote_is_passed_over<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    merge(&**store, vec![rest("a", 0, 10)]).await?;
    for _ in 0..3 {
        harness.write_unknown().await;
    }
    assert_eq!(store.changes_since(HintVersion(1), 2).await?, Some(vec![]));
    assert_eq!(merge(&**store, vec![rest("b", 0, 10)]).await?, [numbered(5, rest("b", 0, 10))]);
    assert_eq!(store.hints().await?, (HintVersion(5), vec![rest("a", 0, 10), rest("b", 0, 10)]));
    // Also where as many unknown ones come first as are asked for: an empty answer says that there is no more.
    for limit in 1..=4 {
        let next = store.changes_since(HintVersion(1), limit).await?;
        assert_eq!(next, Some(vec![numbered(5, rest("b", 0, 10))]), "{limit}");
    }
    assert_eq!(store.changes_since(HintVersion(0), 10).await?.map(|changes| changes.len()), Some(2));
    let reopened = harness.reopen().await;
    assert_eq!(reopened.store().hints().await?.0, HintVersion(5));
    Ok(())
}

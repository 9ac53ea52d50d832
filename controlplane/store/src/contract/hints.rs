//! Cooldowns, their merging and the log of their changes.

use super::{
    CaseResult, Harness,
    sample::{MINUTE, NOW, cooldown},
};
use crate::{HintChange, Store, hints::RETAINED_CHANGES};
use cliproxy_domain::{Cooldown, CooldownCause, HintVersion};
use std::{collections::BTreeSet, sync::Arc};
use tokio::task::JoinSet;

fn change(version: u64, cooldown: Cooldown) -> HintChange {
    HintChange { version: HintVersion(version), cooldown }
}

/// Numbers from 1 on.
pub async fn the_first_cooldown_takes_version_one<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    assert_eq!(store.cooldowns(NOW).await?, (HintVersion(0), vec![]));
    let changes = store.merge_cooldowns(vec![cooldown("k", 0, 10)]).await?;
    assert_eq!(changes, [change(1, cooldown("k", 0, 10))]);
    assert_eq!(store.cooldowns(NOW).await?, (HintVersion(1), vec![cooldown("k", 0, 10)]));
    Ok(())
}

/// Answers a repetition and a shorter rest with no change.
pub async fn a_cooldown_that_changes_nothing_takes_no_version<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    store.merge_cooldowns(vec![cooldown("k", 0, 10)]).await?;
    assert_eq!(store.merge_cooldowns(vec![cooldown("k", 0, 10), cooldown("k", 0, 5)]).await?, []);
    assert_eq!(store.merge_cooldowns(vec![]).await?, []);
    assert_eq!(store.cooldowns(NOW).await?, (HintVersion(1), vec![cooldown("k", 0, 10)]));
    assert_eq!(store.changes_since(HintVersion(1), 10).await?, Some(vec![]));
    Ok(())
}

/// Lets an operator's word end a rest, and ignores what is older than the word, whatever the epoch.
pub async fn a_higher_epoch_wins_over_a_later_end<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    store.merge_cooldowns(vec![cooldown("k", 1, 600)]).await?;
    let recovered = cooldown("k", u64::MAX, 0);
    assert_eq!(store.merge_cooldowns(vec![recovered.clone()]).await?, [change(2, recovered)]);
    assert_eq!(store.merge_cooldowns(vec![cooldown("k", 2, 900)]).await?, []);
    Ok(())
}

/// Ends with the same value for every order of arrival, with repetitions.
pub async fn values_merge_alike_in_any_order<H: Harness>() -> CaseResult {
    let spent = Cooldown { cause: CooldownCause::QuotaExhausted, source: "b".into(), ..cooldown("k", 1, 20) };
    let values = [cooldown("k", 0, 900), cooldown("k", 1, 20), spent];
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let harness = H::fresh().await;
        let store = harness.store();
        for index in order.into_iter().chain(order) {
            store.merge_cooldowns(vec![values[index].clone()]).await?;
        }
        assert_eq!(store.cooldowns(NOW).await?.1, values[2..], "{order:?}");
    }
    Ok(())
}

/// Numbers several changes in the order given, one key's changes too.
pub async fn changes_of_one_call_are_numbered_in_order<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let given = vec![cooldown("b", 0, 10), cooldown("a", 0, 10), cooldown("b", 0, 5), cooldown("b", 0, 20)];
    let expected =
        [change(1, cooldown("b", 0, 10)), change(2, cooldown("a", 0, 10)), change(3, cooldown("b", 0, 20))];
    assert_eq!(harness.store().merge_cooldowns(given).await?, expected);
    assert_eq!(harness.store().changes_since(HintVersion(0), 10).await?, Some(expected.to_vec()));
    Ok(())
}

/// Leaves no gap between changes of many tasks, and logs what it answered.
pub async fn versions_are_contiguous_under_concurrency<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let mut tasks = JoinSet::new();
    for index in 0..16_u64 {
        let store = Arc::clone(harness.store());
        let both = vec![cooldown(&format!("own {index}"), 0, 10), cooldown("shared", 0, 10 + index)];
        tasks.spawn(async move { store.merge_cooldowns(both).await });
    }
    let answers = tasks.join_all().await.into_iter().collect::<Result<Vec<_>, _>>()?;
    let mut answered: Vec<_> = answers.into_iter().flatten().collect();
    answered.sort_by_key(|change| change.version);
    let logged = harness.store().changes_since(HintVersion(0), 100).await?.expect("nothing is forgotten yet");
    assert_eq!(answered, logged);
    let versions: Vec<_> = logged.iter().map(|change| change.version.0).collect();
    assert_eq!(versions, (1..=versions.len() as u64).collect::<Vec<_>>());
    assert_eq!(harness.store().cooldowns(NOW).await?.0, HintVersion(versions.len() as u64));
    Ok(())
}

/// Numbers what many nodes report alike once.
pub async fn equal_cooldowns_at_once_take_one_version<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let mut tasks = JoinSet::new();
    for _ in 0..8 {
        let store = Arc::clone(harness.store());
        tasks.spawn(async move { store.merge_cooldowns(vec![cooldown("k", 0, 10)]).await });
    }
    let answers = tasks.join_all().await.into_iter().collect::<Result<Vec<_>, _>>()?;
    assert_eq!(answers.concat(), [change(1, cooldown("k", 0, 10))]);
    Ok(())
}

/// Leaves out what ends now or earlier.
pub async fn current_cooldowns_are_sorted_and_not_yet_over<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let given = vec![cooldown("c", 0, 120), cooldown("a", 0, 61), cooldown("b", 0, 60), cooldown("B", 0, 90)];
    harness.store().merge_cooldowns(given).await?;
    let (version, current) = harness.store().cooldowns(NOW.plus(MINUTE)).await?;
    assert_eq!(version, HintVersion(4));
    assert_eq!(current, [cooldown("B", 0, 90), cooldown("a", 0, 61), cooldown("c", 0, 120)]);
    Ok(())
}

/// Still ignores events from before an operator's word when the rest has ended.
pub async fn a_cooldown_that_is_over_keeps_its_epoch<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    store.merge_cooldowns(vec![cooldown("k", 3, 0)]).await?;
    assert_eq!(store.cooldowns(NOW).await?.1, []);
    assert_eq!(store.merge_cooldowns(vec![cooldown("k", 2, 600)]).await?, []);
    Ok(())
}

/// Gives changes from the one after the version on, and not more than asked for.
pub async fn changes_follow_a_version_up_to_the_limit<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    for index in 1..=5 {
        store.merge_cooldowns(vec![cooldown("k", 0, index)]).await?;
    }
    let expected = vec![change(3, cooldown("k", 0, 3)), change(4, cooldown("k", 0, 4))];
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
    store.merge_cooldowns(vec![cooldown("k", 0, 10)]).await?;
    assert_eq!(store.changes_since(HintVersion(1), 10).await?, Some(vec![]));
    Ok(())
}

/// Gives none for a version that is yet to come: whoever has it has it from elsewhere.
pub async fn a_version_of_another_history_has_no_changes<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    store.merge_cooldowns(vec![cooldown("k", 0, 10)]).await?;
    assert_eq!(store.changes_since(HintVersion(2), 10).await?, None);
    assert_eq!(store.changes_since(HintVersion(u64::MAX), 10).await?, None);
    Ok(())
}

/// Gives none when the next change is forgotten, also right at the edge.
pub async fn changes_that_are_forgotten_are_not_skipped<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    let many = (1..=RETAINED_CHANGES + 2).map(|index| cooldown("k", 0, index)).collect();
    let answered = store.merge_cooldowns(many).await?;
    let versions: BTreeSet<_> = answered.iter().map(|change| change.version.0).collect();
    assert_eq!(versions, (1..=RETAINED_CHANGES + 2).collect());
    assert_eq!(store.changes_since(HintVersion(0), 10).await?, None);
    assert_eq!(store.changes_since(HintVersion(1), 0).await?, None);
    let first_kept = store.changes_since(HintVersion(2), 1).await?;
    assert_eq!(first_kept, Some(vec![change(3, cooldown("k", 0, 3))]));
    Ok(())
}

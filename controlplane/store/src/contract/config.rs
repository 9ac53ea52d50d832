//! Numbered configurations.

use super::{
    CaseResult, Harness,
    sample::{MINUTE, NOW, config, entry},
};
use crate::{ConfigSummary, NewConfig, Store, StoreError};
use cliproxy_domain::ConfigId;
use std::{collections::BTreeSet, sync::Arc};
use tokio::task::JoinSet;

/// Finds nothing in a new database.
pub async fn an_empty_store_has_no_configuration<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    assert_eq!(harness.store().active_config().await?, None);
    assert_eq!(harness.store().config(ConfigId(0)).await?, None);
    assert_eq!(harness.store().config(ConfigId(1)).await?, None);
    Ok(())
}

/// Numbers from 1 on, the newest being the active one.
pub async fn a_new_configuration_becomes_the_active_one<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    assert_eq!(store.put_config(config(10)).await?, ConfigId(1));
    assert_eq!(store.put_config(config(u64::MAX)).await?, ConfigId(2));
    let active = store.active_config().await?.expect("one was put");
    assert_eq!((active.id, active.hash), (ConfigId(2), u64::MAX));
    assert_eq!(active.entries, [entry(1, "claude", u64::MAX)]);
    Ok(())
}

/// Writes nothing for what is active already.
pub async fn the_same_hash_takes_no_new_number<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    let first = store.put_config(config(10)).await?;
    let again = NewConfig { author: "ada".into(), reason: "again".into(), ..config(10) };
    assert_eq!(store.put_config(again).await?, first);
    assert_eq!(store.config(first.next()).await?, None);
    Ok(())
}

/// Numbers a return to what was active before, as it is a change.
pub async fn going_back_to_an_earlier_hash_takes_a_new_number<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    store.put_config(config(10)).await?;
    store.put_config(config(20)).await?;
    assert_eq!(store.put_config(config(10)).await?, ConfigId(3));
    Ok(())
}

/// Gives each of many at once a number of its own, without gaps.
pub async fn numbers_are_contiguous_under_concurrency<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let mut tasks = JoinSet::new();
    for hash in 1..=16 {
        let store = Arc::clone(harness.store());
        tasks.spawn(async move { store.put_config(config(hash)).await });
    }
    let ids = tasks.join_all().await.into_iter().collect::<Result<BTreeSet<_>, _>>()?;
    assert_eq!(ids, (1..=16).map(ConfigId).collect());
    Ok(())
}

/// Gives replicas that put the same configuration at once the same number.
pub async fn equal_configurations_at_once_take_one_number<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let mut tasks = JoinSet::new();
    for _ in 0..8 {
        let store = Arc::clone(harness.store());
        tasks.spawn(async move { store.put_config(config(7)).await });
    }
    let ids = tasks.join_all().await.into_iter().collect::<Result<BTreeSet<_>, _>>()?;
    assert_eq!(ids, BTreeSet::from([ConfigId(1)]));
    Ok(())
}

/// Sorts entries by kind and key, and keeps one of each.
pub async fn entries_come_back_sorted_and_of_doubles_the_last<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let entries =
        vec![entry(2, "b", 1), entry(10, "a", 2), entry(2, "a", 3), entry(2, "b", 4), entry(-1, "é", 5)];
    let id = harness.store().put_config(NewConfig { entries, ..config(10) }).await?;
    let stored = harness.store().config(id).await?.expect("it was put");
    assert_eq!(stored.entries, [entry(-1, "é", 5), entry(2, "a", 3), entry(2, "b", 4), entry(10, "a", 2)]);
    Ok(())
}

/// Keeps what was replaced, for differences and for going back.
pub async fn an_earlier_configuration_can_still_be_read<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    let first = store.put_config(config(10)).await?;
    store.put_config(config(20)).await?;
    let stored = store.config(first).await?.expect("it was put");
    assert_eq!((stored.id, stored.hash), (first, 10));
    assert_eq!(stored.entries, [entry(1, "claude", 10)]);
    Ok(())
}

/// Lists each number once, with who made it, why and when.
pub async fn configurations_are_listed_the_newest_first<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    store.put_config(config(u64::MAX)).await?;
    let second =
        NewConfig { author: "ada".into(), reason: "two\nlines".into(), at: NOW.plus(MINUTE), ..config(20) };
    store.put_config(second.clone()).await?;
    store.put_config(second).await?;
    let first = ConfigSummary {
        id: ConfigId(1),
        hash: u64::MAX,
        author: "file".into(),
        reason: String::new(),
        at: NOW,
    };
    let second = ConfigSummary {
        id: ConfigId(2),
        hash: 20,
        author: "ada".into(),
        reason: "two\nlines".into(),
        at: NOW.plus(MINUTE),
    };
    assert_eq!(store.configs(10).await?, [second, first]);
    Ok(())
}

/// Gives not more than asked for, and nothing of nothing.
pub async fn the_list_of_configurations_stops_at_the_limit<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    assert_eq!(store.configs(u32::MAX).await?, []);
    for hash in 1..=3 {
        store.put_config(config(hash)).await?;
    }
    let mut ids = Vec::new();
    for limit in [0, 2, u32::MAX] {
        let listed = store.configs(limit).await?;
        ids.push(listed.iter().map(|summary| summary.id.0).collect::<Vec<_>>());
    }
    assert_eq!(ids, [vec![], vec![3, 2], vec![3, 2, 1]]);
    Ok(())
}

/// Brings a text back as it was, for its own number.
pub async fn a_text_comes_back_for_its_number<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    let long = format!("providers:\r\n  # é\0\n{}", "x".repeat(1_000_000));
    let first = store.put_config(NewConfig { text: Some(long.clone()), ..config(10) }).await?;
    let second = store.put_config(NewConfig { text: Some(String::new()), ..config(20) }).await?;
    let third = store.put_config(config(30)).await?;
    assert_eq!(store.config_text(first).await?, Some(long));
    assert_eq!(store.config_text(second).await?.as_deref(), Some(""));
    assert_eq!(store.config_text(third).await?, None);
    assert_eq!(store.config_text(third.next()).await?, None);
    Ok(())
}

/// Keeps the newest text of what says the same, as another comment is a change for people; and none of one that was to
/// follow another.
pub async fn a_new_text_of_the_same_configuration_replaces_the_one_kept<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    let with = |text: &str, follows| NewConfig { text: Some(text.into()), follows, ..config(10) };
    let id = store.put_config(with("# one", Some(ConfigId(0)))).await?;
    for (new, kept) in [
        (with("# two", None), "# two"),
        (with("# three", Some(id)), "# three"),
        (config(10), "# three"),
        (with("# one", Some(ConfigId(0))), "# three"),
    ] {
        assert_eq!(store.put_config(new).await?, id);
        assert_eq!(store.config_text(id).await?.as_deref(), Some(kept));
    }
    assert_eq!(store.configs(10).await?.len(), 1);
    // Of one that had none as well, and of the active one alone.
    let other = store.put_config(config(20)).await?;
    store.put_config(NewConfig { text: Some("# four".into()), ..config(20) }).await?;
    assert_eq!(store.config_text(other).await?.as_deref(), Some("# four"));
    assert_eq!(store.config_text(id).await?.as_deref(), Some("# three"));
    Ok(())
}

fn following(hash: u64, follows: u64) -> NewConfig {
    NewConfig { follows: Some(ConfigId(follows)), ..config(hash) }
}

fn is_superseded_by<T>(newest: u64, answer: &Result<T, StoreError>) -> bool {
    matches!(answer, Err(StoreError::Superseded { newest: found }) if found.0 == newest)
}

/// Numbers above what is taken elsewhere, also what is active already under a lower number; and once.
pub async fn numbers_that_are_taken_are_passed_over<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    let above = |hash, above| NewConfig { above: ConfigId(above), ..config(hash) };
    assert_eq!(store.put_config(above(10, 7)).await?, ConfigId(8));
    assert_eq!(store.put_config(above(10, 8)).await?, ConfigId(8));
    assert_eq!(store.put_config(above(20, 3)).await?, ConfigId(9));
    assert_eq!(store.put_config(above(20, 10)).await?, ConfigId(11));
    let newest = store.configs(10).await?;
    assert_eq!(newest.iter().map(|config| config.id.0).collect::<Vec<_>>(), [11, 9, 8]);
    Ok(())
}

/// Numbers a configuration that follows the newest one, and refuses one that follows another, which changes nothing.
pub async fn a_configuration_follows_the_newest_or_is_refused<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    assert!(is_superseded_by(0, &store.put_config(following(10, 1)).await));
    assert_eq!(store.put_config(following(10, 0)).await?, ConfigId(1));
    assert_eq!(store.put_config(following(20, 1)).await?, ConfigId(2));
    for follows in [0, 1, 3, u64::MAX] {
        assert!(is_superseded_by(2, &store.put_config(following(30, follows)).await), "{follows}");
    }
    assert_eq!(store.configs(10).await?.len(), 2);
    assert_eq!(store.put_config(config(30)).await?, ConfigId(3));
    Ok(())
}

/// Gives what is active already its number, whatever it was to follow: it may be asked for a second time.
pub async fn the_active_configuration_is_never_superseded<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    store.put_config(config(10)).await?;
    store.put_config(following(20, 1)).await?;
    for follows in [0, 1, 2, 3] {
        assert_eq!(store.put_config(following(20, follows)).await?, ConfigId(2));
    }
    Ok(())
}

/// Lets one of many win that would all follow the same, and tells the others who did.
pub async fn of_many_that_follow_the_same_one_wins<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    harness.store().put_config(config(1)).await?;
    let mut tasks = JoinSet::new();
    for hash in 2..=9 {
        let store = Arc::clone(harness.store());
        tasks.spawn(async move { store.put_config(following(hash, 1)).await });
    }
    let answers = tasks.join_all().await;
    assert_eq!(answers.iter().filter(|answer| matches!(answer, Ok(ConfigId(2)))).count(), 1, "{answers:?}");
    assert_eq!(answers.iter().filter(|answer| is_superseded_by(2, answer)).count(), 7, "{answers:?}");
    Ok(())
}

//! What replicas tell each other.

use super::{CaseResult, Harness};
use crate::{Post, RETAINED_POSTS, Store};
use std::{collections::BTreeSet, sync::Arc};
use tokio::task::JoinSet;

fn post(number: u64, replica: &str, body: &[u8]) -> Post {
    Post { number, replica: replica.into(), body: body.to_vec() }
}

/// Numbers from 1 on, and gives what was said as it was.
pub async fn posts_come_back_in_order_as_they_were<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    assert_eq!(store.newest_post().await?, 0);
    assert_eq!(store.posts_since(0, 10).await?, Some(vec![]));
    let bytes: Vec<u8> = (0..=255).collect();
    assert_eq!(store.post("a".into(), bytes.clone()).await?, 1);
    assert_eq!(store.post("б".into(), vec![]).await?, 2);
    assert_eq!(store.newest_post().await?, 2);
    assert_eq!(store.posts_since(0, 10).await?, Some(vec![post(1, "a", &bytes), post(2, "б", b"")]));
    Ok(())
}

/// Gives posts from the one after the number on, and not more than asked for.
pub async fn posts_follow_a_number_up_to_the_limit<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    for number in 1..=5 {
        store.post("a".into(), vec![number]).await?;
    }
    assert_eq!(store.posts_since(2, 2).await?, Some(vec![post(3, "a", &[3]), post(4, "a", &[4])]));
    assert_eq!(store.posts_since(2, 0).await?, Some(vec![]));
    assert_eq!(store.posts_since(2, u32::MAX).await?.map(|posts| posts.len()), Some(3));
    assert_eq!(store.posts_since(5, 10).await?, Some(vec![]));
    Ok(())
}

/// Keeps equal posts apart: a post is said as often as it is made.
pub async fn an_equal_post_is_another_one<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    assert_eq!(store.post("a".into(), b"x".to_vec()).await?, 1);
    assert_eq!(store.post("a".into(), b"x".to_vec()).await?, 2);
    assert_eq!(store.posts_since(0, 10).await?, Some(vec![post(1, "a", b"x"), post(2, "a", b"x")]));
    Ok(())
}

/// Gives none for a number that is yet to come: whoever has it has it from another history.
pub async fn a_number_of_another_history_has_no_posts<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    store.post("a".into(), vec![1]).await?;
    assert_eq!(store.posts_since(2, 10).await?, None);
    assert_eq!(store.posts_since(u64::MAX, 10).await?, None);
    Ok(())
}

/// Gives each of many at once a number of its own, without gaps, and loses nothing.
pub async fn posts_of_many_tasks_have_contiguous_numbers<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let mut tasks = JoinSet::new();
    for index in 0..16_u8 {
        let store = Arc::clone(harness.store());
        tasks.spawn(async move { store.post(format!("replica {index}").into(), vec![index]).await });
    }
    let numbers = tasks.join_all().await.into_iter().collect::<Result<BTreeSet<_>, _>>()?;
    assert_eq!(numbers, (1..=16).collect());
    let posts = harness.store().posts_since(0, 100).await?.expect("all are there");
    assert_eq!(posts.iter().map(|post| post.number).collect::<Vec<_>>(), (1..=16).collect::<Vec<_>>());
    assert_eq!(posts.iter().map(|post| post.body[0]).collect::<BTreeSet<_>>(), (0..16).collect());
    Ok(())
}

/// Shows a reader who follows every number, one after the other: none appears behind one that was seen.
pub async fn whoever_follows_posts_misses_none<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let mut tasks = JoinSet::new();
    for index in 0..4_u8 {
        let store = Arc::clone(harness.store());
        tasks.spawn(async move {
            for _ in 0..8 {
                store.post("a".into(), vec![index]).await?;
            }
            Ok(())
        });
    }
    let store = Arc::clone(harness.store());
    tasks.spawn(async move {
        let mut seen = 0;
        while seen < 32 {
            for post in store.posts_since(seen, 3).await?.expect("few were written") {
                assert_eq!(post.number, seen + 1);
                seen = post.number;
            }
            tokio::task::yield_now().await;
        }
        Ok(())
    });
    tasks.join_all().await.into_iter().collect()
}

/// Gives none when the next post is forgotten, also right at the edge.
pub async fn posts_that_are_forgotten_are_not_skipped<H: Harness>() -> CaseResult {
    let harness = H::fresh().await;
    let store = harness.store();
    harness.post_often(RETAINED_POSTS).await?;
    for _ in 0..2 {
        store.post("a".into(), vec![]).await?;
    }
    assert_eq!(store.newest_post().await?, RETAINED_POSTS + 2);
    assert_eq!(store.posts_since(0, 10).await?, None);
    assert_eq!(store.posts_since(1, 0).await?, None);
    assert_eq!(store.posts_since(2, 1).await?, Some(vec![post(3, "a", b"")]));
    Ok(())
}

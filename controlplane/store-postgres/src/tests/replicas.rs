//! Several stores over one database, as replicas are.

use super::*;
use cliproxy_domain::{Fence, HintVersion, LeaseName};
use cliproxy_testkit::{now, poll_until};
use sqlx::Connection as _;

const SOON: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn versions_of_two_replicas_are_contiguous_and_whoever_follows_misses_none() {
    let opened = Opened::new().await;
    let other = opened.replica().await;
    let mut writers = Vec::new();
    for writer in 0..8 {
        let store = if writer % 2 == 0 { Arc::clone(&opened.store) } else { Arc::clone(&other) };
        writers.push(tokio::spawn(async move {
            for change in 0..25 {
                let change = resting(&format!("credential {writer} {change}"));
                assert_eq!(store.change(change).await.unwrap().len(), 1);
            }
        }));
    }
    // Follows while they write: a version that is committed after a higher one would be missed for ever.
    let mut followed = 0;
    while followed < 200 {
        for change in other.changes_since(HintVersion(followed), 1_000).await.unwrap().unwrap() {
            assert_eq!(change.version.0, followed + 1);
            followed += 1;
        }
    }
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!(opened.store.hints().await.unwrap().0, HintVersion(200));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn usage_of_the_same_keys_over_two_replicas_is_exact() {
    const NODES: u64 = 8;
    const BATCHES: u64 = 200;
    const MODELS: u64 = 20;
    let opened = Opened::new().await;
    let other = opened.replica().await;
    let mut nodes = Vec::new();
    for node in 0..NODES {
        let stores = [Arc::clone(&opened.store), Arc::clone(&other)];
        nodes.push(tokio::spawn(async move {
            for seq in 1..=BATCHES {
                // Every third batch is sent again, over the other replica, at the same time.
                let batch = || report(&format!("node {node}"), &[seq], MODELS);
                let first = &stores[usize::try_from(seq % 2).unwrap()];
                if seq % 3 == 0 {
                    let second = &stores[usize::try_from((seq + 1) % 2).unwrap()];
                    let (one, two) =
                        tokio::join!(first.apply_batches(batch(), NOW), second.apply_batches(batch(), NOW));
                    assert_eq!((last_of(&one.unwrap()), last_of(&two.unwrap())), (seq, seq));
                } else {
                    assert_eq!(last_of(&first.apply_batches(batch(), NOW).await.unwrap()), seq);
                }
            }
        }));
    }
    for node in nodes {
        node.await.unwrap();
    }
    let tokens = BATCHES * (BATCHES + 1) / 2;
    assert_eq!(counted(&other).await, (NODES * BATCHES * MODELS, NODES * MODELS * tokens));
}

#[tokio::test]
async fn whatever_concerns_all_replicas_rings_the_doorbell_of_each() {
    let opened = Opened::new().await;
    let other = opened.replica().await;
    let mut bell = other.doorbell().unwrap();
    // The connection that listens is made in the background; it rings when it is there.
    bell.changed().await.unwrap();
    let fence = Fence { lease: LeaseName::control_loop(), holder: "cp-1".into(), epoch: 1 };
    opened.store.lead(fence.lease.clone(), "cp-1".into(), SOON).await.unwrap();
    let config = cliproxy_store::NewConfig {
        hash: 7,
        entries: Vec::new(),
        author: "file".into(),
        reason: String::new(),
        at: NOW,
        text: None,
        follows: None,
        above: cliproxy_domain::ConfigId(0),
    };
    for what in ["change", "post", "config", "lease"] {
        bell.mark_unchanged();
        let began = now();
        match what {
            "change" => drop(opened.store.change(resting("main")).await.unwrap()),
            "post" => drop(opened.store.post("cp-1".into(), b"x".to_vec()).await.unwrap()),
            "config" => drop(opened.store.put_config(config.clone()).await.unwrap()),
            _ => opened.store.resign(fence.clone()).await.unwrap(),
        }
        tokio::time::timeout(SOON, bell.changed()).await.expect(what).unwrap();
        println!("{what}: heard {:?} after it was begun", began.elapsed());
    }
    // What is reported each second by each node rings nothing.
    bell.mark_unchanged();
    opened.store.apply_batches(report("a", &[1], 1), NOW).await.unwrap();
    opened.store.ping().await.unwrap();
    opened.store.change(Change::default()).await.unwrap();
    opened.store.change(resting("other")).await.unwrap();
    bell.changed().await.unwrap();
    assert_eq!(opened.database.sql("SELECT log_version FROM cp_meta"), "2");
}

#[tokio::test]
async fn a_doorbell_whose_connection_is_cut_rings_when_it_is_back_and_goes_on() {
    let opened = Opened::new().await;
    let other = opened.replica().await;
    let mut bell = other.doorbell().unwrap();
    bell.changed().await.unwrap();
    bell.mark_unchanged();
    opened.database.sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND query LIKE 'LISTEN%'",
    );
    // Nobody rings for this one, as nobody listens, or the new connection does: either way there is a ring after it.
    opened.store.change(resting("main")).await.unwrap();
    poll_until("listeners again", SOON, async || {
        let listeners = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'";
        (opened.database.sql(listeners) == "2").then_some(())
    })
    .await;
    tokio::time::timeout(SOON, bell.changed()).await.unwrap().unwrap();
    assert_eq!(other.changes_since(HintVersion(0), 10).await.unwrap().unwrap().len(), 1);
    bell.mark_unchanged();
    opened.store.change(resting("other")).await.unwrap();
    tokio::time::timeout(SOON, bell.changed()).await.unwrap().unwrap();
    assert_eq!(other.changes_since(HintVersion(1), 10).await.unwrap().unwrap().len(), 1);
}

#[tokio::test]
async fn a_replica_that_does_not_listen_finds_everything_by_looking() {
    let opened = Opened::new().await;
    let settings = Settings { listen: false, ..Settings::default() };
    let deaf = PostgresStore::open_with(&opened.database.url(), settings).await.unwrap();
    assert!(deaf.doorbell().is_none());
    opened.store.change(resting("main")).await.unwrap();
    opened.store.post("cp-1".into(), b"x".to_vec()).await.unwrap();
    assert_eq!(deaf.changes_since(HintVersion(0), 10).await.unwrap().unwrap().len(), 1);
    assert_eq!(deaf.posts_since(0, 10).await.unwrap().unwrap()[0].body, b"x");
}

#[tokio::test]
async fn a_write_under_a_lease_keeps_it_from_going_to_another_before_the_commit() {
    let opened = Opened::new().await;
    let lease = LeaseName::control_loop();
    opened.store.lead(lease.clone(), "cp-1".into(), Duration::ZERO).await.unwrap();
    let fence = Fence { lease: lease.clone(), holder: "cp-1".into(), epoch: 1 };
    let other = opened.replica().await;

    // A write under the fence, held in the middle.
    let mut link = opened.store.connections.take().await.unwrap();
    let mut work = link.begin().await.unwrap();
    leases::check(&mut work, Some(&fence)).await.unwrap();
    let taking = other.lead(lease.clone(), "cp-2".into(), SOON);
    let early = tokio::time::timeout(Duration::from_millis(200), taking).await;
    assert!(early.is_err(), "the lease went to another while something was written under it: {early:?}");
    work.commit().await.unwrap();

    let taken = other.lead(lease, "cp-2".into(), SOON).await.unwrap();
    assert_eq!((taken.holder.as_str(), taken.epoch), ("cp-2", 2));
    let refused = opened.store.forget_cooldowns(NOW, Some(fence)).await;
    assert!(matches!(refused, Err(StoreError::Fenced(_))), "{refused:?}");
}

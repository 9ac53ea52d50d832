//! Usage that is rolled up while it is counted, and read while it is forgotten.

use super::*;
use cliproxy_store::{UsageBy, UsagePeriod, UsageQuery};

const HOUR: Duration = Duration::from_secs(60 * 60);

/// Calls by what periods of that length say.
async fn calls(store: &PostgresStore, period: UsagePeriod) -> u64 {
    let query = UsageQuery {
        within: WallTime(0)..WallTime(i64::MAX),
        period,
        by: UsageBy::default(),
        provider: None,
        model: None,
        limit: 1_000,
        client: None,
    };
    store.usage_by(query).await.unwrap().iter().map(|sum| sum.attempts.ok).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_counted_while_it_is_rolled_up_is_in_hours_and_days_once() {
    const NODES: u64 = 4;
    const BATCHES: u64 = 60;
    let opened = Opened::new().await;
    let other = opened.replica().await;
    let mut nodes = Vec::new();
    for node in 0..NODES {
        let store = Arc::clone(&opened.store);
        nodes.push(tokio::spawn(async move {
            for seq in 1..=BATCHES {
                let batches = report(&format!("node {node}"), &[seq], 5);
                assert_eq!(last_of(&store.apply_batches(batches, NOW).await.unwrap()), seq);
            }
        }));
    }
    // The leader's clock is hours ahead: it rolls up the hour in which the nodes are.
    while nodes.iter().any(|node| !node.is_finished()) {
        other.tidy(NOW.plus(3 * HOUR), None).await.unwrap();
    }
    for node in nodes {
        node.await.unwrap();
    }
    let all = NODES * BATCHES * 5;
    assert_eq!(counted(&other).await.0, all);
    for period in [UsagePeriod::Minute, UsagePeriod::Hour, UsagePeriod::Day] {
        assert_eq!(calls(&other, period).await, all, "{period:?}");
    }
}

#[tokio::test]
async fn minutes_that_are_still_to_be_forgotten_count_once() {
    let opened = Opened::new().await;
    opened.store.apply_batches(report("a", &[1, 2], 3), NOW).await.unwrap();
    opened.store.tidy(NOW.plus(3 * HOUR), None).await.unwrap();
    // As it is between the commit that moves the mark and those that forget.
    opened.database.sql("UPDATE usage_mark SET minutes_from_ms = rolled_to_ms");
    assert_eq!(opened.database.sql("SELECT count(*) FROM usage_1m"), "3");
    assert_eq!(counted(&opened.store).await, (6, 9));
    assert_eq!(calls(&opened.store, UsagePeriod::Hour).await, 6);
}

#[tokio::test]
async fn a_range_that_cuts_hours_counts_their_minutes_as_long_as_they_are_there() {
    let opened = Opened::new().await;
    // In the middle of an hour, and in the first minutes of the next.
    for (seq, at) in [(1, NOW), (2, NOW.plus(Duration::from_secs(15 * 60)))] {
        let mut report = report("a", &[seq], 1);
        report[0].batches[0].window_start = at;
        opened.store.apply_batches(report, at).await.unwrap();
    }
    let all = || opened.store.usage(NOW.minus(HOUR)..NOW.plus(HOUR));
    let first = || opened.store.usage(NOW..NOW.plus(Duration::from_secs(60)));
    let second = || opened.store.usage(NOW.plus(Duration::from_secs(60))..NOW.plus(2 * HOUR));
    let tokens = |rows: Vec<LedgerRow>| rows.iter().map(|row| row.tokens.input).sum::<u64>();
    for rolled_up in [false, true] {
        if rolled_up {
            opened.store.tidy(NOW.plus(3 * HOUR), None).await.unwrap();
        }
        assert_eq!(tokens(all().await.unwrap()), 3, "{rolled_up}");
        assert_eq!(tokens(first().await.unwrap()), 1, "{rolled_up}");
        assert_eq!(tokens(second().await.unwrap()), 2, "{rolled_up}");
    }
}

//! What goes wrong, in the whole database or on one connection.

use super::*;
use cliproxy_domain::LeaseName;

/// Gives what becomes of so many transactions: done, refused, done unheard, or lost; and how long all of them took.
async fn drawn(store: &MemoryStore, transactions: usize) -> (String, Duration) {
    let clock = tokio_time();
    let mut letters = String::new();
    for number in 0..transactions {
        let before = version(store).await;
        let answer = store.change(change(60 + number as u64)).await;
        let is_done = version(store).await > before;
        letters.push(match (answer, is_done) {
            (Ok(_), true) => 'd',
            (Err(StoreError::Unavailable(_)), false) => 'r',
            (Err(StoreError::CommitUnknown(_)), true) => 'u',
            (Err(StoreError::CommitUnknown(_)), false) => 'l',
            other => panic!("{other:?}"),
        });
    }
    (letters, clock().since(WallTime(0)))
}

/// Asks until `stopped` transactions were stopped.
async fn stop_of(faults: &Faults, stopped: u64) {
    while faults.stopped() < stopped {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn strikes_hit_transactions_in_their_order() {
    let store = store();
    store.faults().strike([Strike::None, Strike::AnswerLost, Strike::Refused, Strike::CommitLost]);
    assert_eq!(drawn(&store, 5).await.0, "durld");
}

#[tokio::test]
async fn reads_are_not_struck() {
    let store = store();
    store.faults().strike([Strike::Refused]);
    store.hints().await.unwrap();
    store.posts_since(0, 10).await.unwrap();
    assert!(store.ping().await.is_err());
}

#[tokio::test]
async fn a_connection_that_is_cut_off_leaves_the_others_alone() {
    let store = store();
    let other = store.connect();
    store.connection_faults().set_unavailable(true);
    assert!(matches!(store.hints().await, Err(StoreError::Unavailable(_))));
    other.change(change(1)).await.unwrap();
    store.connection_faults().heal();
    assert_eq!(version(&store).await, 1);
}

#[tokio::test]
async fn strikes_of_one_connection_hit_nobody_else() {
    let store = store();
    let other = store.connect();
    store.connection_faults().strike([Strike::AnswerLost]);
    assert_eq!(drawn(&other, 1).await.0, "d");
    assert!(matches!(store.ping().await, Err(StoreError::CommitUnknown(_))));
}

#[tokio::test]
async fn what_strikes_the_database_goes_before_what_strikes_the_connection() {
    let store = store();
    store.connection_faults().strike([Strike::AnswerLost]);
    store.faults().strike([Strike::Refused]);
    assert_eq!(drawn(&store, 3).await.0, "rud");
}

#[tokio::test]
async fn whoever_is_stopped_never_hears_and_has_committed_or_not() {
    for (strike, committed) in [(Strike::StoppedBefore, 0), (Strike::StoppedAfter, 1)] {
        let store = store();
        let faults = store.connection_faults();
        faults.strike([strike]);
        let caller = tokio::spawn({
            let store = store.clone();
            async move { store.change(change(1)).await }
        });
        stop_of(faults, 1).await;
        faults.heal();
        assert_eq!(version(&store).await, committed, "{strike:?}");
        assert!(!caller.is_finished());
        caller.abort();
    }
}

#[tokio::test]
async fn a_hanging_connection_answers_nothing_until_it_goes_on() {
    let store = store();
    store.connection_faults().hang(true);
    let mut read = store.hints();
    let mut write = store.change(change(1));
    for _ in 0..3 {
        assert!(polled(&mut read).await.is_none());
        assert!(polled(&mut write).await.is_none());
    }
    assert_eq!(version(&store.connect()).await, 0);
    store.connection_faults().hang(false);
    write.await.unwrap();
    assert_eq!(read.await.unwrap().0.0, 1);
}

/// Polls once.
async fn polled<T>(future: &mut StoreFuture<'_, T>) -> Option<Result<T, StoreError>> {
    std::future::poll_fn(|context| {
        std::task::Poll::Ready(match future.as_mut().poll(context) {
            std::task::Poll::Ready(answer) => Some(answer),
            std::task::Poll::Pending => None,
        })
    })
    .await
}

#[tokio::test(start_paused = true)]
async fn a_commit_that_runs_when_the_database_hangs_waits_with_it() {
    let store = store();
    store.faults().delay_commits(Duration::from_secs(1));
    let commit = tokio::spawn({
        let store = store.clone();
        async move { store.change(change(1)).await }
    });
    tokio::task::yield_now().await;
    store.faults().hang(true);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(!commit.is_finished());
    store.faults().heal();
    commit.await.unwrap().unwrap();
    assert_eq!(version(&store).await, 1);
}

const ODDS: Odds =
    Odds { refused: 200, answer_lost: 200, commit_lost: 200, delay: Duration::from_millis(500) };

#[tokio::test(start_paused = true)]
async fn the_same_seed_draws_the_same_faults() {
    let mut seen = Vec::new();
    for seed in [1, 1, 2] {
        let store = store();
        store.faults().draw(seed, ODDS);
        seen.push(drawn(&store, 64).await);
    }
    assert_eq!(seen[0], seen[1]);
    assert_ne!(seen[0], seen[2]);
    for letter in "drul".chars() {
        assert!(seen[0].0.contains(letter), "none of {letter}: {}", seen[0].0);
    }
    // 64 commits of a quarter of a second each, roughly.
    assert!((8..24).contains(&seen[0].1.as_secs()), "{:?}", seen[0].1);
}

#[tokio::test]
async fn odds_of_nothing_strike_nobody_and_odds_of_all_everybody() {
    let (none, all) = (store(), store());
    none.faults().draw(7, Odds::default());
    assert_eq!(drawn(&none, 100).await.0, "d".repeat(100));
    all.faults().draw(7, Odds { commit_lost: 1_000, ..Odds::default() });
    assert_eq!(drawn(&all, 100).await.0, "l".repeat(100));
}

#[tokio::test]
async fn the_doorbell_rings_at_all_connections_for_what_others_are_to_hear() {
    let store = store();
    let other = store.connect();
    let mut heard = other.doorbell().unwrap();
    let config = NewConfig {
        hash: 1,
        entries: Vec::new(),
        author: "file".into(),
        reason: String::new(),
        at: NOW,
        text: None,
        follows: None,
        above: ConfigId(0),
    };
    store.change(change(1)).await.unwrap();
    assert!(heard.has_changed().unwrap());
    heard.mark_unchanged();
    // What changes nothing, or nothing that others wait for.
    store.change(change(1)).await.unwrap();
    store.ping().await.unwrap();
    let lease = store.lead(LeaseName::control_loop(), "a".into(), Duration::from_secs(60)).await.unwrap();
    assert!(!heard.has_changed().unwrap());

    store.put_config(config).await.unwrap();
    assert!(heard.has_changed().unwrap());
    heard.mark_unchanged();
    store.post("cp-1".into(), vec![1]).await.unwrap();
    assert!(heard.has_changed().unwrap());
    heard.mark_unchanged();
    let fence = Fence { lease: LeaseName::control_loop(), holder: lease.holder, epoch: lease.epoch };
    store.resign(fence).await.unwrap();
    assert!(heard.has_changed().unwrap());
}

#[tokio::test]
async fn a_doorbell_that_is_not_heard_stays_silent_and_nothing_else_does() {
    let store = store();
    let (deaf, other) = (store.connect(), store.connect());
    let (silent, heard) = (deaf.doorbell().unwrap(), other.doorbell().unwrap());
    deaf.connection_faults().deafen(true);
    store.change(change(1)).await.unwrap();
    assert_eq!((silent.has_changed().unwrap(), heard.has_changed().unwrap()), (false, true));
    assert_eq!(version(&deaf).await, 1);
    deaf.connection_faults().heal();
    store.change(change(2)).await.unwrap();
    assert!(silent.has_changed().unwrap());
}

#[tokio::test]
async fn an_answer_that_was_lost_rings_and_a_commit_that_was_lost_does_not() {
    let store = store();
    let other = store.connect();
    let bell = other.doorbell().unwrap();
    store.faults().strike([Strike::CommitLost, Strike::AnswerLost]);
    assert!(store.change(change(1)).await.is_err());
    assert!(!bell.has_changed().unwrap());
    assert!(store.change(change(1)).await.is_err());
    assert!(bell.has_changed().unwrap());
}

#[tokio::test]
async fn a_database_of_one_process_has_no_doorbell() {
    assert!(store().of_one_process().doorbell().is_none());
}

#[tokio::test]
async fn leases_go_by_the_clock_that_the_database_was_given() {
    let time = Arc::new(AtomicU64::new(0));
    let clock = {
        let time = Arc::clone(&time);
        move || WallTime(i64::try_from(time.load(Ordering::Relaxed)).unwrap())
    };
    let store = MemoryStore::with_clock(HistoryId("first".into()), clock);
    let lead = async |holder: &str| {
        let lease =
            store.lead(LeaseName::control_loop(), holder.into(), Duration::from_secs(5)).await.unwrap();
        (lease.holder, lease.epoch, lease.left)
    };
    assert_eq!(lead("a").await, ("a".into(), 1, Duration::from_secs(5)));
    time.store(4_999, Ordering::Relaxed);
    assert_eq!(lead("b").await, ("a".into(), 1, Duration::from_millis(1)));
    time.store(5_000, Ordering::Relaxed);
    assert_eq!(lead("b").await, ("b".into(), 2, Duration::from_secs(5)));
}

#[tokio::test(start_paused = true)]
async fn leases_go_by_tokios_clock_where_none_was_given() {
    let store = store();
    let lead = async |holder: &str| {
        store.lead(LeaseName::control_loop(), holder.into(), Duration::from_secs(5)).await.unwrap().holder
    };
    assert_eq!(lead("a").await, "a");
    tokio::time::advance(Duration::from_millis(4_900)).await;
    assert_eq!(lead("b").await, "a");
    tokio::time::advance(Duration::from_millis(100)).await;
    assert_eq!(lead("b").await, "b");
}

#[tokio::test]
async fn a_rollback_forgets_leases_posts_and_roll_ups_too_and_rings() {
    let store = store();
    let name = LeaseName::control_loop;
    store.lead(name(), "a".into(), Duration::from_secs(60)).await.unwrap();
    let savepoint = store.savepoint();
    let fence = Fence { lease: name(), holder: "a".into(), epoch: 1 };
    store.resign(fence.clone()).await.unwrap();
    store.lead(name(), "b".into(), Duration::from_secs(60)).await.unwrap();
    store.post("cp-1".into(), vec![1]).await.unwrap();
    let bell = store.doorbell().unwrap();
    store.roll_back(&savepoint, HistoryId("second".into()));
    assert!(bell.has_changed().unwrap());
    assert_eq!(store.newest_post().await.unwrap(), 0);
    assert_eq!(store.posts_since(1, 10).await.unwrap(), None);
    // Whoever led before leads again, and may write.
    store.change(Change { fence: Some(fence), ..change(1) }).await.unwrap();
}

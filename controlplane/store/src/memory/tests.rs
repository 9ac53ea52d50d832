use super::*;
use crate::contract::Harness;
use cliproxy_domain::{CooldownCause, CooldownKey};
use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

struct InMemory(Arc<MemoryStore>);

impl Harness for InMemory {
    type Store = MemoryStore;

    async fn fresh() -> Self {
        static MADE: AtomicU64 = AtomicU64::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        Self(Arc::new(MemoryStore::new(HistoryId(format!("history {number}")))))
    }

    fn store(&self) -> &Arc<MemoryStore> {
        &self.0
    }

    async fn reopen(self) -> Self {
        Self(Arc::new(MemoryStore::clone(&self.0)))
    }

    async fn event_ids(&self) -> Vec<String> {
        self.0.event_ids()
    }
}

mod contract {
    use super::InMemory;

    crate::contract_tests!(InMemory);
}

const NOW: WallTime = WallTime(1_771_541_400_000);

fn store() -> MemoryStore {
    MemoryStore::new(HistoryId("first".into()))
}

fn rest(seconds: u64) -> Vec<Cooldown> {
    vec![Cooldown {
        key: CooldownKey { provider: "claude".into(), credential: "main".into() },
        epoch: 0,
        started_at: NOW,
        until: NOW.plus(Duration::from_secs(seconds)),
        cause: CooldownCause::RateLimit,
        source: "a".into(),
    }]
}

async fn version(store: &MemoryStore) -> u64 {
    store.cooldowns(NOW).await.unwrap().0.0
}

#[tokio::test]
async fn an_unavailable_store_refuses_reads_and_writes_until_it_is_back() {
    let store = store();
    store.faults().set_unavailable(true);
    assert!(matches!(store.ping().await, Err(StoreError::Unavailable(_))));
    assert!(matches!(store.cooldowns(NOW).await, Err(StoreError::Unavailable(_))));
    assert!(matches!(store.merge_cooldowns(rest(1)).await, Err(StoreError::Unavailable(_))));
    store.faults().heal();
    assert_eq!(version(&store).await, 0);
}

#[tokio::test]
async fn a_lost_answer_hides_a_commit_and_a_repetition_finds_it_done() {
    let store = store();
    store.faults().lose_answers(1);
    assert!(matches!(store.merge_cooldowns(rest(1)).await, Err(StoreError::CommitUnknown(_))));
    assert_eq!(version(&store).await, 1);
    assert_eq!(store.merge_cooldowns(rest(1)).await.unwrap(), []);
}

#[tokio::test]
async fn a_crash_before_the_commit_leaves_nothing_behind() {
    let store = store();
    store.faults().crash_before_commit(2);
    assert!(matches!(store.merge_cooldowns(rest(1)).await, Err(StoreError::Unavailable(_))));
    assert!(matches!(store.ping().await, Err(StoreError::Unavailable(_))));
    assert_eq!(version(&store).await, 0);
    assert_eq!(store.merge_cooldowns(rest(1)).await.unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_delayed_commit_shows_only_when_its_time_has_passed() {
    let store = store();
    store.faults().delay_commits(Duration::from_secs(2));
    let mut commit = store.merge_cooldowns(rest(1));
    assert!(tokio::time::timeout(Duration::from_secs(1), &mut commit).await.is_err());
    assert_eq!(version(&store).await, 0);
    commit.await.unwrap();
    assert_eq!(version(&store).await, 1);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_goes_away_during_a_commit_has_not_committed() {
    let store = store();
    store.faults().delay_commits(Duration::from_secs(2));
    let mut commit = store.merge_cooldowns(rest(1));
    assert!(tokio::time::timeout(Duration::from_secs(1), &mut commit).await.is_err());
    store.faults().set_unavailable(true);
    assert!(matches!(commit.await, Err(StoreError::Unavailable(_))));
    store.faults().heal();
    assert_eq!(version(&store).await, 0);
}

#[tokio::test]
async fn a_rolled_back_store_forgets_commits_and_has_another_history() {
    let store = store();
    store.merge_cooldowns(rest(1)).await.unwrap();
    let savepoint = store.savepoint();
    store.merge_cooldowns(rest(2)).await.unwrap();
    store.roll_back(&savepoint, HistoryId("second".into()));
    assert_eq!(store.cooldowns(NOW).await.unwrap(), (HintVersion(1), rest(1)));
    assert_eq!(store.history().await.unwrap(), HistoryId("second".into()));
    assert_eq!(store.merge_cooldowns(rest(3)).await.unwrap()[0].version, HintVersion(2));
}

#[tokio::test]
async fn all_handles_see_one_database() {
    let store = store();
    let other = store.clone();
    other.faults().lose_answers(1);
    assert!(store.merge_cooldowns(rest(1)).await.is_err());
    assert_eq!(version(&other).await, 1);
}

mod faults;
mod limits;

use super::*;
use crate::{Outcome, contract::Harness};
use cliproxy_domain::{Cooldown, CooldownCause, CooldownKey, Evidence, Permit};
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
        Self(Arc::new(self.0.connect()))
    }

    async fn another(&self) -> Arc<MemoryStore> {
        Arc::new(self.0.connect())
    }

    async fn event_ids(&self) -> Vec<String> {
        self.0.event_ids()
    }

    /// Nothing that is unknown can be in this memory: its version is taken, as whoever passes it over finds it.
    async fn write_unknown(&self) {
        self.0.take_version();
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

fn rest(seconds: u64) -> Hint {
    Hint::Cooldown(Cooldown {
        key: CooldownKey::credential("claude".into(), "main".into()),
        epoch: 0,
        round: 0,
        started_at: NOW,
        until: NOW.plus(Duration::from_secs(seconds)),
        cleared: false,
        cause: CooldownCause::RateLimit,
        source: "a".into(),
        permit: Permit::default(),
        streak: 1,
        evidence: Evidence::default(),
    })
}

fn change(seconds: u64) -> Change {
    Change { hints: vec![rest(seconds)], ..Change::default() }
}

/// A change of everything that a change can hold.
fn whole() -> Change {
    Change {
        audit: vec![AuditEntry {
            id: "a1".into(),
            at: NOW,
            actor: "ada".into(),
            from: String::new(),
            action: "recovered".into(),
            provider: None,
            subject: String::new(),
            reason: String::new(),
            before: String::new(),
            after: String::new(),
        }],
        outcome: Some(Outcome { request_id: "call".into(), answer: "done".into(), at: NOW }),
        ..change(1)
    }
}

/// Counts what of [`whole`] is there: hints, audit entries, outcomes.
async fn written(store: &MemoryStore) -> [usize; 3] {
    let hints = store.hints().await.unwrap().1.len();
    let entries = store.audit(AuditQuery::default()).await.unwrap().len();
    [hints, entries, store.outcome("call".into()).await.unwrap().iter().len()]
}

async fn version(store: &MemoryStore) -> u64 {
    store.hints().await.unwrap().0.0
}

#[tokio::test]
async fn an_unavailable_store_refuses_reads_and_writes_until_it_is_back() {
    let store = store();
    store.faults().set_unavailable(true);
    assert!(matches!(store.ping().await, Err(StoreError::Unavailable(_))));
    assert!(matches!(store.hints().await, Err(StoreError::Unavailable(_))));
    assert!(matches!(store.change(change(1)).await, Err(StoreError::Unavailable(_))));
    store.faults().heal();
    assert_eq!(version(&store).await, 0);
}

#[tokio::test]
async fn a_lost_answer_hides_a_commit_and_a_repetition_finds_it_done() {
    let store = store();
    store.faults().lose_answers(1);
    assert!(matches!(store.change(change(1)).await, Err(StoreError::CommitUnknown(_))));
    assert_eq!(version(&store).await, 1);
    assert_eq!(store.change(change(1)).await.unwrap(), []);
}

#[tokio::test]
async fn a_crash_before_the_commit_leaves_nothing_behind() {
    let store = store();
    store.faults().crash_before_commit(2);
    assert!(matches!(store.change(change(1)).await, Err(StoreError::Unavailable(_))));
    assert!(matches!(store.ping().await, Err(StoreError::Unavailable(_))));
    assert_eq!(version(&store).await, 0);
    assert_eq!(store.change(change(1)).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_change_that_is_not_committed_leaves_no_part_of_it() {
    let store = store();
    store.faults().crash_before_commit(1);
    assert!(matches!(store.change(whole()).await, Err(StoreError::Unavailable(_))));
    assert_eq!(written(&store).await, [0, 0, 0]);
    store.change(whole()).await.unwrap();
    assert_eq!(written(&store).await, [1, 1, 1]);
}

#[tokio::test]
async fn a_change_whose_answer_was_lost_can_be_made_again() {
    let store = store();
    store.faults().lose_answers(1);
    assert!(matches!(store.change(whole()).await, Err(StoreError::CommitUnknown(_))));
    assert_eq!(written(&store).await, [1, 1, 1]);
    assert_eq!(store.change(whole()).await.unwrap(), []);
    assert_eq!(written(&store).await, [1, 1, 1]);
}

#[tokio::test]
async fn requests_whose_answer_was_lost_are_written_once() {
    let store = store();
    let record = |body: &str| vec![StoredRequest { id: "r".into(), at: NOW, body: body.into() }];
    store.faults().lose_answers(1);
    assert!(matches!(store.record_requests(record("first"), NOW).await, Err(StoreError::CommitUnknown(_))));
    store.record_requests(record("second"), NOW).await.unwrap();
    assert_eq!(store.request("r".into()).await.unwrap().as_deref(), Some("first"));
}

#[tokio::test(start_paused = true)]
async fn a_delayed_commit_shows_only_when_its_time_has_passed() {
    let store = store();
    store.faults().delay_commits(Duration::from_secs(2));
    let mut commit = store.change(change(1));
    assert!(tokio::time::timeout(Duration::from_secs(1), &mut commit).await.is_err());
    assert_eq!(version(&store).await, 0);
    commit.await.unwrap();
    assert_eq!(version(&store).await, 1);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_goes_away_during_a_commit_has_not_committed() {
    let store = store();
    store.faults().delay_commits(Duration::from_secs(2));
    let mut commit = store.change(change(1));
    assert!(tokio::time::timeout(Duration::from_secs(1), &mut commit).await.is_err());
    store.faults().set_unavailable(true);
    assert!(matches!(commit.await, Err(StoreError::Unavailable(_))));
    store.faults().heal();
    assert_eq!(version(&store).await, 0);
}

#[tokio::test]
async fn a_rolled_back_store_forgets_commits_and_has_another_history() {
    let store = store();
    store.change(change(1)).await.unwrap();
    let savepoint = store.savepoint();
    store.change(change(2)).await.unwrap();
    store.roll_back(&savepoint, HistoryId("second".into()));
    assert_eq!(store.hints().await.unwrap(), (HintVersion(1), vec![rest(1)]));
    assert_eq!(store.history().await.unwrap(), HistoryId("second".into()));
    assert_eq!(store.change(change(3)).await.unwrap()[0].version, HintVersion(2));
}

#[tokio::test]
async fn all_connections_see_one_database() {
    let store = store();
    let other = store.connect();
    other.faults().lose_answers(1);
    assert!(store.change(change(1)).await.is_err());
    assert_eq!(version(&other).await, 1);
}

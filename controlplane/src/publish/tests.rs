use super::{queue::MAX_PENDING, *};
use cliproxy_domain::{
    Cooldown, CooldownCause, CooldownKey, Evidence, HintVersion, Measured, Permit, Signal, WallTime,
};

fn rest(credential: &str, until: i64) -> Hint {
    Hint::Cooldown(Cooldown {
        key: CooldownKey::credential("claude".into(), credential.into()),
        epoch: 0,
        round: 0,
        started_at: WallTime(0),
        until: WallTime(until),
        cleared: false,
        cause: CooldownCause::RateLimit,
        source: "node-1".into(),
        permit: Permit::default(),
        streak: 1,
        evidence: Evidence::default(),
    })
}

fn signal(model: &str, revision: u64) -> Hint {
    let (provider, model) = ("claude".into(), model.into());
    Hint::Signal(Signal { revision, provider, model, measured: Measured::default() })
}

fn numbered(version: u64, hint: Hint) -> HintChange {
    HintChange { version: HintVersion(version), hint }
}

#[tokio::test]
async fn values_of_one_key_wait_as_one() {
    let publish = Arc::new(Publish::default());
    let node = publish.subscribe();
    for until in [5, 9, 7] {
        publish.hint_now(&rest("main", until));
    }
    publish.numbered(&[numbered(4, rest("main", 8)), numbered(5, rest("spare", 3))]);
    node.ready().await;
    let pending = node.take();
    assert!(pending.urgent.is_empty());
    assert_eq!(pending.version, HintVersion(5));
    assert_eq!(pending.numbered.into_values().collect::<Vec<_>>(), [rest("main", 9), rest("spare", 3)]);
    assert_eq!(node.take(), Pending::default());
}

#[tokio::test]
async fn a_node_that_takes_nothing_loses_its_queue_and_no_other_does() {
    let publish = Arc::new(Publish::default());
    let (slow, quick) = (publish.subscribe(), publish.subscribe());
    for i in 0..=MAX_PENDING {
        publish.hint_now(&rest(&format!("key-{i}"), 1));
        quick.take();
    }
    slow.overflowed().await;
    assert_eq!(slow.take(), Pending::default());
    publish.hint_now(&rest("main", 1));
    assert_eq!(quick.take().urgent.len(), 1);
}

#[tokio::test]
async fn as_many_keys_as_allowed_may_wait() {
    let publish = Arc::new(Publish::default());
    let node = publish.subscribe();
    for i in 0..MAX_PENDING {
        publish.hint_now(&rest(&format!("key-{i}"), 1));
    }
    assert_eq!(node.take().urgent.len(), MAX_PENDING);
}

#[tokio::test]
async fn hints_that_are_never_stored_wait_apart_and_crowd_nothing_out() {
    let publish = Arc::new(Publish::default());
    let node = publish.subscribe();
    publish.hint_now(&rest("main", 5));
    for i in 0..2 * MAX_PENDING {
        publish.hint_now(&signal(&format!("model-{i}"), 1));
        publish.hint_now(&signal(&format!("model-{i}"), 2));
    }
    node.ready().await;
    let pending = node.take();
    assert_eq!((pending.urgent.len(), pending.passing.len()), (1, 2 * MAX_PENDING));
    assert!(
        pending.passing.values().all(|hint| matches!(hint, Hint::Signal(signal) if signal.revision == 2))
    );
}

#[test]
fn a_closed_queue_is_forgotten() {
    let publish = Arc::new(Publish::default());
    drop(publish.subscribe());
    assert!(publish.0.lock().by_id.is_empty());
}

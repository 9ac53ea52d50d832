use super::{queue::MAX_PENDING, *};
use cliproxy_domain::{CooldownCause, CooldownKey, HintVersion, WallTime};

fn rest(credential: &str, until: i64) -> Cooldown {
    Cooldown {
        key: CooldownKey { provider: "claude".into(), credential: credential.into() },
        epoch: 0,
        started_at: WallTime(0),
        until: WallTime(until),
        cause: CooldownCause::RateLimit,
        source: "node-1".into(),
    }
}

fn numbered(version: u64, cooldown: Cooldown) -> HintChange {
    HintChange { version: HintVersion(version), cooldown }
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

#[test]
fn a_closed_queue_is_forgotten() {
    let publish = Arc::new(Publish::default());
    drop(publish.subscribe());
    assert!(publish.0.lock().by_id.is_empty());
}

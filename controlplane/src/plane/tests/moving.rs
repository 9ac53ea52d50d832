//! Nodes that come from another replica, that come many at once, and that are asked to go.

use super::harness::*;
use crate::Settings;
use cliproxy_domain::{ConfigId, Hint};
use cliproxy_host::{Clock as _, SystemNet};
use cliproxy_proto::{
    RETRY_PUSHBACK,
    convert::config::EntrySet,
    v1::{self, directive::Directive, sync_client::SyncClient, sync_down::Message},
};
use cliproxy_store::{MemoryStore, Store};
use std::{
    sync::{Arc, atomic::AtomicUsize, atomic::Ordering},
    time::Duration,
};
use tonic::{Code, Status, transport::Channel};

const HISTORY: &str = "history-1";

/// What a node says that runs configuration 1 and has hints up to a number.
pub(super) fn hello(name: &str, have_hints: u64) -> v1::Hello {
    v1::Hello {
        node_id: name.into(),
        incarnation: 1,
        history_id: HISTORY.into(),
        have_config: 1,
        config_hash: EntrySet::from_snapshot(&snapshot()).hash(),
        have_hints,
        ..v1::Hello::default()
    }
}

pub(super) fn up(message: v1::sync_up::Message) -> v1::SyncUp {
    v1::SyncUp { message: Some(message) }
}

pub(super) type Sync = Talk<v1::SyncUp, v1::SyncDown>;

/// Opens a subscription; gives it with the welcome, or why there is none.
pub(super) async fn connect(channel: Channel, hello: v1::Hello) -> Result<(Sync, v1::Welcome), Status> {
    let mut talk = open_sync(channel).await;
    talk.say(up(v1::sync_up::Message::Hello(hello))).await;
    match talk.result().await?.and_then(|first| first.message) {
        Some(Message::Welcome(welcome)) => Ok((talk, welcome)),
        other => panic!("{other:?} is no welcome"),
    }
}

/// Reads until something is that `wanted` gives; says that it lives meanwhile.
pub(super) async fn reads<T>(talk: &mut Sync, wanted: impl Fn(Message) -> Option<T>) -> T {
    within(async {
        loop {
            let message = talk.next().await.message.expect("an empty message");
            if matches!(message, Message::Heartbeat(_)) {
                talk.say(up(v1::sync_up::Message::Heartbeat(v1::Heartbeat::default()))).await;
            }
            if let Some(found) = wanted(message) {
                return found;
            }
        }
    })
    .await
}

fn told_to_go(message: Message) -> Option<v1::ReconnectTo> {
    let Message::Directive(v1::Directive { directive: Some(Directive::ReconnectTo(word)) }) = message else {
        return None;
    };
    Some(word)
}

/// Asserts that nothing waits for a node: heartbeats are sent when nothing else is to be.
pub(super) async fn is_sent_nothing(talk: &mut Sync) {
    let next = talk.next().await.message;
    assert!(matches!(next, Some(Message::Heartbeat(_))), "{next:?} came");
}

/// Starts a replica that others can name.
async fn replica(store: MemoryStore, name: &str) -> Plane {
    let url = Some(format!("http://{name}:8319"));
    let settings = Settings { cp_id: name.into(), advertise_url: url, ..settings() };
    let plane = Plane::start_with(settings, store, Arc::new(SystemNet)).await;
    plane.handle.apply(snapshot(), "file", "start").await.unwrap();
    plane
}

/// Starts two replicas that know of each other.
async fn replicas() -> (Plane, Plane) {
    let store = shared();
    let first = replica(store.connect(), "first").await;
    let second = replica(store.connect(), "second").await;
    eventually(async || !first.state.fleet.places().is_empty() && !second.state.fleet.places().is_empty())
        .await;
    (first, second)
}

async fn look(plane: &Plane) -> v1::LookResponse {
    let mut client = SyncClient::new(plane.as_node().await);
    within(client.look(v1::LookRequest {})).await.unwrap().into_inner()
}

fn resting(credential: &str) -> Hint {
    Hint::Cooldown(rest_of(&event("e", credential, Duration::from_secs(60))))
}

#[tokio::test]
async fn a_node_that_has_what_this_replica_has_not_read_yet_is_not_sent_back() {
    let plane = Plane::configured().await;
    store_hints(&plane.store, vec![resting("main"), resting("spare")]).await;
    let ahead = EntrySet::from_snapshot(&snapshot_with_attempts(9));
    let id = plane.store.put_config(cliproxy_store::NewConfig {
        hash: ahead.hash(),
        entries: Vec::new(),
        author: "another replica".into(),
        reason: String::new(),
        at: START,
        text: None,
        follows: None,
        above: ConfigId(0),
    });
    assert_eq!(id.await.unwrap(), ConfigId(2));
    let mut hello = hello("node-1", 2);
    (hello.have_config, hello.config_hash) = (2, ahead.hash());
    let (mut talk, _) = connect(plane.as_node().await, hello).await.unwrap();
    is_sent_nothing(&mut talk).await;
    assert_eq!(plane.state.hints.version().0, 0, "this replica has not read them");
    plane.stop().await;
}

#[tokio::test]
async fn a_store_that_hangs_keeps_no_node_from_being_served_and_none_is_sent_back() {
    let plane = Plane::configured().await;
    plane.store.faults().hang(true);
    let (mut fresh, _) =
        connect(plane.as_node().await, v1::Hello { node_id: "fresh".into(), ..v1::Hello::default() })
            .await
            .unwrap();
    let config = reads(&mut fresh, |message| match message {
        Message::Chunk(chunk) if chunk.line() == v1::Line::Config => Some(chunk.version),
        _ => None,
    });
    assert_eq!(config.await, 1);
    let (mut ahead, _) =
        connect(plane.as_node().await, v1::Hello { have_config: 7, ..hello("ahead", 0) }).await.unwrap();
    let next = reads(&mut ahead, |message| match message {
        Message::Chunk(chunk) if chunk.line() == v1::Line::Hint => None,
        other => Some(other),
    });
    assert!(matches!(next.await, Message::Heartbeat(_)), "it has what is newer");
    plane.store.faults().heal();
    plane.stop().await;
}

#[tokio::test]
async fn what_waits_for_the_store_is_told_to_nodes_that_come_without_it() {
    let plane = Plane::configured().await;
    plane.store.faults().set_unavailable(true);
    eventually(async || !*plane.state.database.borrow()).await;
    plane.state.hints.merge(resting("main"), START);
    let (mut talk, welcome) = connect(plane.as_node().await, hello("node-1", 0)).await.unwrap();
    assert!(!welcome.db_ok);
    let told = reads(&mut talk, |message| match message {
        Message::Chunk(chunk) if chunk.line() == v1::Line::Hint => Some(chunk.changes.len()),
        _ => None,
    });
    assert_eq!(told.await, 1);
    plane.store.faults().heal();
    plane.stop().await;
}

#[tokio::test]
async fn two_hundred_nodes_that_come_at_once_all_resume_and_few_at_a_time() {
    let at_once = 3;
    let settings = Settings { resumes_at_once: at_once, ..settings() };
    let plane = Plane::start_with(settings, memory(), Arc::new(SystemNet)).await;
    plane.handle.apply(snapshot(), "file", "start").await.unwrap();
    plane.handle.apply(snapshot_with_attempts(5), "file", "reload").await.unwrap();
    let refusals = Arc::new(AtomicUsize::new(0));
    let mut coming = tokio::task::JoinSet::new();
    for connection in 0..10 {
        let channel = plane.as_node().await;
        for node in 0..20 {
            coming.spawn(comes(channel.clone(), format!("node-{connection}-{node}"), Arc::clone(&refusals)));
        }
    }
    let resumed = within(coming.join_all()).await;
    assert_eq!((resumed.len(), resumed.iter().filter(|from_to| **from_to == (1, 2)).count()), (200, 200));
    assert!(plane.most_at_once() <= at_once);
    assert_eq!(plane.metric("cliproxy_controlplane_whole_configs_total"), 0.0);
    let refused = refusals.load(Ordering::SeqCst);
    assert_eq!(plane.metric("cliproxy_controlplane_nodes_put_off_total"), refused as f64);
    plane.stop().await;
}

/// Connects, again and again when asked to come later; gives the difference of configurations that it is sent.
async fn comes(channel: Channel, name: String, refusals: Arc<AtomicUsize>) -> (u64, u64) {
    loop {
        match connect(channel.clone(), hello(&name, 0)).await {
            Ok((mut talk, _)) => {
                return reads(&mut talk, |message| match message {
                    Message::Delta(delta) if delta.line() == v1::Line::Config => Some((delta.from, delta.to)),
                    _ => None,
                })
                .await;
            }
            Err(status) => {
                assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
                refusals.fetch_add(1, Ordering::SeqCst);
                let wait = status.metadata().get(RETRY_PUSHBACK).unwrap().to_str().unwrap().parse().unwrap();
                tokio::time::sleep(Duration::from_millis(wait)).await;
            }
        }
    }
}

#[tokio::test]
async fn a_node_of_a_later_contract_is_refused_with_what_to_do_and_one_of_before_versions_is_not() {
    let plane = Plane::configured().await;
    let speaks = |min, max| v1::Hello { proto_min: min, proto_max: max, ..hello("node-1", 0) };
    let refused = connect(plane.as_node().await, speaks(2, 3)).await.err().unwrap();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(refused.message().contains("upgrade whichever is older"), "{refused:?}");
    for (min, max) in [(0, 0), (1, 1), (1, 4)] {
        assert_eq!(connect(plane.as_node().await, speaks(min, max)).await.unwrap().1.proto, 1);
    }
    plane.stop().await;
}

#[tokio::test]
async fn a_stream_that_is_old_is_asked_to_be_opened_anew_and_ended_when_it_is_not() {
    let age = Duration::from_secs(10);
    let settings = Settings { max_connection_age: age, ..settings() };
    let plane = Plane::start_with(settings, memory(), Arc::new(SystemNet)).await;
    plane.handle.apply(snapshot(), "file", "start").await.unwrap();
    let (mut talk, _) = connect(plane.as_node().await, hello("node-1", 0)).await.unwrap();
    let begun = plane.clock.now();
    let mut asked = None;
    let ended = loop {
        // It lives all the while.
        talk.say(up(v1::sync_up::Message::Heartbeat(v1::Heartbeat::default()))).await;
        match talk.result().await {
            Ok(Some(message)) => {
                if let Some(word) = message.message.and_then(told_to_go) {
                    assert!(word.endpoints.is_empty() && !word.leaving);
                    assert_eq!(asked.replace(plane.clock.now() - begun), None, "it is asked once");
                }
            }
            Ok(None) => panic!("the stream ended without a word"),
            Err(status) => break status,
        }
        plane.clock.advance(Duration::from_secs(2));
    };
    let (asked, lasted) = (asked.expect("it was asked before"), plane.clock.now() - begun);
    assert!(
        asked >= age.mul_f64(0.9) && lasted >= age.mul_f64(0.9) + Duration::from_secs(30),
        "{asked:?}, {lasted:?}"
    );
    assert_eq!(
        (ended.code(), ended.message()),
        (Code::Unavailable, "this stream is old; connect again and resume")
    );
    plane.stop().await;
}

/// A node that goes where it is asked to.
async fn obeys(mut talk: Sync, name: String, elsewhere: Channel) -> Sync {
    let word = reads(&mut talk, told_to_go).await;
    assert_eq!(word.endpoints, ["http://second:8319"]);
    let (there, _) = connect(elsewhere, hello(&name, 0)).await.unwrap();
    drop(talk);
    there
}

#[tokio::test]
async fn a_replica_with_more_than_its_share_sheds_what_is_too_many_and_no_more() {
    let (first, second) = replicas().await;
    let (here, there) = (first.as_node().await, second.as_node().await);
    let mut nodes = tokio::task::JoinSet::new();
    for n in 0..6 {
        let name = format!("node-{n}");
        let (talk, welcome) = connect(here.clone(), hello(&name, 0)).await.unwrap();
        assert_eq!(welcome.other_replicas, ["http://second:8319"]);
        nodes.spawn(obeys(talk, name, there.clone()));
    }
    let mut moved = Vec::new();
    for _ in 0..3 {
        moved.push(within(nodes.join_next()).await);
    }
    // Both know it by now, and three here and three there are what each should have.
    eventually(async || {
        let others = |plane: &Plane| plane.state.fleet.others().iter().map(|other| other.nodes).sum::<u32>();
        (others(&first), others(&second)) == (3, 3)
    })
    .await;
    let asked = r#"cliproxy_controlplane_asked_to_go_total{reason="share"}"#;
    assert_eq!((first.metric(asked), second.metric(asked)), (3.0, 0.0));
    assert_eq!(nodes.len(), 3);
    drop((moved, nodes));
    first.stop().await;
    second.stop().await;
}

#[tokio::test]
async fn a_replica_that_ends_has_its_nodes_go_first_and_takes_no_more() {
    let (first, second) = replicas().await;
    let (here, there) = (first.as_node().await, second.as_node().await);
    let mut stays = connect(here.clone(), hello("stays", 0)).await.unwrap().0;
    let (talk, _) = connect(here.clone(), hello("goes", 0)).await.unwrap();
    let goes = tokio::spawn(obeys(talk, "goes".into(), there));
    let mut client = SyncClient::new(here.clone());
    assert!(!look(&first).await.leaving);
    let ending = tokio::spawn(first.stop());
    let word = reads(&mut stays, told_to_go).await;
    assert!(word.leaving);
    let _moved = within(goes).await.unwrap();
    // It still takes what comes over the stream that is left, and nobody new.
    assert!(within(client.look(v1::LookRequest {})).await.unwrap().into_inner().leaving);
    assert_eq!(connect(here, hello("late", 0)).await.err().unwrap().code(), Code::Unavailable);
    assert!(!ending.is_finished());
    drop(stays);
    within(ending).await.unwrap();
    second.stop().await;
}

#[tokio::test]
async fn a_replica_without_another_ends_at_once() {
    let plane = Plane::configured().await;
    let (mut talk, _) = connect(plane.as_node().await, hello("node-1", 0)).await.unwrap();
    let ending = tokio::spawn(plane.stop());
    let ended = loop {
        match talk.result().await {
            Ok(Some(message)) => assert!(message.message.and_then(told_to_go).is_none()),
            Ok(None) => panic!("the stream ended without a word"),
            Err(status) => break status,
        }
    };
    assert_eq!(ended.code(), Code::Unavailable);
    within(ending).await.unwrap();
}

#[tokio::test]
async fn whoever_looks_sees_how_a_replica_is() {
    let plane = Plane::configured().await;
    let seen = look(&plane).await;
    assert_eq!((seen.cp_id.as_str(), seen.db_ok, seen.leaving), ("cp-1", true, false));
    plane.store.faults().set_unavailable(true);
    eventually(async || !look(&plane).await.db_ok).await;
    plane.store.faults().heal();
    plane.stop().await;
}

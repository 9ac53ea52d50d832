//! What nodes are told: what they miss, and then every change.

use super::harness::*;
use cliproxy_domain::{ConfigId, Hint, HintVersion};
use cliproxy_proto::{
    convert::{config::EntrySet, hints, telemetry::event_to_wire},
    v1::{self, sync_down::Message},
};
use cliproxy_store::Store;
use std::time::Duration;
use tonic::{Code, transport::Channel};

/// A node as far as the subscription goes.
struct Node {
    talk: Talk<v1::SyncUp, v1::SyncDown>,
    has: Has,
}

/// What a node has.
#[derive(Clone, Default)]
struct Has {
    history: String,
    config: u64,
    entries: EntrySet,
    hints: u64,
}

impl Node {
    /// Connects under a name and reads the welcome.
    async fn connect(plane: &Plane, name: &str, has: Has) -> Self {
        Self::connect_over(plane.as_node().await, name, has, "1.0").await
    }

    async fn connect_over(channel: Channel, name: &str, has: Has, build: &str) -> Self {
        let mut talk = open_sync(channel).await;
        let hello = v1::Hello {
            node_id: name.into(),
            incarnation: 1,
            build: build.into(),
            history_id: has.history.clone(),
            have_config: has.config,
            config_hash: has.entries.hash(),
            have_hints: has.hints,
            listen: "127.0.0.1:8317".into(),
            ..v1::Hello::default()
        };
        talk.say(v1::SyncUp { message: Some(v1::sync_up::Message::Hello(hello)) }).await;
        let Some(Message::Welcome(welcome)) = talk.next().await.message else { panic!("no welcome came") };
        assert_eq!((welcome.cp_id.as_str(), welcome.heartbeat_ms), ("cp-1", 500));
        Self { talk, has: Has { history: welcome.history_id, ..has } }
    }

    /// Connects with nothing and takes the configuration and the hints.
    async fn fresh(plane: &Plane, name: &str) -> Self {
        let mut node = Self::connect(plane, name, Has::default()).await;
        node.take_hints().await;
        node.take_config().await;
        node
    }

    /// Gives the next message that is not a heartbeat.
    async fn next(&mut self) -> Message {
        loop {
            match self.talk.next().await.message.expect("an empty message") {
                Message::Heartbeat(_) => {}
                message => return message,
            }
        }
    }

    /// Asserts that nothing waits for the node: heartbeats are sent when nothing else is to be.
    async fn is_sent_nothing(&mut self) {
        let next = self.talk.next().await.message;
        assert!(matches!(next, Some(Message::Heartbeat(_))), "{next:?} came");
    }

    /// Takes a whole configuration or a delta, checks its hash and acknowledges it. Gives `(from, to)`.
    async fn take_config(&mut self) -> (u64, u64) {
        let (from, to, changes, hash, nonce) = self.offered_config().await;
        let mut entries = if from == 0 { EntrySet::default() } else { self.has.entries.clone() };
        entries.apply(&changes).unwrap();
        assert_eq!(entries.hash(), hash);
        (self.has.config, self.has.entries) = (to, entries);
        let ack = v1::Ack { nonce, line: v1::Line::Config.into(), version: to, ..Default::default() };
        self.talk.say(v1::SyncUp { message: Some(v1::sync_up::Message::Ack(ack)) }).await;
        (from, to)
    }

    async fn offered_config(&mut self) -> (u64, u64, Vec<v1::Change>, u64, String) {
        match self.next().await {
            Message::Delta(d) if d.line() == v1::Line::Config => {
                (d.from, d.to, d.changes, d.hash_after, d.nonce)
            }
            Message::Chunk(c) if c.line() == v1::Line::Config => {
                assert_eq!(c.count, 1);
                (0, c.version, c.changes, c.hash, c.nonce)
            }
            other => panic!("{other:?} is no configuration"),
        }
    }

    /// Refuses the configuration that is offered next.
    async fn refuse_config(&mut self) {
        let (_, to, _, _, nonce) = self.offered_config().await;
        let (still_on, reason) = (self.has.config, "no such provider kind".to_owned());
        let nack = v1::Nack { nonce, rejected_config: to, still_on, reason, again_in_ms: 0 };
        self.talk.say(v1::SyncUp { message: Some(v1::sync_up::Message::Nack(nack)) }).await;
    }

    /// Takes hints and acknowledges numbered ones. Gives their number and the credentials that rest.
    async fn take_hints(&mut self) -> (u64, Vec<String>) {
        let (to, changes, nonce) = match self.next().await {
            Message::Delta(d) if d.line() == v1::Line::Hint => (d.to, d.changes, d.nonce),
            Message::Chunk(c) if c.line() == v1::Line::Hint => (c.version, c.changes, c.nonce),
            other => panic!("{other:?} are no hints"),
        };
        if to > 0 {
            self.has.hints = to;
            let ack = v1::Ack { nonce, line: v1::Line::Hint.into(), version: to, ..Default::default() };
            self.talk.say(v1::SyncUp { message: Some(v1::sync_up::Message::Ack(ack)) }).await;
        }
        let credential = |change| match hints::from_wire(change, START).unwrap() {
            Some(Hint::Cooldown(rest)) => rest.key.scope.credential().unwrap().to_string(),
            other => panic!("{other:?} is no rest"),
        };
        (to, changes.iter().map(credential).collect())
    }
}

/// Lets credentials of Claude rest and waits until that is stored.
async fn rest(plane: &Plane, credentials: &[&str]) {
    let mut events = open_events(plane.as_node().await).await;
    for credential in credentials {
        let event = event(&format!("event-{credential}"), credential, Duration::from_secs(60));
        events.say(event_to_wire(&event)).await;
        events.next().await;
    }
}

#[tokio::test]
async fn a_fresh_node_gets_the_whole_configuration() {
    let plane = Plane::configured().await;
    let node = Node::fresh(&plane, "node-1").await;
    assert_eq!(node.has.config, 1);
    assert_eq!(node.has.entries.to_snapshot().unwrap(), snapshot());
    plane.stop().await;
}

#[tokio::test]
async fn a_node_that_is_up_to_date_is_sent_nothing() {
    let plane = Plane::configured().await;
    rest(&plane, &["main"]).await;
    let has = Node::fresh(&plane, "node-1").await.has;
    assert_eq!((has.config, has.hints), (1, 1));
    let mut again = Node::connect(&plane, "node-1", has).await;
    again.is_sent_nothing().await;
    plane.stop().await;
}

#[tokio::test]
async fn a_node_that_missed_a_change_resumes_with_the_difference() {
    let plane = Plane::configured().await;
    let has = Node::fresh(&plane, "node-1").await.has;
    rest(&plane, &["main", "spare"]).await;
    plane.handle.apply(snapshot_with_attempts(5), "file", "reload").await.unwrap();
    let mut again = Node::connect(&plane, "node-1", has).await;
    assert_eq!(again.take_hints().await, (2, vec!["main".into(), "spare".into()]));
    assert_eq!(again.take_config().await, (1, 2));
    assert_eq!(again.has.entries.to_snapshot().unwrap(), snapshot_with_attempts(5));
    plane.stop().await;
}

#[tokio::test]
async fn a_reload_sends_every_node_what_differs() {
    let plane = Plane::configured().await;
    let mut nodes = [Node::fresh(&plane, "node-1").await, Node::fresh(&plane, "node-2").await];
    assert_eq!(plane.handle.apply(snapshot_with_attempts(5), "file", "reload").await.unwrap(), ConfigId(2));
    for node in &mut nodes {
        let (from, to, changes, hash, _) = node.offered_config().await;
        assert_eq!((from, to, changes.len()), (1, 2, 1));
        assert_eq!(hash, EntrySet::from_snapshot(&snapshot_with_attempts(5)).hash());
    }
    assert_eq!(plane.metric("cliproxy_controlplane_config_version"), 2.0);
    plane.stop().await;
}

#[tokio::test]
async fn a_reload_that_changes_nothing_sends_nothing() {
    let plane = Plane::configured().await;
    let mut node = Node::fresh(&plane, "node-1").await;
    assert_eq!(plane.handle.apply(snapshot(), "file", "touched").await.unwrap(), ConfigId(1));
    node.is_sent_nothing().await;
    plane.stop().await;
}

#[tokio::test]
async fn a_node_of_another_history_or_content_gets_the_whole_set() {
    let plane = Plane::configured().await;
    plane.handle.apply(snapshot_with_attempts(5), "file", "reload").await.unwrap();
    let known = EntrySet::from_snapshot(&snapshot());
    let history = "history-1".to_owned();
    let elsewhere = Has { history: "history-0".into(), config: 1, entries: known.clone(), hints: 0 };
    let other_content = Has { config: 1, history: history.clone(), ..Has::default() };
    let unknown_number = Has { config: 77, history, entries: known, hints: 0 };
    for has in [elsewhere, other_content, unknown_number] {
        let mut node = Node::connect(&plane, "node-1", has).await;
        loop {
            if let Message::Chunk(chunk) = node.next().await
                && chunk.line() == v1::Line::Config
            {
                assert_eq!(chunk.version, 2);
                break;
            }
        }
    }
    plane.stop().await;
}

#[tokio::test]
async fn a_refused_configuration_is_not_sent_again_and_the_next_starts_from_what_runs() {
    let plane = Plane::configured().await;
    let mut node = Node::fresh(&plane, "node-1").await;
    plane.handle.apply(snapshot_with_attempts(5), "file", "reload").await.unwrap();
    node.refuse_config().await;
    plane.metric_reaches("cliproxy_controlplane_nacks_total", 1.0).await;
    let refusal = plane.state.nodes.get(&"node-1".into()).unwrap().refusal.unwrap();
    assert_eq!((refusal.config, refusal.still_on), (ConfigId(2), ConfigId(1)));
    assert_eq!(refusal.reason, "no such provider kind");

    let mut again = Node::connect(&plane, "node-1", node.has.clone()).await;
    again.is_sent_nothing().await;
    plane.handle.apply(snapshot_with_attempts(7), "file", "mended").await.unwrap();
    for node in [&mut node, &mut again] {
        assert_eq!(node.take_config().await, (1, 3));
        assert_eq!(node.has.entries.to_snapshot().unwrap(), snapshot_with_attempts(7));
    }
    plane.stop().await;
}

#[tokio::test]
async fn a_newer_program_is_offered_what_the_older_one_refused() {
    let plane = Plane::configured().await;
    let mut node = Node::fresh(&plane, "node-1").await;
    plane.handle.apply(snapshot_with_attempts(5), "file", "reload").await.unwrap();
    node.refuse_config().await;
    plane.metric_reaches("cliproxy_controlplane_nacks_total", 1.0).await;
    let channel = plane.as_node().await;
    let mut upgraded = Node::connect_over(channel, "node-1", node.has.clone(), "1.1").await;
    assert_eq!(upgraded.take_config().await, (1, 2));
    plane.stop().await;
}

#[tokio::test]
async fn only_one_configuration_is_in_flight_and_the_newest_follows() {
    let plane = Plane::configured().await;
    let mut node = Node::fresh(&plane, "node-1").await;
    for attempts in [5, 6, 7] {
        plane.handle.apply(snapshot_with_attempts(attempts), "file", "reload").await.unwrap();
    }
    // Whichever was offered first, what follows its acknowledgement is the newest.
    while node.take_config().await.1 < 4 {}
    assert_eq!(node.has.entries.to_snapshot().unwrap(), snapshot_with_attempts(7));
    node.is_sent_nothing().await;
    plane.stop().await;
}

#[tokio::test]
async fn a_node_that_does_not_read_is_cut_off_and_resumes_and_no_other_suffers() {
    let plane = Plane::start().await;
    let mut patient = snapshot();
    patient.policy.cooldown.error_threshold = u32::MAX;
    plane.handle.apply(patient, "file", "start").await.unwrap();
    let endpoint = Channel::from_shared(format!("http://{}", plane.at.nodes)).unwrap();
    // A small window lets little pass that is not read.
    let channel = within(endpoint.initial_stream_window_size(4_096).connect()).await.unwrap();
    let mut slow = Node::connect_over(channel, "slow", Has::default(), "1.0").await;
    let mut quick = Node::fresh(&plane, "quick").await;
    let mut events = open_events(plane.as_node().await).await;
    for i in 0..600 {
        let event = event_of_model(&format!("event-{i}"), &format!("model-{i}"), Duration::from_secs(60));
        events.say(event_to_wire(&event)).await;
        events.next().await;
        while quick.has.hints <= i {
            quick.take_hints().await;
        }
    }
    plane.metric_reaches("cliproxy_controlplane_slow_nodes_total", 1.0).await;
    let cut = within(async {
        loop {
            match slow.talk.result().await {
                Ok(Some(_)) => {}
                Ok(None) => panic!("the stream ended without a word"),
                Err(status) => break status,
            }
        }
    });
    assert_eq!(cut.await.code(), Code::ResourceExhausted);
    let mut again = Node::connect(&plane, "slow", Has::default()).await;
    let (version, resting) = again.take_hints().await;
    assert_eq!((version, resting.len()), (600, 600));
    assert_eq!(plane.metric("cliproxy_controlplane_slow_nodes_total"), 1.0);
    plane.stop().await;
}

#[tokio::test]
async fn a_node_that_falls_silent_is_cut_off() {
    let plane = Plane::configured().await;
    let mut node = Node::fresh(&plane, "node-1").await;
    plane.metric_reaches("cliproxy_controlplane_connected_nodes", 1.0).await;
    plane.clock.advance(Duration::from_secs(6));
    let status = loop {
        if let Err(status) = node.talk.result().await {
            break status;
        }
    };
    assert_eq!(status.code(), Code::ResourceExhausted);
    eventually(async || plane.metric("cliproxy_controlplane_connected_nodes") == 0.0).await;
    plane.stop().await;
}

#[tokio::test]
async fn a_node_that_does_not_acknowledge_hints_is_cut_off() {
    let plane = Plane::configured().await;
    let mut node = Node::fresh(&plane, "node-1").await;
    rest(&plane, &["main"]).await;
    let status = loop {
        plane.clock.advance(Duration::from_millis(500));
        let heartbeat = v1::sync_up::Message::Heartbeat(v1::Heartbeat::default());
        node.talk.say(v1::SyncUp { message: Some(heartbeat) }).await;
        if let Err(status) = node.talk.result().await {
            break status;
        }
    };
    assert!(status.message().contains("it left hints unacknowledged"), "{status:?}");
    plane.stop().await;
}

#[tokio::test]
async fn heartbeats_tell_the_newest_versions_and_whether_the_store_answers() {
    let plane = Plane::configured().await;
    rest(&plane, &["main"]).await;
    let mut node = Node::fresh(&plane, "node-1").await;
    let mut expect = async |db_ok: bool| loop {
        if let Some(Message::Heartbeat(beat)) = node.talk.next().await.message {
            assert_eq!((beat.config, beat.hints), (1, 1));
            if beat.db_ok == db_ok {
                break;
            }
        }
    };
    expect(true).await;
    plane.store.faults().set_unavailable(true);
    within(expect(false)).await;
    plane.store.faults().heal();
    within(expect(true)).await;
    plane.stop().await;
}

#[tokio::test]
async fn a_node_is_served_while_the_store_is_away() {
    let plane = Plane::configured().await;
    rest(&plane, &["main"]).await;
    plane.store.faults().set_unavailable(true);
    let mut node = Node::connect(&plane, "node-1", Has::default()).await;
    assert_eq!(node.take_hints().await, (1, vec!["main".into()]));
    assert_eq!(node.take_config().await, (0, 1));
    plane.store.faults().heal();
    plane.stop().await;
}

#[tokio::test]
async fn nodes_are_written_down() {
    let plane = Plane::configured().await;
    let node = Node::fresh(&plane, "node-1").await;
    eventually(async || {
        plane.state.nodes.get(&"node-1".into()).is_some_and(|node| node.config == ConfigId(1))
    })
    .await;
    drop(node);
    eventually(async || plane.state.nodes.get(&"node-1".into()).is_some_and(|node| node.streams == 0)).await;
    let stored = plane.store.nodes().await.unwrap();
    assert_eq!(stored.len(), 1);
    assert_eq!((stored[0].build.as_str(), stored[0].listen.as_str()), ("1.0", "127.0.0.1:8317"));
    assert_eq!(plane.state.nodes.get(&"node-1".into()).unwrap().hints, HintVersion(0));
    plane.stop().await;
}

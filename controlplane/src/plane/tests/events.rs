//! Urgent events: every node rests the credential at once, and the store keeps it.

use super::harness::*;
use cliproxy_domain::{Cooldown, CooldownKey, Hint, UrgentEvent, WallTime};
use cliproxy_engine::cooldown;
use cliproxy_proto::{
    convert::{hints, telemetry::event_to_wire},
    v1::{self, sync_down::Message},
};
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);

/// A node that only listens for hints.
async fn listener(plane: &Plane) -> Talk<v1::SyncUp, v1::SyncDown> {
    let mut talk = open_sync(plane.as_node().await).await;
    let hello = v1::Hello { node_id: "node-2".into(), history_id: "history-1".into(), ..Default::default() };
    talk.say(v1::SyncUp { message: Some(v1::sync_up::Message::Hello(hello)) }).await;
    // The welcome; the configuration that may follow is passed over below.
    talk.next().await;
    talk
}

/// Gives the next delta of hints: its versions and values.
async fn next_hints(talk: &mut Talk<v1::SyncUp, v1::SyncDown>) -> ((u64, u64), Vec<Cooldown>) {
    loop {
        if let Some(Message::Delta(delta)) = talk.next().await.message
            && delta.line() == v1::Line::Hint
        {
            let read = |change| match hints::from_wire(change, START).unwrap() {
                Some(Hint::Cooldown(rest)) => rest,
                other => panic!("{other:?} is no rest"),
            };
            return ((delta.from, delta.to), delta.changes.iter().map(read).collect());
        }
    }
}

async fn stored(plane: &Plane) -> Vec<Cooldown> {
    stored_rests(&plane.store).await.1
}

#[tokio::test]
async fn an_event_reaches_other_nodes_before_it_is_stored_and_again_with_its_number() {
    let plane = Plane::configured().await;
    let mut other = listener(&plane).await;
    let mut events = open_events(plane.as_node().await).await;
    plane.store.faults().set_unavailable(true);
    events.say(event_to_wire(&event("event-1", "main", MINUTE))).await;
    let (versions, early) = next_hints(&mut other).await;
    assert_eq!(versions, (0, 0));
    let expected = rest_of(&event("event-1", "main", MINUTE));
    assert_eq!(early, std::slice::from_ref(&expected));
    let acked = tokio::time::timeout(Duration::ZERO, events.down.message()).await;
    assert!(acked.is_err(), "an event was acknowledged before it was stored: {acked:?}");

    plane.store.faults().heal();
    assert_eq!(next_hints(&mut other).await, ((0, 1), vec![expected.clone()]));
    assert_eq!(events.next().await.event_id, "event-1");
    assert_eq!(stored(&plane).await, [expected]);
    assert_eq!(plane.store.event_ids(), ["event-1"]);
    plane.stop().await;
}

#[tokio::test]
async fn an_event_that_comes_twice_changes_nothing_the_second_time() {
    let plane = Plane::configured().await;
    let mut events = open_events(plane.as_node().await).await;
    let wire = event_to_wire(&event("event-1", "main", MINUTE));
    events.say(wire.clone()).await;
    events.next().await;
    let before = stored(&plane).await;
    plane.clock.advance(Duration::from_secs(30));
    events.say(wire).await;
    assert_eq!(events.next().await.event_id, "event-1");
    assert_eq!(stored(&plane).await, before);
    assert_eq!(stored_rests(&plane.store).await.0, 1);
    assert_eq!(plane.store.event_ids(), ["event-1"]);
    plane.stop().await;
}

#[tokio::test]
async fn a_later_hint_extends_a_rest_and_a_shorter_one_never_cuts_it() {
    let plane = Plane::configured().await;
    let mut events = open_events(plane.as_node().await).await;
    for (id, rest) in [("event-1", MINUTE), ("event-2", 2 * MINUTE), ("event-3", MINUTE / 2)] {
        events.say(event_to_wire(&event(id, "main", rest))).await;
        events.next().await;
    }
    let (version, rests) = stored_rests(&plane.store).await;
    assert_eq!((version, rests[0].until), (2, START.plus(2 * MINUTE)));
    assert_eq!(plane.store.event_ids().len(), 3);
    plane.stop().await;
}

#[tokio::test]
async fn an_event_older_than_an_operators_word_is_recorded_and_ignored() {
    let store = memory();
    let key = CooldownKey::credential("claude".into(), "main".into());
    let recovered = cooldown::recover(key, 4, START, "ops", "the limit was raised");
    store_hints(&store, vec![Hint::Cooldown(recovered.clone())]).await;
    let plane = Plane::start_on(store).await;
    plane.handle.apply(snapshot(), "file", "start").await.unwrap();
    let mut events = open_events(plane.as_node().await).await;
    let stale = UrgentEvent { seen_epoch: 4, ..event("event-1", "main", MINUTE) };
    events.say(event_to_wire(&stale)).await;
    events.next().await;
    assert_eq!(stored(&plane).await, [recovered]);
    assert_eq!(plane.store.event_ids(), ["event-1"]);
    plane.stop().await;
}

#[tokio::test]
async fn a_hint_is_believed_for_an_hour_at_most() {
    let plane = Plane::configured().await;
    let mut events = open_events(plane.as_node().await).await;
    events.say(event_to_wire(&event("event-1", "main", 60 * 24 * MINUTE))).await;
    events.say(event_to_wire(&event("event-2", "spare", Duration::ZERO))).await;
    events.next().await;
    events.next().await;
    let ends: Vec<WallTime> = stored(&plane).await.into_iter().map(|rest| rest.until).collect();
    assert_eq!(ends, [START.plus(60 * MINUTE), START.plus(Duration::from_millis(250))]);
    plane.stop().await;
}

#[tokio::test]
async fn an_event_whose_commit_was_not_answered_is_stored_once_and_numbered() {
    let plane = Plane::configured().await;
    let mut other = listener(&plane).await;
    let mut events = open_events(plane.as_node().await).await;
    plane.store.faults().lose_answers(1);
    events.say(event_to_wire(&event("event-1", "main", MINUTE))).await;
    events.next().await;
    let versions = loop {
        let (versions, _) = next_hints(&mut other).await;
        if versions.1 != 0 {
            break versions;
        }
    };
    assert_eq!((versions, plane.state.hints.version().0), ((0, 1), 1));
    assert_eq!(plane.store.event_ids(), ["event-1"]);
    plane.stop().await;
}

#[tokio::test]
async fn a_number_that_was_given_unheard_is_sent_with_the_next() {
    let plane = Plane::configured().await;
    let mut other = listener(&plane).await;
    // As a merge whose answer was lost leaves it.
    let unheard = rest_of(&event("event-0", "spare", MINUTE));
    store_hints(&plane.store, vec![Hint::Cooldown(unheard.clone())]).await;
    let mut events = open_events(plane.as_node().await).await;
    events.say(event_to_wire(&event("event-1", "main", MINUTE))).await;
    events.next().await;
    let (versions, rests) = loop {
        let (versions, rests) = next_hints(&mut other).await;
        if versions.1 != 0 {
            break (versions, rests);
        }
    };
    assert_eq!(versions, (0, 2));
    assert!(rests.contains(&unheard), "{rests:?}");
    assert_eq!(plane.state.hints.cooldowns().len(), 2);
    plane.stop().await;
}

#[tokio::test]
async fn an_event_of_an_unknown_kind_is_acknowledged_and_does_nothing() {
    let plane = Plane::configured().await;
    let mut events = open_events(plane.as_node().await).await;
    events.say(v1::UrgentEvent { kind: 99, ..event_to_wire(&event("event-1", "main", MINUTE)) }).await;
    assert_eq!(events.next().await.event_id, "event-1");
    assert!(plane.store.event_ids().is_empty());
    plane.stop().await;
}

#[tokio::test]
async fn what_rests_is_known_after_a_restart() {
    let before = Plane::configured().await;
    let store = before.store.clone();
    let mut events = open_events(before.as_node().await).await;
    events.say(event_to_wire(&event("event-1", "main", MINUTE))).await;
    events.next().await;
    before.stop().await;
    let after = Plane::start_on(store).await;
    let (version, hints) = after.state.hints.stored();
    assert_eq!((version.0, hints.len()), (1, 1));
    after.stop().await;
}

//! Start, configuration, end.

use super::harness::*;
use crate::{ApplyError, ControlPlane, Error, Settings};
use cliproxy_domain::ConfigId;
use cliproxy_host::SystemNet;
use cliproxy_observe::Metrics;
use cliproxy_proto::{
    convert::telemetry::{batch_to_wire, event_to_wire},
    v1,
};
use cliproxy_store::Store;
use std::{collections::BTreeSet, sync::Arc, time::Duration};
use tonic::Code;

async fn build(settings: Settings) -> Result<ControlPlane, Error> {
    let (clock, net) = (Arc::new(TestClock::default()), Arc::new(SystemNet));
    ControlPlane::build(settings, Arc::new(memory()), clock, net, &Metrics::new()).await
}

#[tokio::test]
async fn nodes_are_listened_for_on_loopback_only() {
    let refused = build(Settings { nodes_listen: "0.0.0.0:8319".parse().unwrap(), ..settings() }).await;
    let message = refused.err().unwrap().to_string();
    assert!(message.contains("0.0.0.0:8319") && message.contains("127.0.0.1:8319"), "{message}");
}

#[tokio::test]
async fn an_address_that_is_taken_is_named() {
    let first = build(settings()).await.unwrap();
    let taken = first.addresses().operators;
    let refused = build(Settings { listen: taken, ..settings() }).await.err().unwrap();
    assert!(refused.to_string().starts_with(&format!("control_plane.listen {taken} ")), "{refused}");
}

#[tokio::test]
async fn a_configuration_that_nodes_would_refuse_is_not_numbered() {
    let plane = Plane::configured().await;
    let mut broken = snapshot();
    broken.providers.remove("openai");
    let refused = plane.handle.apply(broken, "file", "reload").await;
    assert!(matches!(refused, Err(ApplyError::Invalid(_))), "{refused:?}");
    assert_eq!(plane.store.active_config().await.unwrap().unwrap().id, ConfigId(1));
    assert_eq!(plane.state.active().unwrap().snapshot, snapshot());
    plane.stop().await;
}

#[tokio::test]
async fn a_configuration_that_cannot_be_numbered_changes_nothing() {
    let plane = Plane::configured().await;
    plane.store.faults().crash_before_commit(1);
    // The watchdog's commits are struck as well: whichever comes first.
    eventually(async || {
        plane.store.faults().crash_before_commit(1);
        plane.handle.apply(snapshot_with_attempts(5), "file", "reload").await.is_err()
            || plane.state.active().unwrap().id != ConfigId(1)
    })
    .await;
    plane.store.faults().heal();
    let id = plane.handle.apply(snapshot_with_attempts(6), "file", "again").await.unwrap();
    assert_eq!(plane.state.active().unwrap().id, id);
    plane.stop().await;
}

#[tokio::test]
async fn a_number_that_was_given_without_saying_so_is_found_again() {
    let plane = Plane::configured().await;
    plane.store.faults().lose_answers(1);
    let id = plane.handle.apply(snapshot_with_attempts(5), "file", "reload").await.unwrap();
    assert_eq!((id, plane.state.active().unwrap().id), (ConfigId(2), ConfigId(2)));
    plane.stop().await;
}

#[tokio::test]
async fn the_end_sends_nodes_elsewhere_and_commits_what_was_handed_in() {
    let plane = Plane::configured().await;
    let store = plane.store.clone();
    let mut report = open_report(plane.as_node().await).await;
    let hello = v1::ReportHello { node_id: "node-1".into(), incarnation: 1, oldest_unacked: 1 };
    report.say(v1::ReportUp { message: Some(v1::report_up::Message::Hello(hello)) }).await;
    report.next().await;
    plane.store.faults().delay_commits(Duration::from_millis(200));
    let batch = batch_to_wire(&batch(1));
    report.say(v1::ReportUp { message: Some(v1::report_up::Message::Batch(batch)) }).await;
    report.say(v1::ReportUp::default()).await;
    // The empty message is refused, which tells that the batch before it was handed in.
    assert_eq!(report.result().await.unwrap_err().code(), Code::FailedPrecondition);
    let mut sync = open_sync(plane.as_node().await).await;
    let hello = v1::Hello { node_id: "node-1".into(), ..Default::default() };
    sync.say(v1::SyncUp { message: Some(v1::sync_up::Message::Hello(hello)) }).await;
    sync.next().await;
    plane.stop().await;
    let status = loop {
        if let Err(status) = sync.result().await {
            break status;
        }
    };
    assert_eq!(status.code(), Code::Unavailable);
    let usage = store.usage(START.minus(Duration::from_secs(120))..START).await.unwrap();
    assert_eq!(usage.iter().map(|row| row.attempts.ok).sum::<u64>(), 1);
}

#[tokio::test]
async fn a_store_that_is_away_does_not_hold_up_the_end() {
    let settings = Settings { drain: Duration::from_millis(200), ..settings() };
    let plane = Plane::start_with(settings, memory(), Arc::new(SystemNet)).await;
    let mut report = open_report(plane.as_node().await).await;
    let hello = v1::ReportHello { node_id: "node-1".into(), incarnation: 1, oldest_unacked: 1 };
    report.say(v1::ReportUp { message: Some(v1::report_up::Message::Hello(hello)) }).await;
    report.next().await;
    let errors = plane.metric("cliproxy_controlplane_store_errors_total");
    plane.store.faults().set_unavailable(true);
    let batch = batch_to_wire(&batch(1));
    report.say(v1::ReportUp { message: Some(v1::report_up::Message::Batch(batch)) }).await;
    plane.metric_reaches("cliproxy_controlplane_store_errors_total", errors + 1.0).await;
    plane.stop().await;
}

#[tokio::test]
async fn a_full_queue_and_a_store_that_is_away_do_not_hold_up_the_end() {
    let settings = Settings { drain: Duration::from_millis(200), ..settings() };
    let plane = Plane::start_with(settings, memory(), Arc::new(SystemNet)).await;
    plane.handle.apply(snapshot(), "file", "start").await.unwrap();
    let mut report = open_report(plane.as_node().await).await;
    let hello = v1::ReportHello { node_id: "node-1".into(), incarnation: 1, oldest_unacked: 1 };
    report.say(v1::ReportUp { message: Some(v1::report_up::Message::Hello(hello)) }).await;
    report.next().await;
    let mut events = open_events(plane.as_node().await).await;
    plane.store.faults().set_unavailable(true);
    // More than may wait, so that the stream itself waits.
    for seq in 1..=500 {
        let batch = batch_to_wire(&batch(seq));
        report.say(v1::ReportUp { message: Some(v1::report_up::Message::Batch(batch)) }).await;
        let event = event_of_model(&format!("event-{seq}"), &format!("model-{seq}"), Duration::from_secs(60));
        events.say(event_to_wire(&event)).await;
    }
    let errors = plane.metric("cliproxy_controlplane_store_errors_total");
    plane.metric_reaches("cliproxy_controlplane_store_errors_total", errors + 4.0).await;
    let store = plane.store.clone();
    plane.stop().await;
    store.faults().heal();
    assert!(store.usage(START.minus(Duration::from_secs(120))..START).await.unwrap().is_empty());
    assert_eq!(report.result().await.unwrap_err().code(), Code::Unavailable);
    assert_eq!(events.result().await.unwrap_err().code(), Code::Unavailable);
}

#[tokio::test]
async fn the_reference_lists_every_metric_from_the_first_configuration_on() {
    let plane = Plane::configured().await;
    let text = plane.metrics.encode();
    let shown: BTreeSet<(&str, &str)> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '))
        .filter(|(name, _)| name.starts_with("cliproxy_controlplane_"))
        .collect();
    let page = include_str!("../../../../docs/reference/metrics.md");
    let listed: BTreeSet<(&str, &str)> = page
        .lines()
        .filter_map(|line| {
            let mut cells = line.strip_prefix("| `")?.split('|');
            Some((cells.next()?.trim().trim_matches('`'), cells.next()?.trim()))
        })
        .filter(|(name, _)| name.starts_with("cliproxy_controlplane_"))
        .collect();
    assert_eq!(shown, listed);
    plane.stop().await;
}

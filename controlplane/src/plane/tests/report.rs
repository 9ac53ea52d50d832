//! The ledger: acknowledged when committed, counted once whatever happens.

use super::harness::*;
use cliproxy_proto::{convert::telemetry::batch_to_wire, v1};
use cliproxy_store::{RETAINED_NODES, Store};
use std::time::Duration;
use tonic::Code;

type Report = Talk<v1::ReportUp, v1::ReportDown>;

fn hello(oldest_unacked: u64) -> v1::ReportUp {
    let hello = v1::ReportHello { node_id: "node-1".into(), incarnation: 1, oldest_unacked };
    v1::ReportUp { message: Some(v1::report_up::Message::Hello(hello)) }
}

fn carry(seq: u64) -> v1::ReportUp {
    v1::ReportUp { message: Some(v1::report_up::Message::Batch(batch_to_wire(&batch(seq)))) }
}

/// Opens a stream, says hello, and gives what the control plane says is committed.
async fn report(plane: &Plane, oldest_unacked: u64) -> (Report, u64) {
    let mut report = open_report(plane.as_node().await).await;
    report.say(hello(oldest_unacked)).await;
    let first = report.next().await;
    assert_eq!(first.history_id, "history-1");
    (report, first.acked_seq)
}

/// Waits until everything up to `seq` is acknowledged.
async fn acked(report: &mut Report, seq: u64) {
    while report.next().await.acked_seq < seq {}
}

async fn requests_last_minute(plane: &Plane) -> u64 {
    let status = plane.get("/v0/operations/providers/status").await.json;
    status["providers"]["claude"]["requests_last_minute"].as_u64().unwrap_or(0)
}

#[tokio::test]
async fn what_is_acknowledged_is_in_the_store_and_in_the_status() {
    let plane = Plane::configured().await;
    let (mut report, committed) = report(&plane, 1).await;
    assert_eq!(committed, 0);
    for seq in 1..=3 {
        report.say(carry(seq)).await;
    }
    acked(&mut report, 3).await;
    assert_eq!(plane.committed_ok().await, 3);
    assert_eq!(requests_last_minute(&plane).await, 3);
    assert_eq!(plane.metric("cliproxy_controlplane_ingest_batches_total"), 3.0);
    assert_eq!(plane.metric("cliproxy_controlplane_ingest_rows_total"), 3.0);
    plane.stop().await;
}

#[tokio::test]
async fn nothing_is_acknowledged_while_the_store_is_away() {
    let plane = Plane::configured().await;
    let (mut report, _) = report(&plane, 1).await;
    let errors = plane.metric("cliproxy_controlplane_store_errors_total");
    plane.store.faults().set_unavailable(true);
    report.say(carry(1)).await;
    plane.metric_reaches("cliproxy_controlplane_store_errors_total", errors + 3.0).await;
    let early = tokio::time::timeout(Duration::ZERO, report.down.message()).await;
    assert!(early.is_err(), "an answer came before the commit: {early:?}");
    plane.store.faults().heal();
    assert_eq!(report.next().await.acked_seq, 1);
    assert_eq!(plane.committed_ok().await, 1);
    plane.stop().await;
}

#[tokio::test]
async fn a_commit_whose_answer_is_lost_counts_once() {
    let plane = Plane::configured().await;
    let (mut report, _) = report(&plane, 1).await;
    plane.store.faults().lose_answers(1);
    report.say(carry(1)).await;
    acked(&mut report, 1).await;
    assert_eq!(plane.committed_ok().await, 1);
    assert_eq!(requests_last_minute(&plane).await, 1);
    plane.stop().await;
}

#[tokio::test]
async fn a_node_that_breaks_off_and_sends_again_is_counted_once() {
    let plane = Plane::configured().await;
    let (first, _) = report(&plane, 1).await;
    first.say(carry(1)).await;
    first.say(carry(2)).await;
    eventually(async || plane.committed_ok().await == 2).await;
    // It never read the acknowledgements.
    drop(first);
    let (mut second, committed) = report(&plane, 1).await;
    assert_eq!(committed, 2);
    for seq in 1..=3 {
        second.say(carry(seq)).await;
    }
    acked(&mut second, 3).await;
    assert_eq!(plane.committed_ok().await, 3);
    assert_eq!(requests_last_minute(&plane).await, 3);
    plane.stop().await;
}

#[tokio::test]
async fn two_streams_of_one_node_at_once_count_once() {
    let plane = Plane::configured().await;
    let (mut zombie, _) = report(&plane, 1).await;
    let (mut live, _) = report(&plane, 1).await;
    for seq in 1..=5 {
        zombie.say(carry(seq)).await;
        live.say(carry(seq)).await;
    }
    acked(&mut live, 5).await;
    acked(&mut zombie, 5).await;
    assert_eq!(plane.committed_ok().await, 5);
    assert_eq!(requests_last_minute(&plane).await, 5);
    plane.stop().await;
}

#[tokio::test]
async fn a_gap_is_asked_for() {
    let plane = Plane::configured().await;
    let (mut report, _) = report(&plane, 1).await;
    report.say(carry(1)).await;
    acked(&mut report, 1).await;
    report.say(carry(3)).await;
    let answer = report.next().await;
    assert_eq!((answer.acked_seq, answer.need_from), (1, 2));
    report.say(carry(2)).await;
    report.say(carry(3)).await;
    acked(&mut report, 3).await;
    assert_eq!(plane.committed_ok().await, 3);
    plane.stop().await;
}

#[tokio::test]
async fn after_a_restart_the_last_minute_is_known_and_repeats_are_not_counted() {
    let before = Plane::configured().await;
    let store = before.store.clone();
    let (mut first, _) = report(&before, 1).await;
    first.say(carry(1)).await;
    first.say(carry(2)).await;
    acked(&mut first, 2).await;
    before.stop().await;

    let after = Plane::start_on(store).await;
    after.handle.apply(snapshot(), "file", "start").await.unwrap();
    assert_eq!(requests_last_minute(&after).await, 2);
    let (mut second, committed) = report(&after, 2).await;
    assert_eq!(committed, 2);
    second.say(carry(2)).await;
    second.say(carry(3)).await;
    acked(&mut second, 3).await;
    assert_eq!(requests_last_minute(&after).await, 3);
    assert_eq!(after.committed_ok().await, 3);
    after.stop().await;
}

#[tokio::test]
async fn a_store_that_never_heard_of_a_node_starts_where_the_node_can() {
    let plane = Plane::configured().await;
    let (mut report, committed) = report(&plane, 41).await;
    assert_eq!(committed, 40);
    report.say(carry(41)).await;
    acked(&mut report, 41).await;
    assert_eq!(plane.committed_ok().await, 1);
    plane.stop().await;
}

#[tokio::test]
async fn a_stream_without_hello_is_refused() {
    let plane = Plane::configured().await;
    let mut report = open_report(plane.as_node().await).await;
    report.say(carry(1)).await;
    assert_eq!(report.result().await.unwrap_err().code(), Code::FailedPrecondition);
    plane.stop().await;
}

#[tokio::test]
async fn a_batch_that_means_nothing_is_refused_by_field() {
    let plane = Plane::configured().await;
    let (mut report, _) = report(&plane, 1).await;
    report.say(carry(0)).await;
    let status = report.result().await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert_eq!(status.message(), "Batch.seq is 0; it must be at least 1");
    plane.stop().await;
}

#[tokio::test]
async fn batches_far_from_the_clock_are_counted_and_told() {
    let plane = Plane::configured().await;
    let (mut report, _) = report(&plane, 1).await;
    let told = |name: &str| plane.metric(&format!("cliproxy_controlplane_ingest_{name}_batches_total"));
    report.say(carry(1)).await;
    acked(&mut report, 1).await;
    assert_eq!((told("skewed"), told("late")), (0.0, 0.0));
    plane.clock.advance_wall(Duration::from_secs(6 * 60));
    for seq in 2..=3 {
        report.say(carry(seq)).await;
    }
    acked(&mut report, 3).await;
    assert_eq!((told("skewed"), told("late")), (2.0, 0.0));
    assert_eq!(plane.committed_ok().await, 3);
    plane.stop().await;
}

#[tokio::test]
async fn what_may_have_been_counted_before_is_acknowledged_and_told() {
    let plane = Plane::configured().await;
    let (mut first, _) = report(&plane, 1).await;
    first.say(carry(1)).await;
    acked(&mut first, 1).await;
    drop(first);
    plane.store.tidy(START.plus(RETAINED_NODES + Duration::from_secs(60)), None).await.unwrap();
    let (mut again, committed) = report(&plane, 1).await;
    assert_eq!(committed, 0, "its cursor is forgotten");
    again.say(carry(1)).await;
    acked(&mut again, 1).await;
    assert_eq!(plane.metric("cliproxy_controlplane_ingest_late_batches_total"), 1.0);
    let late = plane.get("/v0/operations/usage").await.json["late"]["attempts"]["ok"].clone();
    assert_eq!((plane.committed_ok().await, late), (1, 1.into()));
    plane.stop().await;
}

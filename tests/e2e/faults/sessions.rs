//! A control plane that is gone, one way or another: its nodes go on with another one.

use super::fixture::{BUSY, RATE, books_are_exact, busiest, layout, moved_from, none_failed};
use cliproxy_testkit::{Cluster, Flow, LONG_PATIENCE};
use std::time::Duration;

/// Stories of one control plane that goes away and comes back, under load.
async fn goes_and_comes(
    name: &str,
    go: impl FnOnce(&mut Cluster, usize),
    come: impl AsyncFnOnce(&mut Cluster, usize),
) {
    let mut cluster = Cluster::start(layout()).await;
    let traffic = cluster.traffic(RATE);
    traffic.next(60).await;
    let away = busiest(&cluster).await;
    go(&mut cluster, away);
    let took = moved_from(&cluster, away).await;
    println!("{name}: all nodes connected to the other after {} ms", took.as_millis());
    assert!(took < BUSY, "{took:?}");
    traffic.next(60).await;
    come(&mut cluster, away).await;
    cluster.connected(LONG_PATIENCE).await;
    traffic.next(60).await;
    let record = traffic.stop().await;
    println!("{name}: {record}");
    none_failed(&record);
    books_are_exact(cluster).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_of_a_killed_control_plane_go_to_another_and_no_request_notices() {
    let kill = |cluster: &mut Cluster, away: usize| cluster.controls[away].process.kill9();
    let restart = async |cluster: &mut Cluster, away: usize| cluster.controls[away].restart().await;
    goes_and_comes("killed", kill, restart).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_of_a_control_plane_that_fell_silent_go_to_another_and_no_request_notices() {
    let silence = |cluster: &mut Cluster, away: usize| cluster.controls[away].gate.let_pass(Flow::Neither);
    let speak = async |cluster: &mut Cluster, away: usize| cluster.controls[away].gate.let_pass(Flow::Both);
    goes_and_comes("silent", silence, speak).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_of_a_control_plane_that_hears_and_is_not_heard_go_to_another() {
    let silence = |cluster: &mut Cluster, away: usize| cluster.controls[away].gate.let_pass(Flow::OnlyThere);
    let speak = async |cluster: &mut Cluster, away: usize| cluster.controls[away].gate.let_pass(Flow::Both);
    goes_and_comes("not heard", silence, speak).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_of_a_stopped_control_plane_go_to_another_and_no_request_notices() {
    let stop = |cluster: &mut Cluster, away: usize| cluster.controls[away].process.signal("STOP");
    let go_on = async |cluster: &mut Cluster, away: usize| cluster.controls[away].process.signal("CONT");
    goes_and_comes("stopped", stop, go_on).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_see_different_control_planes_keep_one_set_of_books_and_one_word_on_rests() {
    let cluster = Cluster::start(layout()).await;
    let (a, b) = (cluster.nodes[0].process.id(), cluster.nodes[1].process.id());
    cluster.controls[0].gate.close_to(b);
    cluster.controls[1].gate.close_to(a);
    for control in &cluster.controls {
        let one = || async { (control.sessions().await == 1).then_some(()) };
        cliproxy_testkit::poll_until("one node at each control plane", LONG_PATIENCE, one).await;
    }
    let traffic = cluster.traffic(RATE);
    traffic.goes_on(Duration::from_secs(2)).await;
    let found = super::cooldowns::refused_once(&cluster, "first").await;
    println!("split: {found}");
    assert!(found.delay < BUSY, "{found}");
    let record = traffic.stop().await;
    none_failed(&record);
    books_are_exact(cluster).await;
}

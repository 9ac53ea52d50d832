//! Hosts with links of their own that are cut, both ways or one way: each story runs in a network that it makes.

use super::fixture::{BUSY, RATE, books_are_exact, busiest, layout, moved_from, none_failed};
use cliproxy_testkit::{Cluster, LONG_PATIENCE, Network, network::inside};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn a_control_plane_whose_link_is_cut_is_left_by_its_nodes() {
    if !inside("faults::partitions::a_control_plane_whose_link_is_cut_is_left_by_its_nodes") {
        return;
    }
    let cluster = Cluster::start(layout().on(Network::default())).await;
    let network = cluster.network.as_ref().expect("it has one");
    let traffic = cluster.traffic(RATE);
    traffic.next(60).await;
    let away = busiest(&cluster).await;
    let place = cluster.controls[away].place.expect("a host");
    network.link(place, false);
    let took = moved_from(&cluster, away).await;
    println!("link cut: all nodes connected to the other after {} ms", took.as_millis());
    assert!(took < BUSY, "{took:?}");
    network.link(place, true);
    traffic.next(60).await;
    let record = traffic.stop().await;
    println!("link cut: {record}");
    none_failed(&record);
    books_are_exact(cluster).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_lost_one_way_or_slowed_down_delays_the_books_alone() {
    if !inside("faults::partitions::what_is_lost_one_way_or_slowed_down_delays_the_books_alone") {
        return;
    }
    let cluster = Cluster::start(layout().on(Network::default())).await;
    let network = cluster.network.as_ref().expect("it has one");
    let traffic = cluster.traffic(RATE);
    traffic.next(60).await;
    let away = busiest(&cluster).await;
    let control = cluster.controls[away].place.expect("a host");
    for node in &cluster.nodes {
        network.drop_packets(control, node.place.expect("a host"));
    }
    let took = moved_from(&cluster, away).await;
    println!("lost one way: all nodes connected to the other after {} ms", took.as_millis());
    assert!(took < BUSY, "{took:?}");
    for node in &cluster.nodes {
        network.pass_packets(control, node.place.expect("a host"));
    }
    for control in &cluster.controls {
        network.slow(control.place.expect("a host"), "1mbit", Duration::from_millis(400));
        network.lose(control.place.expect("a host"), 0.05);
    }
    traffic.goes_on(Duration::from_secs(3)).await;
    cluster.connected(LONG_PATIENCE).await;
    let record = traffic.stop().await;
    println!("lossy: {record}");
    none_failed(&record);
    books_are_exact(cluster).await;
}

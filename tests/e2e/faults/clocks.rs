//! Hosts whose clocks are wrong.

use super::fixture::{RATE, books_are_exact, layout, none_failed};
use cliproxy_testkit::Cluster;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn clocks_that_are_ten_minutes_off_do_not_spoil_the_books() {
    // The control planes differ by twenty minutes, and the nodes from both.
    let cluster = Cluster::start(layout().skewed(&["-10m", "+10m"], &["+10m", "-3m"])).await;
    let traffic = cluster.traffic(RATE);
    for control in [0, 1] {
        // All nodes by turns at either of them.
        cluster.controls[control].gate.break_all();
        traffic.goes_on(Duration::from_secs(2)).await;
    }
    let record = traffic.stop().await;
    println!("skewed: {record}");
    none_failed(&record);
    books_are_exact(cluster).await;
}

//! Nodes that start while there is no control plane.

use super::{
    Options, ms,
    table::{Row, Times},
};
use cliproxy_testkit::{Cluster, now};
use std::time::Duration;

const FAULT: &str = "node started without a control plane";
const PATIENCE: Duration = Duration::from_secs(60);

/// Kills all control planes, then one node after the other.
pub(super) async fn run(cluster: &mut Cluster, options: &Options) -> Vec<Row> {
    for control in &mut cluster.controls {
        control.process.kill9();
    }
    let mut times = Times::default();
    for round in 0..options.rounds_of_sessions() as usize {
        let which = round % cluster.nodes.len();
        let node = &mut cluster.nodes[which];
        node.process.kill9();
        node.restart().await;
        times.add(now() - node.process.started());
    }
    for control in &mut cluster.controls {
        control.restart().await;
    }
    cluster.connected(PATIENCE).await;
    vec![
        Row::told(FAULT, "times", times.count() as f64),
        Row::told(FAULT, "from exec until ready, median, ms", ms(times.median())),
        Row::new(FAULT, "from exec until ready, most, ms", ms(times.most()), 500.0),
    ]
}

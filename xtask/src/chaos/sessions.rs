//! Control planes that die, hang or are cut off, and how soon their nodes are at another one.

use super::{
    Options, ms,
    table::{Row, Times},
};
use cliproxy_testkit::{Cluster, Flow, now, poll_until};
use std::time::Duration;

/// Whatever takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(60);
/// For how long what is gone stays so after its nodes left it. A node takes one that is back within a second for a
/// connection that stumbled, and becomes patient after three of those.
const AWAY: Duration = Duration::from_secs(3);

/// What is done to a control plane.
#[derive(Clone, Copy)]
enum Fault {
    Killed,
    Stopped,
    Silent,
    CutOff,
}

impl Fault {
    /// With the promise: until all of its nodes are connected elsewhere, in milliseconds.
    const ALL: [(Fault, &'static str, f64); 4] = [
        (Fault::Killed, "control plane killed", 250.0),
        (Fault::Silent, "control plane partitioned", 1_000.0),
        (Fault::Stopped, "control plane stopped", 1_000.0),
        (Fault::CutOff, "cut off from Postgres", 10_000.0),
    ];

    fn begin(self, cluster: &mut Cluster, which: usize) {
        let control = &mut cluster.controls[which];
        match self {
            Fault::Killed => control.process.kill9(),
            Fault::Stopped => control.process.signal("STOP"),
            Fault::Silent => control.gate.let_pass(Flow::Neither),
            Fault::CutOff => control.database.let_pass(Flow::Neither),
        }
    }

    async fn end(self, cluster: &mut Cluster, which: usize) {
        let control = &mut cluster.controls[which];
        match self {
            Fault::Killed => control.restart().await,
            Fault::Stopped => control.process.signal("CONT"),
            Fault::Silent => control.gate.let_pass(Flow::Both),
            Fault::CutOff => control.database.let_pass(Flow::Both),
        }
        cluster.connected(PATIENCE).await;
    }
}

/// Has each fault befall the control plane that most nodes are connected to.
pub(super) async fn run(cluster: &mut Cluster, options: &Options) -> Vec<Row> {
    let mut rows = Vec::new();
    for (fault, name, most) in Fault::ALL {
        let traffic = cluster.traffic(options.rate);
        let mut times = Times::default();
        for _ in 0..options.rounds_of_sessions() {
            traffic.goes_on(options.calm()).await;
            let which = busiest(cluster).await;
            fault.begin(cluster, which);
            times.add(moved(cluster, which).await);
            traffic.goes_on(AWAY).await;
            fault.end(cluster, which).await;
        }
        let record = traffic.stop().await;
        super::tell_failures(name, &record.failures());
        rows.push(Row::told(name, "times", times.count() as f64));
        rows.push(Row::new(name, "failed requests", record.failures().len() as f64, 0.0));
        rows.push(Row::told(name, "nodes connected elsewhere, median, ms", ms(times.median())));
        rows.push(Row::new(name, "nodes connected elsewhere, most, ms", ms(times.most()), most));
    }
    let difference = cluster.difference(PATIENCE).await;
    let wrong = difference.lost.answers + difference.twice.answers;
    rows.push(Row::new("all of these", "answers lost or counted twice", wrong as f64, 0.0));
    rows
}

async fn busiest(cluster: &Cluster) -> usize {
    let mut most = (0, 0);
    for (number, control) in cluster.controls.iter().enumerate() {
        let sessions = control.sessions().await;
        if sessions > most.0 {
            most = (sessions, number);
        }
    }
    most.1
}

/// Measures until all nodes are connected elsewhere.
async fn moved(cluster: &Cluster, away: usize) -> Duration {
    let began = now();
    let elsewhere = || async {
        let mut sessions = 0;
        for (_, control) in cluster.controls.iter().enumerate().filter(|(number, _)| *number != away) {
            sessions += control.sessions().await;
        }
        (sessions == cluster.nodes.len()).then_some(())
    };
    poll_until("nodes that are connected elsewhere", PATIENCE, elsewhere).await;
    now() - began
}

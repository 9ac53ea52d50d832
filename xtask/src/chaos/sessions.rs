//! Control planes that hang, are cut off, are replaced, or lead no more.

use super::{Options, ms, table::Row};
use cliproxy_testkit::{Cluster, Flow, Record, now, poll_until};
use std::time::Duration;

/// Whatever takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two faults: nodes that lose a control plane three times within a minute become patient, and those that lose
/// one again soon after wait before they come back.
const CALM: Duration = Duration::from_secs(25);

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
pub(super) async fn run(mut cluster: Cluster, options: &Options) -> Vec<Row> {
    let mut rows = Vec::new();
    for (fault, name, most) in Fault::ALL {
        let traffic = cluster.traffic(options.rate);
        let mut times = Vec::new();
        for _ in 0..options.hangs {
            traffic.goes_on(CALM).await;
            let which = busiest(&cluster).await;
            fault.begin(&mut cluster, which);
            times.push(moved(&cluster, which).await);
            fault.end(&mut cluster, which).await;
        }
        rows.extend(tell(name, &traffic.stop().await, &mut times, most));
    }
    let difference = cluster.difference(PATIENCE).await;
    let wrong = difference.lost.answers + difference.twice.answers;
    rows.push(Row::new("all of these", "answers lost or counted twice", wrong as f64, 0.0));
    rows.extend(leaders(&mut cluster, options).await);
    rows
}

fn tell(name: &str, record: &Record, times: &mut [Duration], most: f64) -> Vec<Row> {
    super::tell_failures(name, &record.failures());
    times.sort_unstable();
    let at = |share: usize| times.get((times.len() * share / 100).min(times.len() - 1)).copied();
    vec![
        Row::new(name, "failed requests", record.failures().len() as f64, 0.0),
        Row::told(name, "nodes connected elsewhere, median, ms", ms(at(50).unwrap_or_default())),
        Row::new(name, "nodes connected elsewhere, most, ms", ms(at(100).unwrap_or_default()), most),
    ]
}

/// Ends the leader in order, and kills it, by turns.
async fn leaders(cluster: &mut Cluster, options: &Options) -> Vec<Row> {
    let (mut resigned, mut killed) = (Duration::ZERO, Duration::ZERO);
    let epoch = cluster.epoch();
    for _ in 0..options.hangs {
        for (in_order, longest) in [(true, &mut resigned), (false, &mut killed)] {
            let leader = cluster.leader(&[], PATIENCE).await;
            let process = &mut cluster.controls[leader].process;
            if in_order {
                process.terminate()
            } else {
                process.kill9()
            }
            let began = now();
            cluster.leader(&[leader], PATIENCE).await;
            *longest = (*longest).max(now() - began);
            cluster.controls[leader].process.wait_exit(PATIENCE).await;
            cluster.controls[leader].restart().await;
        }
    }
    let changes = f64::from(2 * options.hangs);
    let told = (cluster.epoch() - epoch) as f64;
    vec![
        Row::new("leader ended in order", "until another leads, most, ms", ms(resigned), 200.0),
        Row::new("leader killed", "until another leads, most, ms", ms(killed), 6_500.0),
        Row::new("leaders", "changes of the leader beyond those made", told - changes, 0.0),
    ]
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

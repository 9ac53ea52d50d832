//! Leaders that end in order, and that are killed.

use super::{
    Options, ms,
    table::{Row, Times},
};
use cliproxy_testkit::{Cluster, now, poll_until};
use std::time::Duration;

/// Whatever takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// Ends the leader in order, and kills it, by turns.
pub(super) async fn run(cluster: &mut Cluster, options: &Options) -> Vec<Row> {
    let (mut resigned, mut killed) = (Times::default(), Times::default());
    let mut leader = next(cluster, None).await;
    let epoch = cluster.epoch();
    for _ in 0..options.rounds_of_sessions() {
        for (in_order, times) in [(true, &mut resigned), (false, &mut killed)] {
            tokio::time::sleep(options.calm()).await;
            let process = &mut cluster.controls[leader].process;
            if in_order {
                process.terminate()
            } else {
                process.kill9()
            }
            let began = now();
            let other = next(cluster, Some(leader)).await;
            times.add(now() - began);
            cluster.controls[leader].process.wait_exit(PATIENCE).await;
            cluster.controls[leader].restart().await;
            leader = other;
        }
    }
    let changes = f64::from(2 * options.rounds_of_sessions());
    let told = (cluster.epoch() - epoch) as f64;
    let mut rows = Vec::new();
    for (name, times, most) in
        [("leader ended in order", &resigned, 200.0), ("leader killed", &killed, 5_000.0)]
    {
        rows.push(Row::told(name, "times", times.count() as f64));
        rows.push(Row::told(name, "until another leads, median, ms", ms(times.median())));
        rows.push(Row::new(name, "until another leads, most, ms", ms(times.most()), most));
    }
    rows.push(Row::new("leaders", "changes of the leader beyond those made", told - changes, 0.0));
    rows
}

/// Waits until a control plane other than `except` says that it leads.
async fn next(cluster: &Cluster, except: Option<usize>) -> usize {
    let leads = || async {
        for (number, control) in
            cluster.controls.iter().enumerate().filter(|(number, _)| Some(*number) != except)
        {
            let samples = control.metrics().await.unwrap_or_default();
            if samples.sum("cliproxy_controlplane_leading", &[]) > 0.0 {
                return Some(number);
            }
        }
        None
    };
    poll_until("leading control plane", PATIENCE, leads).await
}

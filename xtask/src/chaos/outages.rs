//! The database away for long, and lost to a standby that lagged behind.

use super::{Options, ms, table::Row};
use cliproxy_testkit::{Cluster, now, poll_every};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);
/// From one look into the database to the next.
const LOOK: Duration = Duration::from_millis(100);
/// How far the standby lags behind.
const LAG: Duration = Duration::from_secs(20);

/// Stops the database under load, at once, and starts it again later.
pub(super) async fn away(cluster: Cluster, options: &Options) -> Vec<Row> {
    const FAULT: &str = "Postgres away";
    let traffic = cluster.traffic(options.rate);
    traffic.goes_on(Duration::from_secs(3)).await;
    cluster.postgres.stop_immediate();
    traffic.next(1).await;
    let (mut waiting, mut acknowledged) = (vec![0; cluster.nodes.len()], 0);
    let until = now() + Duration::from_secs(options.outage);
    while now() < until {
        for (node, before) in cluster.nodes.iter().zip(&mut waiting) {
            let unacked = node.unacked().await;
            acknowledged += u64::from(unacked < *before);
            *before = unacked;
        }
        traffic.goes_on(Duration::from_millis(100)).await;
    }
    cluster.postgres.start();
    let committed = commits_again(&cluster).await;
    traffic.goes_on(Duration::from_secs(3)).await;
    let record = traffic.stop().await;
    super::tell_failures(FAULT, &record.failures());
    let difference = cluster.difference(PATIENCE).await;
    vec![
        Row::told(FAULT, "for so long, s", options.outage as f64),
        Row::told(FAULT, "requests", record.all().len() as f64),
        Row::new(FAULT, "failed requests", record.failures().len() as f64, 0.0),
        Row::told(FAULT, "answers, p99, ms", ms(record.percentile(99))),
        Row::new(FAULT, "acknowledgements meanwhile", acknowledged as f64, 0.0),
        Row::new(FAULT, "usage committed again after, ms", ms(committed), 2_000.0),
        Row::new(FAULT, "answers lost", difference.lost.answers as f64, 0.0),
        Row::new(FAULT, "answers counted twice", difference.twice.answers as f64, 0.0),
    ]
}

/// Has a standby take over that lacks the last commits.
pub(super) async fn standby(cluster: Cluster, options: &Options) -> Vec<Row> {
    const FAULT: &str = "standby took over";
    let traffic = cluster.traffic(options.rate);
    traffic.goes_on(Duration::from_secs(3)).await;
    cluster.make_standby();
    traffic.goes_on(LAG).await;
    let before = answers(&cluster);
    cluster.promote_standby().await;
    let lost = before.saturating_sub(answers(&cluster));
    let committed = commits_again(&cluster).await;
    traffic.goes_on(Duration::from_secs(3)).await;
    let record = traffic.stop().await;
    super::tell_failures(FAULT, &record.failures());
    let difference = cluster.difference(PATIENCE).await;
    vec![
        Row::told(FAULT, "lagged behind, s", LAG.as_secs_f64()),
        Row::told(FAULT, "acknowledged answers that it lacked", lost as f64),
        Row::new(FAULT, "failed requests", record.failures().len() as f64, 0.0),
        Row::told(FAULT, "usage committed again after, ms", ms(committed)),
        Row::new(FAULT, "answers lost in the end", difference.lost.answers as f64, 0.0),
        Row::new(FAULT, "answers counted twice", difference.twice.answers as f64, 0.0),
    ]
}

fn answers(cluster: &Cluster) -> u64 {
    cluster.counted().values().map(|used| used.answers).sum()
}

async fn commits_again(cluster: &Cluster) -> Duration {
    let (began, first) = (now(), answers(cluster));
    let more = || async { (answers(cluster) > first).then_some(()) };
    poll_every(LOOK, "usage in the database", PATIENCE, more).await;
    now() - began
}

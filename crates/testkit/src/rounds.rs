//! Killing one process after the other of a cluster under load (SIGKILL), at moments that are drawn, and what it cost.

use crate::{
    Cluster, Record, books::Difference, dice::Dice, now, poll::LONG_PATIENCE, poll_until, traffic::Asked,
};
use std::{fmt, ops::Range, time::Duration};

/// How long a round's load goes on before the kill, and how long the victim stays away, at most.
const DRAWN: Duration = Duration::from_millis(1_200);
/// How much of its past a killed node takes with it at most: the second that is being counted, the one on its way up, and
/// room for a busy machine.
pub const UNREPORTED: Duration = Duration::from_millis(3_000);

/// Whom to kill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Victim {
    /// One of the nodes.
    Node,
    /// One of the control planes.
    Control,
    /// The database, with all its processes.
    Postgres,
}

/// What rounds of kills cost.
#[derive(Clone, Debug)]
pub struct Cost {
    /// Who was killed.
    pub victim: Victim,
    /// How often.
    pub rounds: usize,
    /// Requests that were made.
    pub requests: usize,
    /// Failed requests that the victims held.
    pub held: usize,
    /// All other failed requests: which should be none.
    pub beside: Vec<Asked>,
    /// The longest time without an answer of the whole cluster.
    pub longest_gap: Duration,
    /// From the start of the victim's successor until every node is connected, and every control plane ready.
    pub back: Vec<Duration>,
    /// How the database differs from the truth.
    pub difference: Difference,
    /// How many answers killed nodes may have taken with them.
    pub may_be_lost: u64,
}

impl Cost {
    /// Gives what is wrong with it; empty when every promise was kept.
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if !self.beside.is_empty() {
            let some: Vec<_> = self.beside.iter().take(5).collect();
            faults.push(format!("{} requests failed that no victim held: {some:?}", self.beside.len()));
        }
        if self.difference.twice != crate::books::Used::default() {
            faults.push(format!("counted twice: {:?}", self.difference.twice));
        }
        if self.difference.lost.answers > self.may_be_lost {
            let lost = self.difference.lost.answers;
            faults.push(format!("{lost} answers lost, at most {} may be", self.may_be_lost));
        }
        if self.may_be_lost == 0 && !self.difference.is_none() {
            faults.push(format!("the books differ although no node was killed: {}", self.difference));
        }
        faults
    }
}

/// Runs rounds; the seed says when and whom.
///
/// # Panics
/// When the cluster does not come back.
pub async fn run(cluster: &mut Cluster, victim: Victim, rounds: usize, rate: u32, seed: u64) -> Cost {
    let mut dice = Dice::new(seed);
    let mut cost = Cost {
        victim,
        rounds,
        requests: 0,
        held: 0,
        beside: Vec::new(),
        longest_gap: Duration::ZERO,
        back: Vec::new(),
        difference: Difference::default(),
        may_be_lost: 0,
    };
    for _ in 0..rounds {
        round(cluster, &mut dice, rate, &mut cost).await;
    }
    cost
}

async fn round(cluster: &mut Cluster, dice: &mut Dice, rate: u32, cost: &mut Cost) {
    let traffic = cluster.balanced_traffic(rate);
    traffic.goes_on(dice.time(DRAWN)).await;
    // So that there is something to lose.
    traffic.next(1).await;
    let which = match cost.victim {
        Victim::Node => dice.below(cluster.nodes.len()),
        Victim::Control => dice.below(cluster.controls.len()),
        Victim::Postgres => 0,
    };
    let (before, before_us) = (traffic.elapsed(), cluster.mock.now_us());
    match cost.victim {
        Victim::Node => cluster.nodes[which].process.kill9(),
        Victim::Control => cluster.controls[which].process.kill9(),
        Victim::Postgres => cluster.postgres.kill(),
    }
    let (killed, killed_us) = (before..traffic.elapsed(), before_us..cluster.mock.now_us());
    traffic.goes_on(dice.time(DRAWN)).await;
    let started = now();
    match cost.victim {
        Victim::Node => cluster.nodes[which].restart().await,
        Victim::Control => cluster.controls[which].restart().await,
        Victim::Postgres => cluster.postgres.start(),
    }
    back(cluster).await;
    cost.back.push(now() - started);
    let record = traffic.stop().await;
    let name = match cost.victim {
        Victim::Node => {
            let name = cluster.nodes[which].name.clone();
            cost.may_be_lost += answered_by(cluster, &name, &killed_us);
            name
        }
        Victim::Control | Victim::Postgres => String::new(),
    };
    add(cost, &record, &name, &killed);
    cost.difference = cluster.difference(LONG_PATIENCE).await;
}

fn add(cost: &mut Cost, record: &Record, node: &str, killed: &Range<Duration>) {
    let beside = record.failures_beside(node, killed);
    cost.requests += record.all().len();
    cost.held += record.failures().len() - beside.len();
    cost.beside.extend(beside.into_iter().cloned());
    cost.longest_gap = cost.longest_gap.max(record.longest_gap());
}

/// Waits until every node is connected and every control plane ready.
async fn back(cluster: &Cluster) {
    cluster.connected(LONG_PATIENCE).await;
    for control in &cluster.controls {
        let ready = || async {
            let answer = control.operators.request(http::Method::GET, "/ready").send().await.ok()?;
            (answer.status == 200).then_some(())
        };
        poll_until(&format!("control plane {} that is ready", control.name), LONG_PATIENCE, ready).await;
    }
}

/// Counts the answers that a node got shortly before it was killed, by the provider's clock.
fn answered_by(cluster: &Cluster, node: &str, killed_us: &Range<u64>) -> u64 {
    let window = u64::try_from(UNREPORTED.as_micros()).unwrap_or(u64::MAX);
    let since = killed_us.start.saturating_sub(window);
    let prefix = format!("{node}-");
    let log = cluster.mock.log();
    let of_node = log.entries.iter().filter(|entry| {
        let asks = entry.request_id.as_deref().is_some_and(|id| id.starts_with(&prefix));
        // What was on its way when the node died may be told as finished a moment later.
        asks && entry.finished_us >= since && entry.started_us <= killed_us.end
    });
    of_node.count() as u64
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |time: Duration| time.as_millis();
        let mut back = self.back.clone();
        back.sort_unstable();
        let most = back.last().copied().unwrap_or_default();
        let half = back.get(back.len() / 2).copied().unwrap_or_default();
        write!(
            f,
            "{:?} killed {} times: {} requests, {} failed with their victim, {} others failed, longest gap {} ms; \
             back after {} ms (median), {} ms (most); {} (at most {} answers may be lost)",
            self.victim,
            self.rounds,
            self.requests,
            self.held,
            self.beside.len(),
            ms(self.longest_gap),
            ms(half),
            ms(most),
            self.difference,
            self.may_be_lost,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{books::Used, traffic::End};

    fn cost() -> Cost {
        Cost {
            victim: Victim::Node,
            rounds: 1,
            requests: 10,
            held: 1,
            beside: Vec::new(),
            longest_gap: Duration::ZERO,
            back: Vec::new(),
            difference: Difference::default(),
            may_be_lost: 3,
        }
    }

    #[test]
    fn every_broken_promise_is_told() {
        assert_eq!(cost().faults(), Vec::<String>::new());
        let used = |answers| Used { answers, ..Used::default() };
        let lost = |answers| Difference { lost: used(answers), twice: Used::default() };
        assert!(Cost { difference: lost(3), ..cost() }.faults().is_empty());
        assert_eq!(Cost { difference: lost(4), ..cost() }.faults().len(), 1);
        assert_eq!(Cost { difference: lost(1), may_be_lost: 0, ..cost() }.faults().len(), 2);
        let twice = Difference { lost: Used::default(), twice: used(1) };
        assert_eq!(Cost { difference: twice, ..cost() }.faults().len(), 1);
        let asked = Asked {
            number: 0,
            node: "a".into(),
            at: Duration::ZERO,
            took: Duration::ZERO,
            end: End::Withheld,
        };
        assert_eq!(Cost { beside: vec![asked], ..cost() }.faults().len(), 1);
    }
}

//! Kills.

use super::{Options, ms, table::Row};
use cliproxy_testkit::{
    Cluster,
    rounds::{self, Cost, Victim},
};
use std::time::Duration;

/// How often, unless it is said.
const KILLS: u32 = 200;

/// Kills one of the kind again and again.
pub(super) async fn run(cluster: &mut Cluster, victim: Victim, options: &Options) -> Vec<Row> {
    let rounds = usize::try_from(options.rounds.unwrap_or(KILLS)).unwrap_or(usize::MAX);
    let cost = rounds::run(cluster, victim, rounds, options.rate, options.seed).await;
    super::tell_failures("killed", &cost.beside.iter().collect::<Vec<_>>());
    rows(&cost)
}

fn rows(cost: &Cost) -> Vec<Row> {
    let fault = match cost.victim {
        Victim::Node => "node killed",
        Victim::Control => "control plane killed",
        Victim::Postgres => "Postgres killed",
    };
    let count = |count: usize| count as f64;
    let difference = &cost.difference;
    let twice = difference.twice.answers + difference.twice.errors;
    let tokens_twice = difference.twice.input + difference.twice.output;
    let mut back = cost.back.clone();
    back.sort_unstable();
    let at = |share: usize| back.get((back.len() * share / 100).min(back.len() - 1)).copied();
    let mut rows = vec![
        Row::told(fault, "kills", count(cost.rounds)),
        Row::told(fault, "requests", count(cost.requests)),
        Row::new(fault, "failed requests that no victim held", count(cost.beside.len()), 0.0),
        Row::new(fault, "attempts counted twice", twice as f64, 0.0),
        Row::new(fault, "tokens counted twice", tokens_twice as f64, 0.0),
        Row::new(
            fault,
            "answers lost from the books",
            difference.lost.answers as f64,
            cost.may_be_lost as f64,
        ),
        Row::told(fault, "longest time without any answer, ms", ms(cost.longest_gap)),
        Row::told(fault, "whole again after its start, median, ms", ms(at(50).unwrap_or(Duration::ZERO))),
        Row::told(fault, "whole again after its start, most, ms", ms(at(100).unwrap_or(Duration::ZERO))),
    ];
    if cost.victim == Victim::Node {
        rows.push(Row::told(fault, "failed requests that the victims held", count(cost.held)));
        let each = difference.lost.answers as f64 / count(cost.rounds.max(1));
        rows.push(Row::told(fault, "answers lost for each kill", each));
    } else {
        rows.push(Row::new(
            fault,
            "tokens lost",
            (difference.lost.input + difference.lost.output) as f64,
            0.0,
        ));
    }
    rows
}

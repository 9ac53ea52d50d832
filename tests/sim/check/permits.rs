//! The end of a rest is tried by one request at a time, until one is answered.

use crate::{truth::Answered, world::World};
use std::{collections::BTreeMap, time::Duration};

/// How much sooner than a rest ends, by what its provider said, a node may take it for ended: words travel as what is
/// left, and clocks gain up to one per cent.
const EARLY: Duration = Duration::from_millis(100);

/// Gives the requests that tried the end of a rest at the same time as another.
pub fn check(world: &World) -> Vec<String> {
    let truth = world.truth.lock().expect("no panic");
    let mut of_keys: BTreeMap<(&str, &str), Vec<&Answered>> = BTreeMap::new();
    for answered in &truth.answered {
        of_keys.entry((&answered.provider, &answered.credential)).or_default().push(answered);
    }
    let mut wrong = Vec::new();
    for answers in of_keys.values_mut() {
        answers.sort_by_key(|answered| answered.came);
        for (at, ends) in rests(answers) {
            wrong.extend(crowds(world, answers, at, ends));
        }
    }
    wrong
}

/// Gives when each rest was begun last, and when it ends.
fn rests(answers: &[&Answered]) -> Vec<(Duration, Duration)> {
    let refused = answers.iter().filter_map(|refused| Some((refused.at, refused.at + refused.retry_after?)));
    let mut rests: Vec<(Duration, Duration)> = Vec::new();
    for (at, ends) in refused {
        match rests.last_mut() {
            Some(last) if at <= last.1 => *last = (at.max(last.0), ends.max(last.1)),
            _ => rests.push((at, ends)),
        }
    }
    rests
}

/// Gives the requests after the end of a rest that came while another was out, up to the first that was answered.
fn crowds(world: &World, answers: &[&Answered], at: Duration, ends: Duration) -> Vec<String> {
    let tries: Vec<_> = answers.iter().filter(|answered| answered.came + EARLY >= ends).collect();
    let Some(first) = tries.iter().position(|answered| answered.status == 200) else { return Vec::new() };
    let over = tries[first].at;
    // Nodes that are cut off, and a leader that changes, may give more than one the right to try.
    if world.plan.known_by(at, over - at) > over {
        return Vec::new();
    }
    let crowd = tries.windows(2).filter(|pair| pair[0].came < over && pair[1].came < pair[0].at);
    crowd
        .map(|pair| {
            format!(
                "permits: {} and {} tried {} with {} at once, at {:.3} and {:.3}; the rest ended at {:.3}",
                pair[0].node,
                pair[1].node,
                pair[0].provider,
                pair[0].credential,
                pair[0].came.as_secs_f64(),
                pair[1].came.as_secs_f64(),
                ends.as_secs_f64(),
            )
        })
        .collect()
}

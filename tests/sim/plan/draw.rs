//! Draws a plan from a seed.

use super::{FAULTS_BEGIN, Fault, HEALED, Kind, Plan};
use cliproxy_host::Entropy;
use std::time::Duration;

/// At most so many things go wrong in one run.
const MOST_FAULTS: u64 = 5;
/// Clocks are off by so much at most, and set by so much.
const MOST_OFF_MS: i64 = 10 * 60 * 1_000;
/// They gain or lose so much at most: one per cent.
const MOST_DRIFT: i64 = 10_000;

impl Plan {
    /// Draws the plan of a seed.
    pub fn of(seed: u64) -> Self {
        let mut draw = Draw(Entropy::seeded(seed.wrapping_mul(0x2545_f491_4f6c_dd1d) ^ 0x5eed));
        let (controls, nodes) = (draw.between(1, 3), draw.between(3, 8));
        let mut plan = Self {
            controls,
            nodes,
            requests_per_second: draw.between(8, 25) as f64,
            clocks: Vec::new(),
            faults: Vec::new(),
        };
        plan.clocks = (hosts("cp", controls).into_iter().chain(hosts("dp", nodes)))
            .map(|host| if draw.chance(3) { (host, draw.off_ms(), draw.drift()) } else { (host, 0, 0) })
            .collect();
        let calm = draw.chance(4);
        for _ in 0..=draw.0.next_u64() % MOST_FAULTS {
            let fault = draw.fault(controls, nodes, calm);
            if plan.faults.iter().all(|other| !clash(other, &fault)) {
                plan.faults.push(fault);
            }
        }
        // Drawn last, so that what is drawn before is the same without.
        if controls > 1 && draw.chance(6) {
            plan.faults.retain(|fault| !concerns_the_first_leader(&fault.kind));
            plan.faults.push(Fault { from: Duration::ZERO, until: HEALED, kind: Kind::Overtaken });
        }
        plan.faults.sort_by_key(|fault| fault.from);
        plan
    }
}

fn hosts(kind: &str, count: usize) -> Vec<String> {
    (1..=count).map(|number| format!("{kind}-{number}")).collect()
}

/// Tells whether two faults cannot go on at once: the simulated network and the database have each of them only once,
/// and one provider with a sound key is always left.
fn clash(one: &Fault, other: &Fault) -> bool {
    use Kind::*;
    let pause = Duration::from_millis(200);
    let overlap = one.from <= other.until + pause && other.from <= one.until + pause;
    let network = |kind: &Kind| {
        matches!(kind, Cut(..) | CutOneWay(..) | Hold(..) | Deaf(_) | Crash(_) | Apart(_) | DoorbellLost(_))
    };
    let database = |kind: &Kind| {
        matches!(
            kind,
            DatabaseAway | DatabaseHangs | Flaky(_) | SlowCommits(_) | AnswersLost(_) | CommitsFail(_)
        )
    };
    match (&one.kind, &other.kind) {
        (RolledBack, RolledBack) => true,
        (Limited(..) | Outage(_), Limited(..) | Outage(_)) => one.kind == other.kind && overlap,
        (one, other) if network(one) && network(other) => overlap && touch(one, other),
        (one, other) => overlap && database(one) && database(other),
    }
}

/// Tells whether a fault would end the cut of whoever leads first, or keep another from taking over.
fn concerns_the_first_leader(kind: &Kind) -> bool {
    use Kind::*;
    let control = |host: &String| host.starts_with("cp");
    match kind {
        Crash(host) | Deaf(host) => control(host),
        Apart(_) | DatabaseAway | DatabaseHangs | Flaky(_) | SlowCommits(_) | AnswersLost(_)
        | CommitsFail(_) | RolledBack => true,
        _ => false,
    }
}

/// Tells whether two faults concern the same host.
fn touch(one: &Kind, other: &Kind) -> bool {
    let (one, other) = (concerned(one), concerned(other));
    one.iter().any(|host| other.contains(host))
}

fn concerned(kind: &Kind) -> Vec<&String> {
    match kind {
        Kind::Cut(a, b) | Kind::CutOneWay(a, b) | Kind::Hold(a, b) => vec![a, b],
        Kind::Crash(host) | Kind::Deaf(host) | Kind::Apart(host) | Kind::DoorbellLost(host) => vec![host],
        _ => Vec::new(),
    }
}

struct Draw(Entropy);

impl Draw {
    /// Draws a number from `least` to `most`.
    fn between(&self, least: usize, most: usize) -> usize {
        least + usize::try_from(self.0.next_u64() % (most - least + 1) as u64).unwrap_or_default()
    }

    /// Is true once in so many times.
    fn chance(&self, of: u64) -> bool {
        self.0.next_u64().is_multiple_of(of)
    }

    fn off_ms(&self) -> i64 {
        (self.0.fraction() * 2.0 * MOST_OFF_MS as f64) as i64 - MOST_OFF_MS
    }

    fn drift(&self) -> i64 {
        (self.0.fraction() * 2.0 * MOST_DRIFT as f64) as i64 - MOST_DRIFT
    }

    /// Draws a time between two times.
    fn time(&self, from: Duration, until: Duration) -> Duration {
        let millis = (until.saturating_sub(from)).as_millis() as f64 * self.0.fraction();
        from + Duration::from_millis(millis as u64)
    }

    /// Draws a fault; in a calm cluster one that keeps no word from getting through.
    fn fault(&mut self, controls: usize, nodes: usize, calm: bool) -> Fault {
        let control = format!("cp-{}", self.between(1, controls));
        let node = format!("dp-{}", self.between(1, nodes));
        let from = self.time(FAULTS_BEGIN, HEALED.saturating_sub(Duration::from_millis(500)));
        let longest = if self.chance(3) { Duration::from_secs(5) } else { Duration::from_millis(1_500) };
        let until = self.time(from + Duration::from_millis(100), from + longest).min(HEALED);
        let which = if calm { 17 + self.0.next_u64() % 4 } else { self.0.next_u64() % 21 };
        let kind = match which {
            0 => Kind::Cut(control, node),
            1 => Kind::CutOneWay(control, node),
            2 => Kind::CutOneWay(node, control),
            3 => Kind::Hold(control, node),
            4 => Kind::Crash(control),
            5 | 6 => Kind::Crash(node),
            7 => Kind::Deaf(node),
            8 => Kind::DatabaseAway,
            9 => Kind::SlowCommits(Duration::from_millis(self.between(10, 800) as u64)),
            10 => Kind::AnswersLost(self.between(1, 5)),
            11 => Kind::CommitsFail(self.between(1, 5)),
            12 => Kind::RolledBack,
            13 => Kind::DatabaseHangs,
            14 => Kind::Apart(control),
            15 => Kind::DoorbellLost(control),
            16 => Kind::Flaky(self.between(5, 100) as u16),
            17 => Kind::ClockSet(if self.chance(2) { control } else { node }, self.off_ms()),
            18 => Kind::Outage("alpha".to_owned()),
            _ => {
                let (provider, key) =
                    [("alpha", "one"), ("alpha", "two"), ("beta", "one")][self.between(0, 2)];
                let wait = Duration::from_secs(self.between(1, 4) as u64);
                Kind::Limited(provider.to_owned(), key.to_owned(), wait)
            }
        };
        Fault { from, until, kind }
    }
}

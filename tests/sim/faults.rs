//! Makes things go wrong when the plan says so, and mends them.

use crate::{
    plan::{Fault, HEALED, Kind},
    world::World,
};
use cliproxy_domain::HistoryId;
use cliproxy_store::memory::{Odds, Savepoint};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use turmoil::Sim;

/// What is yet to happen, and what has to be mended.
pub struct Faults {
    world: Arc<World>,
    /// When, whether it begins, and which of the plan.
    due: Vec<(Duration, bool, usize)>,
    savepoints: BTreeMap<usize, Savepoint>,
    healed: bool,
}

impl Faults {
    /// Prepares the faults of the world's plan.
    pub fn new(world: &Arc<World>) -> Self {
        let faults = world.plan.faults.iter().enumerate();
        let mut due: Vec<_> = faults
            .flat_map(|(number, fault)| [(fault.from, true, number), (fault.until, false, number)])
            .collect();
        // The beginning of what happens in a moment comes before its end.
        due.sort_by_key(|(at, begins, number)| (std::cmp::Reverse(*at), *begins, *number));
        Self { world: Arc::clone(world), due, savepoints: BTreeMap::new(), healed: false }
    }

    /// Does what is due by now.
    pub fn turn(&mut self, sim: &mut Sim<'_>) {
        let now = sim.elapsed();
        while self.due.last().is_some_and(|(at, ..)| *at <= now) {
            let Some((_, begins, number)) = self.due.pop() else { break };
            let fault = self.world.plan.faults[number].clone();
            let what = if begins { "begins" } else { "ends" };
            self.world.story.add(now, "faults", &format!("{:?} {what}", fault.kind));
            if begins {
                self.begin(sim, number, &fault);
            } else {
                self.end(sim, number, &fault);
            }
        }
        if !self.healed && now >= HEALED {
            self.healed = true;
            self.world.store.faults().heal();
            self.world.story.add(now, "faults", "everything is mended");
        }
    }

    fn begin(&mut self, sim: &mut Sim<'_>, number: usize, fault: &Fault) {
        let store = self.world.store.faults();
        match &fault.kind {
            Kind::Cut(a, b) => {
                self.set_cut(a, b, true);
                self.set_cut(b, a, true);
                sim.partition(a.as_str(), b.as_str());
            }
            Kind::CutOneWay(from, to) => {
                self.set_cut(from, to, true);
                sim.partition_oneway(from.as_str(), to.as_str());
            }
            Kind::Hold(a, b) => sim.hold(a.as_str(), b.as_str()),
            Kind::Crash(host) => sim.crash(host.as_str()),
            Kind::Deaf(host) => self.world.net.set_deaf(host, true),
            Kind::DatabaseAway => store.set_unavailable(true),
            Kind::DatabaseHangs => store.hang(true),
            Kind::Apart(control) => self.world.connection(control).connection_faults().hang(true),
            Kind::Overtaken => self.world.overtake(true),
            Kind::DoorbellLost(control) => self.world.connection(control).connection_faults().deafen(true),
            Kind::Flaky(each) => store.draw(self.world.seed, flaky(*each)),
            Kind::SlowCommits(by) => store.delay_commits(*by),
            Kind::AnswersLost(count) => store.lose_answers(*count),
            Kind::CommitsFail(count) => store.crash_before_commit(*count),
            Kind::RolledBack => {
                self.savepoints.insert(number, self.world.store.savepoint());
            }
            Kind::ClockSet(host, by) => self.world.clock(host).step(*by),
            Kind::Limited(provider, key, wait) => self.world.set_limited(provider, key, Some(*wait)),
            Kind::Outage(provider) => self.world.set_outage(provider, true),
        }
    }

    fn end(&mut self, sim: &mut Sim<'_>, number: usize, fault: &Fault) {
        let store = self.world.store.faults();
        match &fault.kind {
            Kind::Cut(a, b) => {
                self.set_cut(a, b, false);
                self.set_cut(b, a, false);
                sim.repair(a.as_str(), b.as_str());
            }
            Kind::CutOneWay(from, to) => {
                self.set_cut(from, to, false);
                sim.repair_oneway(from.as_str(), to.as_str());
            }
            Kind::Hold(a, b) => sim.release(a.as_str(), b.as_str()),
            Kind::Crash(host) => sim.bounce(host.as_str()),
            Kind::Deaf(host) => self.world.net.set_deaf(host, false),
            Kind::DatabaseAway => store.set_unavailable(false),
            Kind::DatabaseHangs => store.hang(false),
            Kind::Apart(control) | Kind::DoorbellLost(control) => {
                self.world.connection(control).connection_faults().heal();
            }
            Kind::Overtaken => self.world.overtake(false),
            // They have the database to themselves.
            Kind::Flaky(_) | Kind::SlowCommits(_) | Kind::AnswersLost(_) | Kind::CommitsFail(_) => {
                store.heal()
            }
            Kind::RolledBack => {
                if let Some(savepoint) = self.savepoints.remove(&number) {
                    self.world.store.roll_back(&savepoint, HistoryId(format!("history-{}", number + 2)));
                }
            }
            Kind::ClockSet(..) => {}
            Kind::Limited(provider, key, _) => self.world.set_limited(provider, key, None),
            Kind::Outage(provider) => self.world.set_outage(provider, false),
        }
    }

    fn set_cut(&self, from: &str, to: &str, cut: bool) {
        self.world.net.set_cut(from, to, cut);
    }
}

fn flaky(each: u16) -> Odds {
    let delay = Duration::from_millis(30);
    Odds { refused: each, answer_lost: each, commit_lost: each, delay }
}

//! Nodes, a control plane and a network that does what networks do, for some minutes of true time.

use crate::{
    draw::Draw,
    node::{Load, Machine},
    store::Store,
    truth::Truth,
    variant::Variant,
};
use cliproxy_domain::{Incarnation, LossMode, NodeClaims, NodeGrants, share::safe_share};
use cliproxy_host::{Clock as _, MemoryDisk, SystemClock};
use std::collections::BTreeMap;

const STEP: u64 = 100;
const FAULTS_END: u64 = 100_000;
const END: u64 = 170_000;

/// What may go wrong.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) variant: Variant,
    pub(crate) on_loss: LossMode,
    /// Processes are killed.
    pub(crate) kills: bool,
    /// Disks are lost with them.
    pub(crate) disks: bool,
    /// The store loses its last commits.
    pub(crate) history: bool,
    /// Answers outgrow their reservations.
    pub(crate) outgrow: bool,
    /// Periods end while it runs.
    pub(crate) periods: bool,
    /// Nothing goes wrong at all.
    pub(crate) calm: bool,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            variant: Variant::AsBuilt,
            on_loss: LossMode::Strict,
            kills: true,
            disks: true,
            history: true,
            outgrow: true,
            periods: true,
            calm: false,
        }
    }
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) violations: Vec<String>,
    /// What was spent in the period that runs at the end, and the limit.
    pub(crate) spent: u64,
    pub(crate) limit: u64,
    /// What the books have of it.
    pub(crate) books: String,
    /// Requests that were sent within the last minute, and the limit.
    pub(crate) sent: u64,
    pub(crate) rate_limit: u64,
}

enum Message {
    Up(usize, NodeClaims),
    Down { to: usize, of: Incarnation, req: u64, answered_at: u64, grants: NodeGrants },
}

struct World {
    plan: Plan,
    draw: Draw,
    machines: Vec<Machine>,
    store: Store,
    load: Load,
    truth: Truth,
    /// What is under way, by when it arrives.
    under_way: BTreeMap<(u64, u64), Message>,
    count: u64,
    lost: u64,
    doubled: u64,
    slowest: u64,
    control_down_until: u64,
    /// The history changes only while everybody can be heard, and is not changed again before all were.
    quiet_until: u64,
    killed_at: u64,
}

/// Runs the world of a seed to its end.
pub(crate) fn run(seed: u64, plan: Plan) -> Outcome {
    let mut world = World::new(seed, plan);
    for at in (0..END).step_by(STEP as usize) {
        if at < FAULTS_END && !plan.calm {
            world.faults(at);
        } else if at == FAULTS_END {
            world.heal(at);
        }
        world.step(at);
    }
    let last = (END - STEP) / world.load.period * world.load.period;
    Outcome {
        spent: world.truth.spent.get(&last).copied().unwrap_or(0),
        limit: world.store.limit,
        books: world.store.show(last),
        sent: world.truth.sent_lately(END),
        rate_limit: world.store.rate_limit,
        violations: world.truth.violations,
    }
}

impl World {
    fn new(seed: u64, plan: Plan) -> Self {
        let draw = Draw::seeded(seed);
        let nodes = draw.between(2, 5);
        let period = if plan.periods { draw.between(20_000, 90_000) } else { 1_000_000 };
        let (limit, rate_limit) = (draw.between(1_000, 20_000), draw.between(nodes, 120));
        let load = Load {
            requests: draw.between(1, 2),
            largest: draw.between(5, limit / 40),
            outgrow: if plan.outgrow && draw.once_in(2) { 20 } else { 0 },
            limit,
            rate_limit,
            period,
        };
        let mut store = Store::new(plan.variant, period, limit, rate_limit, nodes);
        store.safe_share = safe_share(rate_limit, plan.on_loss, nodes);
        let base = SystemClock.now();
        let machine = |number: u64| Machine {
            name: format!("node-{number}").as_str().into(),
            base,
            drift: draw.between(0, 20_000) as i64 - 10_000,
            skew: draw.one_of(&[0, 1, -1, 20, -20, 600, -600]) * 1_000,
            disk: MemoryDisk::default(),
            incarnation: Incarnation(0),
            process: None,
            frozen_until: 0,
            cut_until: 0,
        };
        let mut machines: Vec<_> = (0..nodes).map(machine).collect();
        for machine in &mut machines {
            machine.start(0, plan.on_loss, &load, store.safe_share);
        }
        let rough = !plan.calm;
        Self {
            lost: if rough { draw.between(0, 20) } else { 0 },
            doubled: if rough { draw.between(0, 15) } else { 0 },
            slowest: if rough { draw.one_of(&[20, 200, 1_500, 4_000]) } else { 5 },
            plan,
            machines,
            store,
            load,
            truth: Truth::default(),
            under_way: BTreeMap::new(),
            count: 0,
            control_down_until: 0,
            quiet_until: 0,
            killed_at: 0,
            draw,
        }
    }

    fn faults(&mut self, at: u64) {
        let Self { draw, plan, machines, .. } = self;
        // Longer than anybody keeps anything for a node that is silent.
        if at == 5_000 && draw.once_in(3) {
            machines[0].cut_until = FAULTS_END;
        }
        for machine in machines.iter_mut() {
            let quiet = at < self.quiet_until;
            if machine.process.is_none() {
                if quiet || draw.once_in(30) {
                    machine.start(at, plan.on_loss, &self.load, self.store.safe_share);
                }
            } else if plan.kills && !quiet && draw.once_in(200) {
                machine.kill();
                self.killed_at = at;
                if plan.disks && draw.once_in(4) {
                    machine.disk = MemoryDisk::default();
                }
            }
            if !quiet && draw.once_in(250) {
                machine.cut_until = machine.cut_until.max(at + draw.between(500, 40_000));
            }
            if !quiet && draw.once_in(300) {
                machine.frozen_until = at + draw.between(500, 20_000);
            }
        }
        if at >= self.quiet_until && self.draw.once_in(400) {
            self.control_down_until = at + self.draw.between(500, 30_000);
        }
        if self.draw.once_in(400) {
            let more = self.draw.between(100, 130);
            self.store.limit = self.store.limit * more / 100;
            self.store.rate_limit = self.store.rate_limit * more / 100;
            (self.load.limit, self.load.rate_limit) = (self.store.limit, self.store.rate_limit);
        }
        let reachable = |machine: &Machine| {
            machine.process.is_some() && machine.cut_until <= at && machine.frozen_until <= at
        };
        let heard = at >= self.control_down_until && self.machines.iter().all(reachable);
        // What a process was given in commits that are lost, and told nobody but them before it was killed, is given twice.
        let told = at >= self.killed_at + 10_000;
        if self.plan.history && heard && told && at >= self.quiet_until && self.draw.once_in(150) {
            self.store.roll_back(at);
            self.quiet_until = at + 15_000;
        }
    }

    fn heal(&mut self, at: u64) {
        (self.lost, self.doubled, self.slowest, self.control_down_until) = (0, 0, 5, at);
        (self.load.requests, self.load.largest) = (4, self.load.limit / 40);
        for machine in &mut self.machines {
            (machine.cut_until, machine.frozen_until) = (at, at);
            if machine.process.is_none() {
                machine.start(at, self.plan.on_loss, &self.load, self.store.safe_share);
            }
        }
    }

    fn step(&mut self, at: u64) {
        if self.plan.history && at.is_multiple_of(1_000) {
            self.store.keep(at);
        }
        self.deliver(at);
        for number in 0..self.machines.len() {
            let machine = &mut self.machines[number];
            if machine.frozen_until > at {
                continue;
            }
            if let Some(claims) = machine.step(at, &self.load, &self.draw, &mut self.truth) {
                self.send(at, Message::Up(number, claims));
            }
        }
        // What nodes near the control plane say is answered within the step.
        self.deliver(at + STEP - 1);
    }

    fn deliver(&mut self, until: u64) {
        while let Some(first) = self.under_way.first_entry().filter(|first| first.key().0 <= until) {
            let ((at, _), message) = first.remove_entry();
            match message {
                Message::Up(from, claims) if !self.is_cut(from, at) && at >= self.control_down_until => {
                    self.answer(at, from, &claims);
                }
                Message::Down { to, of, req, answered_at, grants } if !self.is_cut(to, at) => {
                    let machine = &mut self.machines[to];
                    if machine.frozen_until > at {
                        // It lies in the machine's buffers.
                        let message = Message::Down { to, of, req, answered_at, grants };
                        let wakes = machine.frozen_until;
                        self.put(wakes, message);
                    } else if machine.incarnation == of {
                        machine.hears(at, answered_at, req, grants, self.plan.variant);
                    }
                }
                _ => {}
            }
        }
    }

    fn answer(&mut self, at: u64, from: usize, claims: &NodeClaims) {
        let answer = self.store.answer(at, claims);
        let (of, req) = (claims.incarnation, claims.req);
        self.send(at, Message::Down { to: from, of, req, answered_at: at, grants: answer.grants });
        for (node, of, grants) in answer.recalls {
            if let Some(to) = self.machines.iter().position(|machine| machine.name == node) {
                self.send(at, Message::Down { to, of, req: 0, answered_at: at, grants });
            }
        }
    }

    fn is_cut(&self, number: usize, at: u64) -> bool {
        self.machines[number].cut_until > at
    }

    fn send(&mut self, at: u64, message: Message) {
        if self.draw.percent(self.lost) {
            return;
        }
        if self.draw.percent(self.doubled) {
            let arrives = at + self.draw.between(1, self.slowest);
            self.put(arrives, message.copy());
        }
        let arrives = at + self.draw.between(1, self.slowest);
        self.put(arrives, message);
    }

    fn put(&mut self, arrives: u64, message: Message) {
        self.count += 1;
        self.under_way.insert((arrives, self.count), message);
    }
}

impl Message {
    fn copy(&self) -> Self {
        match self {
            Self::Up(from, claims) => Self::Up(*from, claims.clone()),
            Self::Down { to, of, req, answered_at, grants } => {
                Self::Down { to: *to, of: *of, req: *req, answered_at: *answered_at, grants: grants.clone() }
            }
        }
    }
}

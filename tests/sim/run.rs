//! One run: a cluster, its load, and what is checked at its end.

use crate::{
    check,
    faults::Faults,
    hosts::{clients, control, node, operators, provider},
    plan::{AGREEMENT, END, HEALED, Plan},
    story::Story,
    world::World,
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};
use turmoil::Sim;

/// How a run ended.
pub struct Outcome {
    /// The seed.
    pub seed: u64,
    /// The sum of its story.
    pub hash: u64,
    /// What it stands for.
    pub plan: String,
    /// What did not hold.
    pub broken: Vec<String>,
    /// Its story.
    pub story: Story,
}

impl Outcome {
    /// Says what did not hold, and how to see it again.
    pub fn report(&self) -> String {
        let broken: Vec<_> = self.broken.iter().map(|what| format!("  {what}\n")).collect();
        format!(
            "{}what did not hold:\n{}to see it again: cargo xtask sim --seeds 1 --story --from {}\n",
            self.plan,
            broken.concat(),
            self.seed,
        )
    }
}

/// Runs a seed in a thread of its own, whose hash maps and runtimes draw from that seed as well. Where it is `calm`,
/// nothing goes wrong.
pub fn run(seed: u64, calm: bool) -> Outcome {
    cliproxy_replay::seed(seed);
    let run = std::thread::Builder::new().name(format!("seed-{seed}")).stack_size(8 << 20);
    run.spawn(move || simulate(seed, calm)).expect("a thread").join().expect("the run does not panic")
}

fn simulate(seed: u64, calm: bool) -> Outcome {
    let mut plan = Plan::of(seed);
    if calm {
        plan.faults.clear();
    }
    let world = World::new(seed, plan);
    let story = world.story.clone();
    let listening = story.listen();
    let mut sim = cluster(&world);
    let broken = drive(&world, &mut sim).unwrap_or_else(|error| vec![format!("a host ended: {error}")]);
    // What hosts say while they are taken down is no part of it.
    drop(listening);
    drop(sim);
    Outcome { seed, hash: story.hash(), plan: world.plan.to_string(), broken, story }
}

/// Builds the hosts. One tick is ten milliseconds: what happens within one tick of different hosts does not wait for
/// each other.
fn cluster(world: &Arc<World>) -> Sim<'static> {
    let mut sim = turmoil::Builder::new()
        .rng_seed(world.seed)
        .tick_duration(Duration::from_millis(10))
        .simulation_duration(END * 2)
        .min_message_latency(Duration::from_millis(1))
        .max_message_latency(Duration::from_millis(20))
        .tcp_capacity(1024)
        .build();
    for name in &world.controls {
        let (world, name, starts) = (Arc::clone(world), name.clone(), AtomicU32::new(0));
        sim.host(name.clone(), move || {
            let start = starts.fetch_add(1, Ordering::Relaxed);
            control::run(Arc::clone(&world), name.clone(), start)
        });
    }
    for name in ["alpha", "beta", "gamma"] {
        let world = Arc::clone(world);
        sim.host(name, move || provider::run(Arc::clone(&world), name.to_owned()));
    }
    for name in &world.nodes {
        let (world, name, starts) = (Arc::clone(world), name.clone(), AtomicU32::new(0));
        sim.host(name.clone(), move || {
            let start = starts.fetch_add(1, Ordering::Relaxed);
            node::run(Arc::clone(&world), name.clone(), start)
        });
    }
    sim.client("clients", clients::run(Arc::clone(world)));
    sim.client("scarce", clients::run_scarce(Arc::clone(world)));
    let operators = Arc::clone(world);
    sim.client("operators", async move {
        let [one, other] = [1, 2].map(|number| operators::run(Arc::clone(&operators), number));
        tokio::try_join!(one, other).map(|_| ())
    });
    sim
}

/// Lets time pass, and makes go wrong what the plan says.
fn drive(world: &Arc<World>, sim: &mut Sim<'_>) -> turmoil::Result<Vec<String>> {
    let mut faults = Faults::new(world);
    let mut until = |end| {
        while sim.elapsed() < end {
            faults.turn(sim);
            sim.step()?;
        }
        turmoil::Result::Ok(())
    };
    until(HEALED + AGREEMENT)?;
    let mut broken = check::agreement(world);
    until(END)?;
    broken.extend(check::all(world));
    Ok(broken)
}

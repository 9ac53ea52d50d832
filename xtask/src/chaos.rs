//! Breaks a cluster of real processes again and again under load, and holds what it cost against what is promised: kills
//! at drawn moments, control planes that hang or fall silent, a database that is away for a minute, or lost to a standby
//! that lagged behind.
//!
//! One run starts Postgres, control planes and nodes, each a process of its own, on loopback; the provider is played
//! here, and its log is the truth. See `docs/reference/faults.md`.

mod kills;
mod leaders;
mod outages;
mod sessions;
mod starts;
mod table;

use crate::bench::{cpu, process::gateway_executable};
use anyhow::Context;
use clap::ValueEnum;
use cliproxy_testkit::{Cluster, Layout, rounds::Victim, traffic::Asked};
use std::{io::Write, path::PathBuf, time::Duration};
use table::{Row, Table};
use tokio::signal::unix::{SignalKind, signal};

/// What `cargo xtask chaos` takes.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// How often each fault befalls them: by default each is killed 200 times, and each of the others befalls 10 times.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    rounds: Option<u32>,
    /// Requests a second.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(10..=2_000))]
    rate: u32,
    /// What to do.
    #[arg(long, value_enum, default_value_t = Only::All)]
    only: Only,
    /// How long all is well before the next control plane hangs, is cut off or ends, in seconds.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(0..=3_600))]
    calm: u64,
    /// For how long the database is away, in seconds.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(5..=3_600))]
    outage: u64,
    /// Repeats the draws of another run.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Take the gateway's release executable as it is.
    #[arg(long)]
    no_build: bool,
    /// Take this executable, as a debug build.
    #[arg(long, conflicts_with = "no_build")]
    executable: Option<PathBuf>,
}

impl Options {
    /// Gives how often each fault befalls that is no kill in a row of kills.
    fn rounds_of_sessions(&self) -> u32 {
        self.rounds.unwrap_or(10)
    }

    fn calm(&self) -> Duration {
        Duration::from_secs(self.calm)
    }
}

/// What a run does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Only {
    /// Kill nodes.
    Dp,
    /// Kill control planes.
    Cp,
    /// Kill the database.
    Postgres,
    /// Control planes that hang, are cut off, lead no more; nodes that start without one.
    Sessions,
    /// The database away for long, and lost to a standby.
    Outage,
    /// All of it.
    All,
}

impl Only {
    fn has(self, part: Only) -> bool {
        self == Only::All || self == part
    }
}

/// Breaks things and prints what it cost. Every process that it started has ended when it returns.
pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        done = measure(options) => done,
        _ = terminate.recv() => anyhow::bail!("terminated"),
        _ = tokio::signal::ctrl_c() => anyhow::bail!("interrupted"),
    }
}

async fn measure(options: Options) -> anyhow::Result<()> {
    let executable = match &options.executable {
        // The processes have folders of their own to work in.
        Some(path) => path.canonicalize().with_context(|| format!("there is no {}", path.display()))?,
        None => gateway_executable(!options.no_build).await?,
    };
    let program = executable.display().to_string();
    say(format_args!("load average at the start: {}; seed {}", cpu::load_average(), options.seed))?;
    let mut table = Table::default();
    for (part, victim) in
        [(Only::Dp, Victim::Node), (Only::Cp, Victim::Control), (Only::Postgres, Victim::Postgres)]
    {
        if options.only.has(part) {
            let mut cluster = start(&program, 3).await;
            told(&mut table, kills::run(&mut cluster, victim, &options).await)?;
        }
    }
    if options.only.has(Only::Sessions) {
        let mut cluster = start(&program, 3).await;
        told(&mut table, sessions::run(&mut cluster, &options).await)?;
        told(&mut table, leaders::run(&mut cluster, &options).await)?;
        told(&mut table, starts::run(&mut cluster, &options).await)?;
    }
    if options.only.has(Only::Outage) {
        told(&mut table, outages::away(start(&program, 2).await, &options).await)?;
        told(&mut table, outages::standby(start(&program, 2).await, &options).await)?;
    }
    say(format_args!("load average at the end: {}\n\n{table}", cpu::load_average()))?;
    let broken = table.broken();
    anyhow::ensure!(broken == 0, "{broken} promises were not kept");
    Ok(())
}

async fn start(program: &str, nodes: usize) -> Cluster {
    Cluster::start(Layout::new(program).nodes(nodes)).await
}

/// Tells of rows as they come: a long run shows what it has found.
fn told(table: &mut Table, rows: Vec<Row>) -> anyhow::Result<()> {
    for row in rows {
        say(format_args!("{row}"))?;
        table.add(row);
    }
    Ok(())
}

/// Tells of some requests that failed and should not have.
fn tell_failures(fault: &str, failures: &[&Asked]) {
    for asked in failures.iter().take(5) {
        // A closed output keeps nobody from measuring.
        let _ = say(format_args!("{fault}: {asked:?}"));
    }
}

/// Prints a line.
fn say(line: std::fmt::Arguments<'_>) -> anyhow::Result<()> {
    Ok(writeln!(std::io::stdout().lock(), "{line}")?)
}

/// Gives a time in milliseconds.
fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

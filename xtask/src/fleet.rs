//! Measures one control plane under many nodes: how soon a rest reaches the last of them while all report usage, what each
//! connected node costs in memory, and how long it takes until all are back after they connect anew at once.
//!
//! The control plane is a process of its own; the nodes are light ones in this process, that speak a node's side of the
//! sessions and serve nobody. See `docs/reference/benchmarks.md`.

mod figures;

use crate::bench::{cpu, process::gateway_executable};
use anyhow::Context;
use clap::ValueEnum;
use cliproxy_testkit::{Config, Fleet, Launch, Postgres, Process, fleet::Load, now};
use figures::Figures;
use serde_json::json;
use std::{
    io::Write,
    path::PathBuf,
    time::{Duration, Instant},
};
use tokio::signal::unix::{SignalKind, signal};

/// What `cargo xtask fleet` takes.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// How many nodes report while rests are measured; twice as many connect at once.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(2..=500))]
    nodes: u16,
    /// Rows of usage a second that they report together.
    #[arg(long, default_value_t = 5_000, value_parser = clap::value_parser!(u32).range(0..=100_000))]
    rows: u32,
    /// How often to measure how soon a rest is known.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    trials: u32,
    /// Where the control plane keeps its state.
    #[arg(long, value_enum, default_value_t = Database::Sqlite)]
    database: Database,
    /// Take the gateway's release executable as it is.
    #[arg(long)]
    no_build: bool,
    /// Take this executable, as a debug build.
    #[arg(long, conflicts_with = "no_build")]
    executable: Option<PathBuf>,
}

/// Where a control plane keeps its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Database {
    /// In a file of its own.
    Sqlite,
    /// In a scratch cluster that ends with the run.
    Postgres,
}

/// The longest that anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long memory is given to settle.
const SETTLE: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(1);

/// Measures, and prints a table. Every process that it started has ended when it returns.
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
        // The process has a folder of its own to work in.
        Some(path) => path.canonicalize().with_context(|| format!("there is no {}", path.display()))?,
        None => gateway_executable(!options.no_build).await?,
    };
    say(format_args!("load average at the start: {}", cpu::load_average()))?;
    let postgres = (options.database == Database::Postgres).then(Postgres::launch);
    let control = control(&executable.display().to_string(), postgres.as_ref(), options.trials).await;
    let address = control.nodes().await;
    let mut figures = Figures::new(control.rss_kib());

    let count = usize::from(options.nodes);
    let rows = usize::try_from(options.rows)?.div_ceil(count);
    let mut fleet = Fleet::start(address, count, Load { rows: 0 });
    all_ready(&fleet).await?;
    tokio::time::sleep(SETTLE).await;
    figures.memory(count, control.rss_kib());
    fleet.grow(2 * count);
    all_ready(&fleet).await?;
    tokio::time::sleep(SETTLE).await;
    figures.memory(2 * count, control.rss_kib());

    drop(fleet);
    let began = now();
    let fleet = Fleet::start(address, 2 * count, Load { rows: 0 });
    figures.resumed(2 * count, all_ready(&fleet).await?.saturating_duration_since(began));
    drop(fleet);

    let fleet = Fleet::start(address, count, Load { rows });
    all_ready(&fleet).await?;
    rests(&fleet, &control, &options, &mut figures).await?;
    say(format_args!("load average at the end: {}\n\n{figures}", cpu::load_average()))?;
    let broken = figures.broken();
    anyhow::ensure!(broken.is_empty(), "promises were not kept: {}", broken.join("; "));
    Ok(())
}

/// Has one node after the other say that a credential of its own was refused.
async fn rests(
    fleet: &Fleet,
    control: &Process,
    options: &Options,
    figures: &mut Figures,
) -> anyhow::Result<()> {
    // Until every node has reported.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let (began, rows, cpu) = (now(), fleet.rows_acknowledged(), control.cpu_time());
    for trial in 0..options.trials {
        let credential = format!("k{trial}");
        // At no time of the nodes' seconds in particular.
        tokio::time::sleep(Duration::from_millis(40 + u64::from(trial * 37 % 60))).await;
        let tripped = now();
        fleet.trip(usize::try_from(trial)? % usize::from(options.nodes), &credential).await;
        while fleet.all_heard(&credential).is_none() {
            anyhow::ensure!(
                now() - tripped < PATIENCE,
                "not all nodes heard of trial {trial}: {}",
                fleet.state()
            );
            tokio::time::sleep(LOOK).await;
        }
        let heard = fleet.all_heard(&credential).context("it was heard")?;
        figures.rest(heard.saturating_duration_since(tripped));
    }
    let took = now() - began;
    figures.load(fleet.rows_acknowledged() - rows, control.cpu_time().saturating_sub(cpu), took);
    Ok(())
}

async fn all_ready(fleet: &Fleet) -> anyhow::Result<Instant> {
    let began = now();
    loop {
        if let Some(ready) = fleet.all_ready() {
            return Ok(ready);
        }
        anyhow::ensure!(now() - began < PATIENCE, "within {PATIENCE:?} {}", fleet.state());
        tokio::time::sleep(LOOK).await;
    }
}

/// Starts a control plane with a provider that has a credential for each trial.
async fn control(program: &str, postgres: Option<&Postgres>, trials: u32) -> Process {
    let names: Vec<String> = (0..trials.max(10)).map(|number| format!("k{number}")).collect();
    let variable = |name: &str| format!("KEY_{}", name.to_uppercase());
    let credentials: Vec<_> = names
        .iter()
        .map(|name| json!({"name": name, "api_key": format!("${{{}}}", variable(name))}))
        .collect();
    // Nobody calls it.
    let up = json!({"kind": "openai", "base_url": "http://127.0.0.1:9", "credentials": credentials});
    let mut config = Config::new().set(&["providers", "up"], up).alias("m", &[("up", "m")]);
    if let Some(postgres) = postgres {
        postgres.create_database("cliproxy", None);
        config = config.set(&["control_plane", "database", "url"], "${DATABASE_URL}");
    }
    let mut launch = Launch::new(program, "controlplane").config(config);
    for name in &names {
        launch = launch.env(&variable(name), "sk-none");
    }
    if let Some(postgres) = postgres {
        launch = launch.env("DATABASE_URL", &postgres.url("cliproxy"));
    }
    launch.ready().await
}

/// Prints a line.
fn say(line: std::fmt::Arguments<'_>) -> anyhow::Result<()> {
    Ok(writeln!(std::io::stdout().lock(), "{line}")?)
}

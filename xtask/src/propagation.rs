//! Measures how soon a cluster obeys what one of its nodes was told: from a 429 that node A gets to the last call with
//! that credential that node B begins, while B has steady traffic on it.
//!
//! One run starts a control plane with SQLite and two nodes, each a process of its own, on loopback; the provider is
//! played here, and its log has the times of both by one monotonic clock. See `docs/reference/benchmarks.md`.

mod figures;
mod load;
mod trial;

use crate::bench::{cpu, process::gateway_executable};
use anyhow::Context;
use figures::Figures;
use std::{io::Write, path::PathBuf};
use tokio::signal::unix::{SignalKind, signal};
use trial::Cluster;

/// What `cargo xtask propagation` takes.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// How often to measure, each time with a credential that was never refused before.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=1000))]
    trials: u32,
    /// Requests a second that node B makes.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(50..=5000))]
    rate: u32,
    /// Take the gateway's release executable as it is.
    #[arg(long)]
    no_build: bool,
    /// Take this executable, as a debug build.
    #[arg(long, conflicts_with = "no_build")]
    executable: Option<PathBuf>,
}

/// Runs the trials and prints what they found. Every process that it started has ended when it returns.
pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        done = measure(options) => done,
        _ = terminate.recv() => anyhow::bail!("terminated"),
        _ = tokio::signal::ctrl_c() => anyhow::bail!("interrupted"),
    }
}

async fn measure(options: Options) -> anyhow::Result<()> {
    let executable = match options.executable {
        // The processes have folders of their own to work in.
        Some(path) => path.canonicalize().with_context(|| format!("there is no {}", path.display()))?,
        None => gateway_executable(!options.no_build).await?,
    };
    say(format_args!("load average at the start: {}", cpu::load_average()))?;
    let cluster = Cluster::start(&executable, options.trials).await;
    let load = load::Load::start(cluster.b.clone(), options.rate);
    let mut figures = Figures::default();
    for number in 0..options.trials {
        let found = cluster.trial(&load, number).await.with_context(|| format!("trial {number}"))?;
        figures.add(found);
    }
    let failed = load.stop().await?;
    say(format_args!("load average at the end: {}\n\n{figures}", cpu::load_average()))?;
    anyhow::ensure!(failed == 0, "{failed} requests of the load were not answered with 200");
    Ok(())
}

/// Prints a line.
fn say(line: std::fmt::Arguments<'_>) -> anyhow::Result<()> {
    Ok(writeln!(std::io::stdout().lock(), "{line}")?)
}

//! Runs seeds of the simulation, each in a process of its own, on all cores.
//!
//! The simulation is the test binary `sim` of the root package; see `docs/reference/simulation.md`.

use anyhow::Context as _;
use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

/// What `cargo xtask sim` takes.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// How many seeds to run.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
    /// The first.
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// Print what happened in each, line by line.
    #[arg(long)]
    story: bool,
    /// So many at once; as many as there are cores when it is not given.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1_024))]
    jobs: Option<u16>,
}

/// Runs the seeds, and fails when one does not hold.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let program = build()?;
    let jobs = match options.jobs {
        Some(jobs) => usize::from(jobs),
        None => thread::available_parallelism().map_or(1, usize::from),
    };
    let next = AtomicU64::new(options.from);
    let end = options.from.saturating_add(options.seeds);
    let failed = Arc::new(Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end {
                        return;
                    }
                    if let Some(why) = replay(&program, seed, options.story) {
                        say(&why);
                        failed.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(seed);
                    }
                }
            });
        }
    });
    let mut failed = failed.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
    failed.sort_unstable();
    say(&format!("{} seeds from {}: {} did not hold {failed:?}", options.seeds, options.from, failed.len()));
    anyhow::ensure!(failed.is_empty(), "not all seeds hold");
    Ok(())
}

/// Builds the simulation as tests are, and finds its program.
fn build() -> anyhow::Result<PathBuf> {
    let arguments = ["test", "--locked", "--package", "cliproxy", "--test", "sim", "--no-run"];
    let built = Command::new("cargo")
        .args(arguments)
        .args(["--message-format", "json-render-diagnostics"])
        .stderr(Stdio::inherit())
        .output()
        .context("cargo could not be started")?;
    anyhow::ensure!(built.status.success(), "the simulation could not be built");
    let messages = String::from_utf8(built.stdout).context("cargo's messages are UTF-8")?;
    let mut programs = messages.lines().filter_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        let is_it = message["target"]["name"] == "sim" && message["profile"]["test"] == true;
        message["executable"].as_str().filter(|_| is_it).map(PathBuf::from)
    });
    programs.next_back().context("cargo did not say where the simulation is")
}

/// Runs one seed; gives what it said where it did not hold.
fn replay(program: &Path, seed: u64, story: bool) -> Option<String> {
    let mut command = Command::new(program);
    command.args(["seeds::replay", "--exact", "--ignored", "--nocapture"]).env("SIM_SEED", seed.to_string());
    if story {
        command.env("SIM_STORY", "1");
    }
    let output = match command.output() {
        Ok(output) => output,
        Err(error) => return Some(format!("seed {seed} could not be run: {error}")),
    };
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    if story {
        say(&said);
        return (!output.status.success()).then(|| format!("seed {seed} does not hold"));
    }
    (!output.status.success()).then_some(said)
}

/// Prints lines. Nobody may be there to read them.
fn say(lines: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{lines}");
}

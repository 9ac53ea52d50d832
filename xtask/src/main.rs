//! Tasks of the workspace that no test needs: `cargo xtask` with `bench`, `propagation`, `fleet`, `chaos` or `sim`.
#![expect(clippy::disallowed_methods, reason = "a measuring tool reads the real clock")]

mod bench;
mod chaos;
mod fleet;
mod propagation;
mod sim;

use clap::{Parser, Subcommand};
use std::net::SocketAddr;

/// The allocator that the gateway uses as well, so that the bare proxy differs in its work alone.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Tasks of the workspace")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Measure the gateway against a bare proxy and a direct connection, all in one run on loopback.
    Bench(bench::Options),
    /// Measure how soon a second node obeys a 429 that a first one got, all on loopback.
    Propagation(propagation::Options),
    /// Kill, stop and cut off the processes of a cluster under load, and hold what it cost against what is promised.
    Chaos(chaos::Options),
    /// Measure one control plane under many nodes.
    Fleet(fleet::Options),
    /// Run seeds of the simulation: whole clusters in one thread each, with faults.
    Sim(sim::Options),
    /// The proxy that only copies: one of the processes that `bench` starts.
    #[command(hide = true)]
    BenchBare {
        /// Where to listen; port 0 asks for a free one.
        #[arg(long)]
        listen: SocketAddr,
        /// Where to copy to.
        #[arg(long)]
        upstream: SocketAddr,
    },
    /// The provider that answers from memory: one of the processes that `bench` starts.
    #[command(hide = true)]
    BenchUpstream {
        /// Where to listen; port 0 asks for a free one.
        #[arg(long)]
        listen: SocketAddr,
    },
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    match Cli::parse().task {
        Task::Bench(options) => bench::run(options).await,
        Task::Propagation(options) => propagation::run(options).await,
        Task::Chaos(options) => chaos::run(options).await,
        Task::Fleet(options) => fleet::run(options).await,
        Task::Sim(options) => sim::run(&options),
        Task::BenchBare { listen, upstream } => bench::bare::run(listen, upstream).await,
        Task::BenchUpstream { listen } => bench::upstream::run(listen).await,
    }
}

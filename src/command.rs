//! The subcommands: each picks the clock, the network, the disk and the store, and hands them in.

mod certificates;
mod config;
mod configuration;
mod controlplane;
mod ctl;
mod dataplane;
mod demo;
mod failover;
mod healthcheck;
mod link;
mod reload;
mod serve;
mod setup;
mod signals;
mod store;

use crate::cli::{Cli, Command};

/// Runs what the command line asks for.
pub async fn run(arguments: Cli) -> anyhow::Result<()> {
    match arguments.command {
        Command::Serve(common) => serve::run(&common).await,
        Command::Dataplane(arguments) => dataplane::run(&arguments).await,
        Command::Controlplane(common) => controlplane::run(&common).await,
        Command::Demo(arguments) => demo::run(&arguments).await,
        Command::Config(arguments) => config::run(&arguments),
        Command::Ctl(command) => ctl::run(&command).await,
        Command::Healthcheck(arguments) => healthcheck::run(&arguments).await,
    }
}

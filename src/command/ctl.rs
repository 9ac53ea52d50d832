//! `cliproxy ctl`: what operators do from the shell, by the REST interface of a node or a control plane.

mod api;
mod clients;
mod prices;
mod quotas;
mod table;
mod usage;

use super::certificates;
use crate::cli::Ctl;

/// Runs what the command line asks for.
pub async fn run(command: &Ctl) -> anyhow::Result<()> {
    match command {
        Ctl::Certificates(arguments) => certificates::run(arguments),
        Ctl::Clients(command) => clients::run(command).await,
        Ctl::Quotas(arguments) => quotas::run(arguments).await,
        Ctl::Usage(arguments) => usage::run(arguments).await,
        Ctl::Prices(arguments) => prices::run(arguments).await,
    }
}

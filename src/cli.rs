//! The command line.

mod ctl;

pub use ctl::{
    Answered, Asked, Certificates, Change, ClientKeys, ClientsCtl, CreateKey, Ctl, Prices, Quotas, QuotasCtl,
    Release, RevokeKey, RotateKey, Usage,
};

use clap::{Args, Parser, Subcommand};
use std::{net::SocketAddr, path::PathBuf};

/// An LLM gateway: one base URL in front of Claude, OpenAI, Gemini and every compatible server.
#[derive(Debug, Parser)]
#[command(name = "cliproxy", version, arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run both planes in one process, with SQLite
    Serve(Clients),
    /// Run a data-plane node: it serves clients
    Dataplane(Dataplane),
    /// Run a control plane: it configures nodes and keeps their books
    Controlplane(Common),
    /// Run everything with three simulated providers and a little traffic; needs no keys
    Demo(Demo),
    /// Look at configuration files
    #[command(subcommand)]
    Config(Config),
    /// Look after a cluster
    #[command(subcommand)]
    Ctl(Ctl),
    /// Ask a running node whether it lives; exit code 0 when it does
    Healthcheck(Healthcheck),
}

/// What every process takes.
#[derive(Clone, Debug, Args)]
pub struct Common {
    /// The configuration file [default: ./config.yaml when it exists, else the usual environment variables]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The folder for what the process keeps
    #[arg(long, value_name = "DIR", default_value = "./data")]
    pub data_dir: PathBuf,
    /// Overrides a key of the configuration; may be given more than once
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
}

/// What a process that serves clients takes.
#[derive(Clone, Debug, Args)]
pub struct Clients {
    /// What every process takes.
    #[command(flatten)]
    pub common: Common,
    /// Where clients connect; overrides server.listen
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<SocketAddr>,
}

/// What a data-plane node takes.
#[derive(Clone, Debug, Args)]
pub struct Dataplane {
    /// What a process that serves clients takes.
    #[command(flatten)]
    pub clients: Clients,
    /// The node's name [default: one made at the first start and kept in the data directory]
    #[arg(long, value_name = "NAME")]
    pub node_name: Option<String>,
}

/// What the demonstration takes.
#[derive(Clone, Debug, Args)]
pub struct Demo {
    /// Where clients connect [default: 127.0.0.1:8317, or a free port when it is taken]
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<SocketAddr>,
}

/// Looking at configuration files.
#[derive(Debug, Subcommand)]
pub enum Config {
    /// Check a configuration without running it
    Check(Clients),
    /// Print an example with every key explained
    Example,
}

/// What a health check takes.
#[derive(Clone, Debug, Args)]
pub struct Healthcheck {
    /// The node to ask
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8317")]
    pub listen: SocketAddr,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    /// Gives the help of a command and of all below it.
    fn help_of(command: &mut clap::Command, path: &str, out: &mut String) {
        let path = format!("{path}{}", command.get_name());
        out.push_str(&format!("$ {path} --help\n{}\n", command.render_long_help()));
        for below in command.get_subcommands_mut().filter(|below| below.get_name() != "help") {
            help_of(below, &format!("{path} "), out);
        }
    }

    #[test]
    fn the_reference_shows_the_help_as_it_is() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/reference/cli.txt");
        let mut help = String::new();
        // A fixed width, so that the terminal does not matter.
        let mut command = Cli::command().term_width(100);
        command.build();
        help_of(&mut command, "", &mut help);
        let help: String = help.lines().map(|line| format!("{}\n", line.trim_end())).collect();
        if std::env::var_os("UPDATE_REFERENCE").is_some() {
            std::fs::write(file, &help).unwrap();
        }
        let committed = std::fs::read_to_string(file).unwrap_or_default();
        assert_eq!(
            committed, help,
            "run `UPDATE_REFERENCE=1 cargo nextest run the_reference_shows` and commit the file"
        );
    }
}

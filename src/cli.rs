//! The command line.

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

/// Looking after a cluster.
#[derive(Debug, Subcommand)]
pub enum Ctl {
    /// Make certificates for the connections between the planes, signed by a CA of the folder's own
    Certificates(Certificates),
}

/// What the making of certificates takes.
#[derive(Clone, Debug, Args)]
pub struct Certificates {
    /// The folder; a CA is made in it when it has none
    #[arg(long, value_name = "DIR", default_value = "./certs")]
    pub dir: PathBuf,
    /// A control plane, and what nodes reach it by; may be given more than once
    #[arg(long, value_name = "NAME[,HOST...]")]
    pub control_plane: Vec<String>,
    /// The names of nodes; may be given more than once
    #[arg(long, value_name = "NAME", num_args = 1..)]
    pub node: Vec<String>,
    /// The trust domain of the CA [default: that of the folder's, else cliproxy]
    #[arg(long, value_name = "DOMAIN")]
    pub trust_domain: Option<String>,
    /// How long the certificates hold
    #[arg(long, value_name = "DAYS", default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=36_500))]
    pub days: u32,
    /// How long a new CA holds
    #[arg(long, value_name = "DAYS", default_value_t = 3_650, value_parser = clap::value_parser!(u32).range(1..=36_500))]
    pub ca_days: u32,
    /// Replace certificates that are there
    #[arg(long)]
    pub renew: bool,
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

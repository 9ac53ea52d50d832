//! The command line of `cliproxy ctl`.

use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Looking after a cluster.
#[derive(Debug, Subcommand)]
pub enum Ctl {
    /// Make certificates for the connections between the planes, signed by a CA of the folder's own
    Certificates(Certificates),
    /// See who may use the gateway; make, replace and revoke their keys
    #[command(subcommand)]
    Clients(ClientsCtl),
    /// See what is left of budgets and rate limits; take back what nodes hold that are gone
    Quotas(QuotasCtl),
    /// See what was used and what it cost
    Usage(Usage),
    /// See what each provider charges, and where the figures come from
    Prices(Prices),
}

/// Whom to ask, and as who.
#[derive(Clone, Debug, Args)]
pub struct Asked {
    /// A node or a control plane
    #[arg(long, value_name = "URL", env = "CLIPROXY_URL", default_value = "http://127.0.0.1:8317")]
    pub url: String,
    /// An admin token; better in the variable, as other users of the machine see arguments
    #[arg(long, value_name = "TOKEN", env = "CLIPROXY_ADMIN_TOKEN", hide_env_values = true)]
    pub token: Option<String>,
    /// A PEM file with the certificates of those that sign for the other side, in the place of the public ones; for
    /// https
    #[arg(long, value_name = "FILE", env = "CLIPROXY_CA_FILE")]
    pub ca_file: Option<PathBuf>,
}

/// Whom to ask, and in which form to show what is answered.
#[derive(Clone, Debug, Args)]
pub struct Answered {
    /// Whom to ask.
    #[command(flatten)]
    pub asked: Asked,
    /// Print the answer as it came, in JSON
    #[arg(long)]
    pub json: bool,
}

/// Looking after clients.
#[derive(Debug, Subcommand)]
pub enum ClientsCtl {
    /// List all clients with what they may and used
    List(Answered),
    /// List a client's keys
    Keys(ClientKeys),
    /// Make a key for a client of the configuration; prints it alone on the standard output, this once
    CreateKey(CreateKey),
    /// Make a key in the place of another, which goes on for a while; prints it alone on the standard output, this once
    RotateKey(RotateKey),
    /// Have a key refused from now on, on every node
    RevokeKey(RevokeKey),
}

/// What the listing of a client's keys takes.
#[derive(Clone, Debug, Args)]
pub struct ClientKeys {
    /// The client's name
    #[arg(value_name = "CLIENT")]
    pub client: String,
    /// Whom to ask.
    #[command(flatten)]
    pub answered: Answered,
}

/// What every change of keys takes.
#[derive(Clone, Debug, Args)]
pub struct Change {
    /// Why, for the audit log
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// A name for the call: a second one of the name makes no second key
    #[arg(long, value_name = "NAME")]
    pub request_id: Option<String>,
    /// Whom to ask.
    #[command(flatten)]
    pub answered: Answered,
}

/// What the making of a key takes.
#[derive(Clone, Debug, Args)]
pub struct CreateKey {
    /// The client's name
    #[arg(value_name = "CLIENT")]
    pub client: String,
    /// How long it lives, as 90d or 12h [default: for good]
    #[arg(long, value_name = "TIME")]
    pub expires_in: Option<String>,
    /// What every change takes.
    #[command(flatten)]
    pub change: Change,
}

/// What the replacing of a key takes.
#[derive(Clone, Debug, Args)]
pub struct RotateKey {
    /// The client's name
    #[arg(value_name = "CLIENT")]
    pub client: String,
    /// The name of the key that is replaced, as `keys` lists it
    #[arg(value_name = "ID")]
    pub id: String,
    /// How long the old key goes on [default: 24h]
    #[arg(long, value_name = "TIME")]
    pub overlap: Option<String>,
    /// How long the new key lives, as 90d, or never [default: as long as the old one was given]
    #[arg(long, value_name = "TIME")]
    pub expires_in: Option<String>,
    /// What every change takes.
    #[command(flatten)]
    pub change: Change,
}

/// What the revoking of a key takes.
#[derive(Clone, Debug, Args)]
pub struct RevokeKey {
    /// The client's name
    #[arg(value_name = "CLIENT")]
    pub client: String,
    /// The key's name, as `keys` lists it
    #[arg(value_name = "ID")]
    pub id: String,
    /// What every change takes.
    #[command(flatten)]
    pub change: Change,
}

/// Looking after limits: without a subcommand, lists them.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct QuotasCtl {
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Quotas>,
    /// Whom to ask.
    #[command(flatten)]
    pub answered: Answered,
}

/// Looking after limits.
#[derive(Debug, Subcommand)]
pub enum Quotas {
    /// List budgets with the nodes that hold parts of them, and rate limits with what each node may use
    List(Answered),
    /// Take back what a node holds of a budget whose process is gone for good
    Release(Release),
}

/// What the taking back takes.
#[derive(Clone, Debug, Args)]
pub struct Release {
    /// Whose budget it is, as `client ci`, in quotes
    #[arg(value_name = "SUBJECT")]
    pub subject: String,
    /// What it counts: tokens, requests or usd
    #[arg(value_name = "UNIT")]
    pub unit: String,
    /// The node that holds a part of it
    #[arg(long, value_name = "NODE")]
    pub node: String,
    /// Which of the node's processes [default: all that are gone]
    #[arg(long, value_name = "NUMBER")]
    pub incarnation: Option<u64>,
    /// Why, for the audit log
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// Whom to ask.
    #[command(flatten)]
    pub answered: Answered,
}

/// Which usage is shown.
#[derive(Clone, Debug, Args)]
pub struct Usage {
    /// From when on: a time, or how long ago, as 24h or 30d [default: 24h]
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,
    /// Until when [default: now]
    #[arg(long, value_name = "TIME")]
    pub to: Option<String>,
    /// By minute, hour or day [default: hour]
    #[arg(long, value_name = "PERIOD")]
    pub period: Option<String>,
    /// By what it is told apart: provider, credential, model, client, price, tag:NAME, with commas; or none [default:
    /// provider]
    #[arg(long, value_name = "WHAT")]
    pub by: Option<String>,
    /// Only of this provider
    #[arg(long, value_name = "NAME")]
    pub provider: Option<String>,
    /// Only of this model, as the provider knows it
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,
    /// Only of this client
    #[arg(long, value_name = "NAME")]
    pub client: Option<String>,
    /// So many sums at most [default: 500]
    #[arg(long, value_name = "NUMBER")]
    pub limit: Option<u32>,
    /// Print it as CSV, for spreadsheets
    #[arg(long, conflicts_with = "json")]
    pub csv: bool,
    /// Whom to ask.
    #[command(flatten)]
    pub answered: Answered,
}

/// Which prices are shown.
#[derive(Clone, Debug, Args)]
pub struct Prices {
    /// Only of this provider; not with --json
    #[arg(long, value_name = "NAME", conflicts_with = "json")]
    pub provider: Option<String>,
    /// Only the entries that fit this model, as the provider knows it; not with --json
    #[arg(long, value_name = "NAME", conflicts_with = "json")]
    pub model: Option<String>,
    /// Whom to ask.
    #[command(flatten)]
    pub answered: Answered,
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

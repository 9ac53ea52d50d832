//! Puts the sections together.

use crate::{
    advice,
    environment::Environment,
    error::{ConfigError, Report},
    field::{Field, Findings},
    overrides, permission, schema,
    section::{
        auths, clients,
        control_plane::{self, ControlPlane, Database},
        failover, limits,
        logging::{self, Logging},
        metrics::{self, Metrics},
        models, profiles, providers,
        server::{self, Server},
        translation,
    },
    shown,
    source::Source,
    tree::{self, Node},
};
use cliproxy_domain::{Snapshot, WallTime};
use std::{net::SocketAddr, path::PathBuf, sync::Arc};

/// A checked configuration with all defaults filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The data plane's process settings.
    pub server: Server,
    /// The control plane's process settings.
    pub control_plane: ControlPlane,
    /// The extra port for metrics.
    pub metrics: Metrics,
    /// What is logged.
    pub logging: Logging,
    /// The folder of credential files, which may not be there.
    pub auths_dir: PathBuf,
    /// Providers, models and policy.
    pub snapshot: Snapshot,
    /// What works but should be known; to be logged by whoever loads.
    pub warnings: Vec<String>,
}

impl Config {
    /// Gives where the extra port for metrics listens, when it does.
    pub fn metrics_listen(&self) -> Option<SocketAddr> {
        self.metrics.enabled.then(|| SocketAddr::new(self.server.listen.ip(), self.metrics.port))
    }

    /// Names what differs in `newer` and is only taken over by a restart; empty when all of it can be taken over
    /// while running.
    pub fn needs_restart(&self, newer: &Config) -> Vec<&'static str> {
        let (old, new) = (&self.server, &newer.server);
        let differences = [
            ("server.listen", old.listen != new.listen),
            ("server.allow_anonymous", old.allow_anonymous != new.allow_anonymous),
            ("server.limits", old.limits != new.limits),
            ("server.drain_timeout", old.drain_timeout != new.drain_timeout),
            ("server.operations.admin_tokens", old.admin_tokens != new.admin_tokens),
            ("server.advertise_url", old.advertise_url != new.advertise_url),
            ("server.failover", old.failover != new.failover),
            ("control_plane", self.control_plane != newer.control_plane),
            ("metrics", self.metrics != newer.metrics),
            ("logging", self.logging != newer.logging),
        ];
        differences.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect()
    }
}

/// What to load.
#[derive(Clone, Debug)]
pub struct Load {
    /// The configuration file; `None` for the environment alone.
    pub file: Option<PathBuf>,
    /// The arguments of `--set`, in order; later ones win.
    pub overrides: Vec<String>,
    /// The folder for what the process keeps: the default place of the database.
    pub data_dir: PathBuf,
    /// Where variables are read.
    pub environment: Environment,
    /// Tells the time, for what has expired.
    pub wall: fn() -> WallTime,
    /// What it is for.
    pub purpose: Purpose,
}

/// What a configuration is for: some of what it may say needs more than one process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Purpose {
    /// Any process that has a control plane, or nobody knows yet.
    #[default]
    Any,
    /// A data plane. Unless it names a control plane, it is alone.
    DataPlane,
}

/// Loads and checks the configuration.
///
/// # Errors
/// Everything that is wrong with it, in one go; a text that is not YAML is reported alone.
pub fn load(request: &Load) -> Result<Config, ConfigError> {
    load_with_text(request).map(|(config, _)| config)
}

/// Loads and checks the configuration, and gives the text that it was read from, which may hold keys; empty without a
/// file.
///
/// # Errors
/// As [`load`].
pub fn load_with_text(request: &Load) -> Result<(Config, String), ConfigError> {
    let source = match &request.file {
        Some(path) => Source::read(path)?,
        None => Source::new("no file", ""),
    };
    Ok((load_source(&source, request)?, source.text().to_owned()))
}

/// Checks `text` as if it stood in the file called `name`; `request.file` is not read.
///
/// # Errors
/// As [`load`].
pub fn load_text(name: &str, text: &str, request: &Load) -> Result<Config, ConfigError> {
    load_source(&Source::new(name, text), request)
}

fn load_source(source: &Arc<Source>, request: &Load) -> Result<Config, ConfigError> {
    let mut tree = tree::parse(source)?;
    for argument in &request.overrides {
        overrides::apply(&mut tree, argument)?;
    }
    let findings = Findings::new(&request.environment);
    shown::refuse_masked(&tree, &findings);
    let config = read(&tree, request, &findings);
    warn_of_open_keys(source, request, &findings);
    if matches!(config.control_plane.database, Database::Postgres { .. }) {
        refuse_keys_in_text(source, &findings);
    }
    let (mut reports, warnings) = findings.into_parts();
    let in_this_file =
        |report: &Report| report.place.as_ref().filter(|place| place.file == source.name()).cloned();
    reports.sort_by_key(|report| match in_this_file(report) {
        Some(place) => (0, place.line, place.column),
        None => (1, 0, 0),
    });
    match ConfigError::from_reports(reports) {
        Some(error) => Err(error),
        None => Ok(Config { warnings, ..config }),
    }
}

/// Reads all sections, each with its defaults where the tree is silent or wrong.
fn read(tree: &Node, request: &Load, findings: &Findings<'_>) -> Config {
    let root = Field::root(tree, findings);
    schema::check(&root, schema::KEYS);
    let (mut server, mut policy) = server::read(&root);
    policy.translation = translation::read(&root);
    let control_plane = control_plane::read(&root, &request.data_dir);
    server.failover = failover::read(&root, &server, &control_plane);
    failover::settle_sessions(&root, server.failover.as_ref().map(|failover| &failover.mode), &mut policy);
    let auths_dir = auths::read_dir(&root);
    let auth_files = auths::read_files(&auths_dir, findings);
    let profiles = profiles::read(&root);
    let providers = providers::read(&root, policy.timeouts, auth_files, &profiles);
    profiles.warn_of_unused();
    let models = models::read(&root, &providers.names);
    let around = clients::Around { providers: &providers, aliases: &models, now: (request.wall)() };
    let clients = clients::read(&root, &around);
    // A node that names a control plane gets its providers from there.
    if providers.names.is_empty() && !control_plane.endpoints_given {
        findings.warn(
            "no provider is configured, so that every request is refused; \
             set ANTHROPIC_API_KEY, OPENAI_API_KEY or GEMINI_API_KEY, or add `providers` to the configuration",
        );
    }
    let snapshot = Snapshot { providers: providers.sound, models, clients, policy };
    limits::check_prices(findings, &snapshot);
    limits::check_reserves(findings);
    if request.purpose == Purpose::DataPlane
        && !control_plane.endpoints_given
        && !snapshot.providers.is_empty()
    {
        limits::check_alone(findings);
    }
    advice::warn(&root, &snapshot);
    let (metrics, logging) = (metrics::read(&root), logging::read(&root));
    let config =
        Config { server, control_plane, metrics, logging, auths_dir, snapshot, warnings: Vec::new() };
    refuse_clashes(&config, &root);
    config
}

/// Refuses two listeners on one port.
fn refuse_clashes(config: &Config, root: &Field<'_>) {
    let listeners = [
        ("server.listen", Some(config.server.listen)),
        ("control_plane.listen", Some(config.control_plane.listen)),
        ("control_plane.nodes_listen", Some(config.control_plane.nodes_listen)),
        ("metrics.port", config.metrics_listen()),
    ];
    for (index, (name, address)) in listeners.iter().enumerate() {
        for (other_name, other) in &listeners[..index] {
            let (Some(address), Some(other)) = (address, other) else { continue };
            if !clash(*address, *other) {
                continue;
            }
            let message =
                format!("`{other_name}` and `{name}` take the same port; choose another for one of them");
            refuse_at(root, [name, other_name], message);
        }
    }
}

/// Tells whether two listeners cannot both be had. Port 0 is any free port.
fn clash(a: SocketAddr, b: SocketAddr) -> bool {
    let same_address = a.ip() == b.ip() || a.ip().is_unspecified() || b.ip().is_unspecified();
    a.port() != 0 && a.port() == b.port() && same_address
}

/// Notes a report at the first of the keys that the tree has.
fn refuse_at(root: &Field<'_>, paths: [&str; 2], message: String) {
    let field = paths.into_iter().find_map(|path| root.find(path));
    let report = match field {
        Some(field) => Report::at(field.span(), message),
        None => Report::unplaced(message),
    };
    root.findings().refuse(report);
}

/// Refuses keys that stand in the text itself: with a database for several control planes the text goes there, for the
/// others to take up, and keys do not.
fn refuse_keys_in_text(source: &Arc<Source>, findings: &Findings<'_>) {
    for span in findings.plain_keys().iter().filter(|span| Arc::ptr_eq(&span.source, source)) {
        findings.refuse(Report::at(
            span,
            "a Postgres database keeps the text of the configuration for all control planes, and no key belongs there; \
             write `${NAME}` and set the variable, put a provider's key into a file of `auths_dir`, or give a client's by its \
             `sha256`",
        ));
    }
}

/// Warns of keys that stand where others can read them: in an open file, or on the command line.
fn warn_of_open_keys(source: &Arc<Source>, request: &Load, findings: &Findings<'_>) {
    let keys = findings.plain_keys();
    let from_arguments = keys.iter().any(|span| span.source.name().starts_with("--set "));
    if from_arguments {
        findings.warn(
            "a key on the command line shows in the list of processes; put it into a variable or a file",
        );
    }
    let in_file = keys.iter().any(|span| Arc::ptr_eq(&span.source, source));
    if let Some(path) = request.file.as_deref().filter(|path| in_file && permission::is_world_readable(path))
    {
        let path = path.display();
        findings.warn(format!(
            "{path}: other users of this machine can read the keys in it; run `chmod 600 {path}` or use variables"
        ));
    }
}

//! What the processes have in common: the configuration, the log, and the two planes made of them.

use super::{configuration::Configuration, failover, link, store};
use crate::cli::{Clients, Common};
use anyhow::Context as _;
use cliproxy_config::{Config, Database, Environment, Load, Purpose};
use cliproxy_controlplane::{Addresses, ControlPlane, Doorstep, Role};
use cliproxy_dataplane::{
    DataPlane, Seams, Settings, authenticate::Admission, decode::BodyLimits, ops::AdminToken,
};
use cliproxy_domain::{NodeId, Snapshot, WallTime};
use cliproxy_host::{
    Clock, Entropy, ServeOptions, SteadyClock, SystemClock, SystemDisk, SystemNet, Tls, clock::uptime, tls,
};
use cliproxy_observe::{
    logging::{self, LogGuard, LogSettings},
    metrics::Metrics,
};
use cliproxy_store::Store;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

/// The version of the program, as nodes tell it to each other.
pub const BUILD: &str = env!("CARGO_PKG_VERSION");

/// For how many nodes at once a control plane finds out what they miss, however many cores there are.
const MAX_RESUMES_AT_ONCE: usize = 64;

/// The configuration file that is found without being named.
pub const DEFAULT_FILE: &str = "config.yaml";

/// A configuration, and the text that it was read from.
pub struct Loaded {
    /// What it says.
    pub config: Config,
    /// The text, which may hold keys; empty where there is no file.
    pub text: String,
}

/// Says what to load: the file of the command line, else `./config.yaml` when it exists.
pub fn load_request(common: &Common) -> Load {
    let default = PathBuf::from(DEFAULT_FILE);
    let file = common.config.clone().or_else(|| default.exists().then_some(default));
    Load {
        file,
        overrides: common.set.clone(),
        data_dir: common.data_dir.clone(),
        environment: Environment::process(),
        wall,
        purpose: Purpose::Any,
    }
}

/// The same for a process that serves clients, whose address may be given.
pub fn load_request_of(clients: &Clients) -> Load {
    let mut request = load_request(&clients.common);
    if let Some(listen) = clients.listen {
        request.overrides.push(format!("server.listen=\"{listen}\""));
    }
    request
}

/// Loads the configuration and starts the log. Warnings go to the log.
pub fn start(request: &Load) -> anyhow::Result<(Loaded, LogGuard)> {
    let (config, text) = cliproxy_config::load_with_text(request).context("the configuration is refused")?;
    let log = start_log(&config)?;
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    Ok((Loaded { config, text }, log))
}

/// Tells the time, for what a configuration lets expire.
pub fn wall() -> WallTime {
    SystemClock.wall()
}

fn start_log(config: &Config) -> anyhow::Result<LogGuard> {
    use cliproxy_config::{Format, Level, Output};
    let settings = LogSettings {
        level: match config.logging.level {
            Level::Debug => logging::Level::Debug,
            Level::Info => logging::Level::Info,
            Level::Warn => logging::Level::Warn,
            Level::Error => logging::Level::Error,
        },
        format: match config.logging.format {
            Format::Json => logging::Format::Json,
            Format::Text => logging::Format::Text,
        },
        output: match &config.logging.output {
            Output::Stdout => logging::Output::Stdout,
            Output::Stderr => logging::Output::Stderr,
            Output::File(path) => logging::Output::File(path.clone()),
        },
    };
    Ok(logging::init(settings, || SystemClock.wall().0)?)
}

/// Gives the clock of a plane: whoever sets the machine's calendar ends no rest with that.
fn clock() -> Arc<dyn Clock> {
    Arc::new(SteadyClock::over(SystemClock, uptime))
}

/// Installs the one TLS provider for whoever asks for the process's default.
pub fn install_tls_provider() {
    // A second installation changes nothing: it is the same provider.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

/// What a data-plane process adds to its configuration.
pub struct NodeOptions {
    /// Where control planes are.
    pub endpoints: Vec<String>,
    /// What the node proves itself to control planes by.
    pub tls: Option<Arc<Tls>>,
    /// The node's name.
    pub name: Option<NodeId>,
    /// What to serve until a control plane says otherwise.
    pub initial: Option<Snapshot>,
    /// Whether the control plane is that of other nodes as well.
    pub shares_control_plane: bool,
}

/// Builds a data plane that keeps its files under `data_dir/node`.
pub async fn data_plane(
    config: &Config,
    data_dir: &Path,
    options: NodeOptions,
    metrics: &Metrics,
    log: &LogGuard,
) -> anyhow::Result<DataPlane> {
    let limits = &config.server.limits;
    let settings = Settings {
        listen: config.server.listen,
        metrics: config.metrics_listen().map(|address| (address, config.metrics.path.clone())),
        admission: Admission { allow_anonymous: config.server.allow_anonymous },
        body_limits: BodyLimits { max_body: limits.max_body, idle: limits.client_body_timeout },
        serve: ServeOptions {
            max_connections: limits.max_connections,
            max_header_bytes: limits.max_header_bytes,
            header_timeout: limits.client_header_timeout,
            http1_idle: limits.client_idle_timeout,
            drain: config.server.drain_timeout,
            ..ServeOptions::default()
        },
        admin_tokens: config
            .server
            .admin_tokens
            .iter()
            .map(|token| AdminToken { name: token.name.clone(), sha256: token.sha256 })
            .collect(),
        endpoints: options.endpoints,
        tls: options.tls,
        name: options.name,
        build: BUILD.to_owned(),
        initial: options.initial,
        failover: failover::settings(config, options.shares_control_plane)?,
    };
    let seams = Seams {
        clock: clock(),
        net: Arc::new(SystemNet),
        disk: Arc::new(SystemDisk::new(data_dir.join("node"))),
        entropy: Entropy::from_system(),
    };
    let node = DataPlane::build(settings, seams, metrics.clone(), log.access_log()).await?;
    tracing::info!(address = %node.address(), node = %node.node(), "clients are served");
    Ok(node)
}

/// Builds a control plane on the configured store, with the configuration in force, and what operators change it by.
pub async fn control_plane(
    loaded: Loaded,
    request: Load,
    metrics: &Metrics,
) -> anyhow::Result<(ControlPlane, Arc<Configuration>)> {
    let config = &loaded.config;
    let made = || format!("cp-{:08x}", Entropy::from_system().next_u64() >> 32);
    let mut settings = cliproxy_controlplane::Settings::new(
        config.control_plane.listen,
        config.control_plane.nodes_listen,
        config.control_plane.name.clone().unwrap_or_else(made),
    );
    settings.advertise_url.clone_from(&config.control_plane.advertise_url);
    // What a node misses is found out by reading the store, more than by reckoning.
    let cores = std::thread::available_parallelism().map_or(2, std::num::NonZeroUsize::get);
    settings.resumes_at_once = (2 * cores).min(MAX_RESUMES_AT_ONCE);
    settings.tls = link::tls(config, tls::Role::ControlPlane)?;
    settings.allow_plaintext = config.control_plane.allow_plaintext;
    settings.admin_tokens = config
        .server
        .admin_tokens
        .iter()
        // The configuration knows no other role yet, and refuses every other word.
        .map(|token| cliproxy_controlplane::AdminToken {
            name: token.name.clone(),
            role: Role::Operator,
            sha256: token.sha256,
        })
        .collect();
    let (store, doorstep) = reach_store(config, &settings).await?;
    let net = Arc::new(SystemNet);
    let plane = ControlPlane::build_behind(doorstep, settings, store, clock(), net, metrics).await?;
    link::warn_of_open_listener(config, plane.addresses().nodes);
    let handle = plane.handle();
    let configuration = Configuration::start(request, loaded, handle.clone()).await?;
    let Addresses { operators, nodes } = plane.addresses();
    tracing::info!(%operators, %nodes, config = %handle.in_force(), "nodes are served");
    Ok((plane.with_configurations(configuration.clone()), configuration))
}

/// Opens the database. While it cannot be reached operators are told so where the control plane will be.
async fn reach_store(
    config: &Config,
    settings: &cliproxy_controlplane::Settings,
) -> anyhow::Result<(Arc<dyn Store>, Doorstep)> {
    let database = &config.control_plane.database;
    let doorstep = Doorstep::open(settings, &SystemNet).await?;
    if matches!(database, Database::Postgres { .. }) {
        tracing::info!(operators = %doorstep.address(), "the database is opened");
    }
    let (store, doorstep) = doorstep.wait_for(store::open(database)).await;
    Ok((store?, doorstep))
}

/// Tells the operator of connections that were cut when the drain's time was up.
pub fn report_cut(cut: usize) {
    if cut > 0 {
        tracing::warn!(cut, "connections were cut as the drain's time was up");
    }
}

//! `cliproxy dataplane`: a node that serves clients, configured by a control plane or by its own file.

use super::{
    link,
    reload::{self, Follow},
    setup::{self, Loaded, NodeOptions},
    signals,
};
use crate::cli::Dataplane;
use cliproxy_config::{Config, Load, Purpose};
use cliproxy_dataplane::live::Live;
use cliproxy_domain::{ConfigId, Snapshot};
use cliproxy_host::tls::Role;
use cliproxy_observe::metrics::Metrics;
use std::sync::Arc;

/// Runs until SIGTERM or SIGINT.
pub async fn run(arguments: &Dataplane) -> anyhow::Result<()> {
    setup::install_tls_provider();
    let request = Load { purpose: Purpose::DataPlane, ..setup::load_request_of(&arguments.clients) };
    let (Loaded { config, .. }, log) = setup::start(&request)?;
    let shutdown = signals::shutdown()?;
    let metrics = Metrics::new();
    let alone = runs_alone(&config);
    let endpoints = if alone { Vec::new() } else { config.control_plane.endpoints.clone() };
    link::warn_of_open_endpoints(&endpoints);
    let options = NodeOptions {
        endpoints,
        tls: if alone { None } else { link::tls(&config, Role::Node)? },
        name: arguments.node_name.clone().map(Into::into),
        // A node with a control plane starts from what that last said; its file is for the very first start.
        // One that the file does not name is this machine's own.
        shares_control_plane: config.control_plane.endpoints_given,
        initial: (!config.snapshot.providers.is_empty()).then(|| config.snapshot.clone()),
    };
    let node =
        setup::data_plane(&config, &arguments.clients.common.data_dir, options, &metrics, &log).await?;
    let reloading = alone.then(|| {
        let (file, auths_dir) = (request.file.clone(), config.auths_dir.clone());
        let target = ToNode { request, started: config, live: node.live() };
        let (wanted, shutdown) = (node.reload_wanted(), shutdown.clone());
        tokio::spawn(
            async move { reload::watch(file.as_deref(), &auths_dir, target, wanted, shutdown).await },
        )
    });
    setup::report_cut(node.run(shutdown).await);
    match reloading {
        Some(reloading) => reloading.await?,
        None => Ok(()),
    }
}

/// A node whose file names providers and no control plane is its own master.
fn runs_alone(config: &Config) -> bool {
    !config.snapshot.providers.is_empty() && !config.control_plane.endpoints_given
}

/// A node without a control plane.
struct ToNode {
    request: Load,
    /// What the keys of the process were at its start.
    started: Config,
    live: Arc<Live>,
}

impl ToNode {
    fn adopt(&self, snapshot: Snapshot) -> anyhow::Result<()> {
        // Read anew for a provider that does not answer, it is mostly the same: what is derived from it stays.
        if self.live.known().is_none_or(|known| known.snapshot != snapshot) {
            self.live.adopt(ConfigId(0), snapshot)?;
        }
        Ok(())
    }
}

impl Follow for ToNode {
    async fn load_again(&mut self, cause: &'static str) {
        let Some(Loaded { config, .. }) = reload::read(self.request.clone(), cause).await else { return };
        reload::tell(&self.started, &config);
        match self.adopt(config.snapshot) {
            Ok(()) => tracing::info!(cause, "the configuration was loaded again"),
            Err(error) => reload::refused(&error, cause),
        }
    }
}

//! `cliproxy serve`: both planes in one process, talking gRPC over loopback as they do in a cluster.

use super::{
    link, reload,
    setup::{self, Loaded, NodeOptions},
    signals,
};
use crate::cli::Clients;
use cliproxy_config::{Database, Load};
use cliproxy_controlplane::{Addresses, Handle};
use cliproxy_dataplane::{DataPlane, Offered, live::Live};
use cliproxy_observe::{logging::LogGuard, metrics::Metrics};
use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

/// Runs until SIGTERM or SIGINT.
pub async fn run(arguments: &Clients) -> anyhow::Result<()> {
    setup::install_tls_provider();
    let request = setup::load_request_of(arguments);
    let (loaded, log) = setup::start(&request)?;
    let shutdown = signals::shutdown()?;
    both(loaded, request, &arguments.common.data_dir, &log, shutdown, None).await
}

/// Where a running process answers.
#[derive(Clone, Copy, Debug)]
pub struct Running {
    /// Clients and operators.
    pub clients: SocketAddr,
    /// The control plane.
    pub control: Addresses,
}

/// Runs both planes until `shutdown`: the data plane drains first, so that the control plane still takes its last
/// report.
pub async fn both(
    loaded: Loaded,
    request: Load,
    data_dir: &Path,
    log: &LogGuard,
    shutdown: CancellationToken,
    ready: Option<oneshot::Sender<Running>>,
) -> anyhow::Result<()> {
    let metrics = Metrics::new();
    let config = loaded.config.clone();
    link::refuse_tls(&config)?;
    let starting = Box::pin(setup::control_plane(loaded, request, &metrics));
    let Some(started) = shutdown.run_until_cancelled(starting).await else { return Ok(()) };
    let (control, configuration) = started?;
    let addresses = control.addresses();
    let options = NodeOptions {
        endpoints: vec![format!("http://{}", addresses.nodes)],
        tls: None,
        name: None,
        initial: None,
        // A file is one process's own; several have a server in common.
        shares_control_plane: matches!(config.control_plane.database, Database::Postgres { .. }),
    };
    let mut node = setup::data_plane(&config, data_dir, options, &metrics, log).await?;
    begin_with_own(&mut node, &control.handle());
    let stop_control = CancellationToken::new();
    let reloading = tokio::spawn(reload::follow(configuration, control.reload_wanted(), shutdown.clone()));
    let running = Running { clients: node.address(), control: addresses };
    let control = tokio::spawn(control.run(stop_control.clone()));
    if let Some(ready) = ready {
        tokio::spawn(tell_once_configured(node.live(), running, ready, shutdown.clone()));
    }
    setup::report_cut(node.run(shutdown).await);
    stop_control.cancel();
    control.await?;
    reloading.await?
}

/// Has the node begin with what the control plane beside it offers, of which it would hear a moment after it began to
/// serve.
fn begin_with_own(node: &mut DataPlane, handle: &Handle) {
    if let Some((config, snapshot)) = handle.offered() {
        node.begin_with(Offered { history: handle.history(), config, snapshot });
    }
}

/// Tells where the process answers once its node has a configuration: before that it sends requests away.
async fn tell_once_configured(
    live: Arc<Live>,
    running: Running,
    ready: oneshot::Sender<Running>,
    shutdown: CancellationToken,
) {
    while live.known().is_none() && !shutdown.is_cancelled() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // Nobody waits any more: nothing to tell.
    let _ = ready.send(running);
}

//! `cliproxy controlplane`: configures nodes and keeps their books.

use super::{
    reload::{self, ToControlPlane},
    setup, signals,
};
use crate::cli::Common;
use cliproxy_observe::metrics::Metrics;

/// Runs until SIGTERM or SIGINT.
pub async fn run(common: &Common) -> anyhow::Result<()> {
    setup::install_tls_provider();
    let request = setup::load_request(common);
    let (config, _log) = setup::start(&request)?;
    let shutdown = signals::shutdown()?;
    let plane = setup::control_plane(&config, &Metrics::new()).await?;
    let target = ToControlPlane(plane.handle());
    let reloading =
        tokio::spawn(reload::watch(request, config, shutdown.clone(), target, plane.reload_wanted()));
    plane.run(shutdown).await;
    reloading.await?
}
